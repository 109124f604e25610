"""Screening by what surrogates expect of a pool that evolution has bred on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ktnas import registry
from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.engine.guides import Guide, Guided
from ktnas.engine.judge import Judge
from ktnas.engine.larger import Larger
from ktnas.engine.narrowing import Narrowing
from ktnas.engine.objectives import Objectives
from ktnas.engine.screen import Screen
from ktnas.engine.state import TaskState
from ktnas.errors import UserError
from ktnas.surrogate.base import Surrogate
from ktnas.task.base import Task

FEW = 4
"""Evaluations up to which a task is guided."""


@dataclass
class SurrogateScreen(Screen):
    """Expected improvement of a pool bred on it.

    One surrogate per column that is not known beforehand learns from all tasks; free columns are consulted.
    With one objective the acquisition is the expected improvement of the warped error, with two the expected
    hypervolume improvement (summed over devices), with more that of a random Chebyshev scalarisation. Limits
    multiply it by the probability of keeping them.

    The pool starts from the candidates, the neighbours of the best parents and random architectures, and
    grows by the neighbours of its best until they bring nothing better, so its cost does not depend on the
    size of the space.

    A target of one objective with a known source chooses its first evaluation by the surrogates of all tasks.
    Then, up to ``lead`` evaluations, it chooses by those of the targets alone, among what a source expects to
    be good (``Narrowing``). A source that disagrees so takes one evaluation at most, and restricts a few.

    Where the error alone is searched, without limits, a task without one is guided (``Guided``): from its
    second evaluation on and while it knows less than ``FEW``, by what runs of other spaces make one expect
    (``Lender``); while less than ``FEW`` are known of all tasks together, by the size of the networks too
    (``Larger``), where its space builds some for images and it searches a score that is better higher, or an
    error in %. A guide is heard as long as the errors of the task rise with what it expected, and a run of
    another space as long as they do so more than with the size.

    Attributes:
        random: random architectures in the pool.
        elite: members whose neighbours join the pool in each round.
        rounds: of growing, at most.
        samples: quasi-random samples behind an expected hypervolume improvement, a power of 2.
        lead: evaluations of a target up to which its sources say where to look; 0 for none.
        share: of random architectures, expected best, among which it looks then.
        guided: of random architectures, expected best by guides, among which a task looks of which little
            is known; 1 for all.
    """

    random: int = 256
    elite: int = 6
    rounds: int = 6
    samples: int = 32
    lead: int = 8
    share: float = 0.1
    guided: float = 0.05
    _objectives: Objectives = field(init=False, repr=False)
    _surrogates: dict[str, Surrogate] = field(default_factory=dict, init=False, repr=False)
    _of_targets: dict[str, Surrogate] = field(default_factory=dict, init=False, repr=False)
    _guides: Sequence[Guide] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        for name, share in (("share", self.share), ("guided", self.guided)):
            if not 0 < share <= 1:
                raise UserError(f"screen.{name}={share}: must be above 0, and 1 at most.")

    def prepare(
        self, objectives: Objectives, encoding: Encoding, surrogate: dict[str, Any], n_tasks: int, seed: int
    ) -> None:
        """As in ``Screen``; one surrogate of all tasks and one of targets per column."""
        self._objectives = objectives
        columns = dict.fromkeys((*objectives.names, *objectives.limits))
        self._surrogates, self._of_targets = (
            {
                column: registry.build("surrogate", surrogate).prepare(encoding, n_tasks, seed)
                for column in columns
            }
            for _ in range(2)
        )

    def is_guided(self, objectives: Objectives) -> bool:
        """As in ``Screen``: fronts and limits are not for what is expected of errors alone."""
        return objectives.names == ("error",) and not objectives.limits and self.guided < 1

    def follow(self, guides: Sequence[Guide]) -> None:
        """As in ``Screen``; the larger networks are one more guide."""
        self._guides = guides

    def informed(self, state: TaskState, states: Sequence[TaskState]) -> bool:
        """Whether any task has two successful evaluations."""
        return max((np.isfinite(other.errors).sum() for other in states), default=0) >= 2

    def choose(self, state: TaskState, states: Sequence[TaskState], candidates: IntArray, n: int) -> IntArray:
        """As in ``Screen``: the best of the pool, one after the other when ``n`` > 1.

        What was chosen before and is pending is believed to turn out as predicted.
        """
        judge, narrowing = self._learn(state, states)
        if len(state.pending):
            judge.believe(state.pending)
        chosen = state.genotypes[:0]
        for _ in range(n):
            pool, scores = self._grow(state, judge, narrowing, candidates, chosen)
            if not len(pool):
                break
            best = pool[[int(np.argmax(scores))]]
            chosen = np.vstack([chosen, best])
            if len(chosen) < n:
                judge.believe(best)
        return chosen

    def _learn(
        self, state: TaskState, states: Sequence[TaskState]
    ) -> tuple[Judge, Narrowing | Guided | None]:
        free = () if state.task is None else self._objectives.free(state.task)
        judge = Judge(state, self._objectives, free, self._surrogates, self.samples)
        judge.observe(states)
        sources = self._leading(state, states)
        if not sources:
            guides = self._heard(state, states)
            return judge, Guided.of(guides, state.space, self.guided) if guides else None
        alone = Judge(state, self._objectives, free, self._of_targets, self.samples)
        alone.observe([other for other in states if other.role == "target"])
        return alone, Narrowing.of(self._surrogates["error"], sources, self.share)

    def _heard(self, state: TaskState, states: Sequence[TaskState]) -> list[Guide]:
        """Guides that say where ``state`` looks now."""
        known = np.isfinite(state.errors)
        if not known.any() or not self.is_guided(self._objectives):
            return []
        early = sum(map(len, states)) < FEW and _is_accuracy(state.task)
        larger = Larger.of(state.space, state.name) if early else None
        lenders = self._guides if len(state) < FEW else ()
        guides = [*lenders, *([larger] if larger is not None else [])]
        if known.sum() < 2:
            return guides
        agreement = [guide.agreement(state.genotypes[known], state.errors[known]) for guide in guides]
        to_beat = 0.0 if larger is None else max(agreement[-1], 0.0)
        return [
            guide
            for guide, found in zip(guides, agreement, strict=True)
            if found > to_beat or (guide is larger and found > 0)
        ]

    def _leading(self, state: TaskState, states: Sequence[TaskState]) -> list[TaskState]:
        """Sources that say where ``state`` looks now."""
        begun = np.isfinite(state.errors).any() and len(state) < self.lead
        if state.role != "target" or not begun or self._objectives.names != ("error",):
            return []
        return [
            other
            for other in states
            if other.role == "source" and np.isfinite(other.errors).sum() >= self.lead
        ]

    def _grow(
        self,
        state: TaskState,
        judge: Judge,
        narrowing: Narrowing | Guided | None,
        candidates: IntArray,
        chosen: IntArray,
    ) -> tuple[IntArray, FloatArray]:
        """Pool (P, V) of architectures not evaluated and not chosen yet, and their acquisition (P,)."""
        space = state.space
        parents = state.genotypes[state.parents[: self.elite]]
        start = [candidates, state.draw(self.random), space.neighbours(parents)]
        taken = set(space.identities(chosen).tolist())
        pool, scores = state.genotypes[:0], np.empty(0)
        expanded: set[int] = set()
        incoming = np.vstack(start)
        for _ in range(self.rounds + 1):
            incoming = state.unseen(incoming, taken)
            if narrowing is not None:
                admitted = incoming[narrowing.admits(incoming)]
                if len(pool) or len(admitted):
                    incoming = admitted
                else:  # the table has none of them
                    narrowing = None
            if not len(incoming):
                break
            pool = np.vstack([pool, incoming])
            scores = np.append(scores, judge.acquisition(incoming))
            best = np.argsort(-scores, kind="stable")[: self.elite].tolist()
            grown = [row for row in best if row not in expanded]
            if not grown:
                break
            expanded.update(grown)
            incoming = space.neighbours(pool[grown])
        return pool, scores


def _is_accuracy(task: Task | None) -> bool:
    """Whether larger networks may be better: not where what is minimised may well be their cost."""
    if task is None:
        return False
    return task.better[task.searched] == "higher" or task.units[task.searched] == "%"
