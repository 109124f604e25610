"""Screening by what surrogates expect of a pool that evolution has bred on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ktnas import registry
from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.engine.judge import Judge
from ktnas.engine.objectives import Objectives
from ktnas.engine.screen import Screen
from ktnas.engine.state import TaskState
from ktnas.surrogate.base import Surrogate


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

    Attributes:
        random: random architectures in the pool.
        elite: members whose neighbours join the pool in each round.
        rounds: of growing, at most.
        samples: quasi-random samples behind an expected hypervolume improvement, a power of 2.
    """

    random: int = 256
    elite: int = 6
    rounds: int = 6
    samples: int = 32
    _objectives: Objectives = field(init=False, repr=False)
    _surrogates: dict[str, Surrogate] = field(default_factory=dict, init=False, repr=False)

    def prepare(
        self, objectives: Objectives, encoding: Encoding, surrogate: dict[str, Any], n_tasks: int, seed: int
    ) -> None:
        """As in ``Screen``; one surrogate per column."""
        self._objectives = objectives
        columns = dict.fromkeys((*objectives.names, *objectives.limits))
        self._surrogates = {
            column: registry.build("surrogate", surrogate).prepare(encoding, n_tasks, seed)
            for column in columns
        }

    def informed(self, state: TaskState, states: Sequence[TaskState]) -> bool:
        """Whether any task has two successful evaluations."""
        return max((np.isfinite(other.errors).sum() for other in states), default=0) >= 2

    def choose(self, state: TaskState, states: Sequence[TaskState], candidates: IntArray, n: int) -> IntArray:
        """As in ``Screen``: the best of the pool, one after the other when ``n`` > 1."""
        judge = self._learn(state, states)
        chosen = state.genotypes[:0]
        for _ in range(n):
            pool, scores = self._grow(state, judge, candidates, chosen)
            if not len(pool):
                break
            best = pool[[int(np.argmax(scores))]]
            chosen = np.vstack([chosen, best])
            if len(chosen) < n:
                judge.believe(best)
        return chosen

    def _learn(self, state: TaskState, states: Sequence[TaskState]) -> Judge:
        free = () if state.task is None else self._objectives.free(state.task)
        judge = Judge(state, self._objectives, free, self._surrogates, self.samples)
        judge.observe(states)
        return judge

    def _grow(
        self, state: TaskState, judge: Judge, candidates: IntArray, chosen: IntArray
    ) -> tuple[IntArray, FloatArray]:
        """Pool (P, V) of architectures not evaluated and not chosen yet, and their acquisition (P,)."""
        space = state.space
        parents = state.genotypes[state.parents[: self.elite]]
        start = [candidates, state.draw(self.random), *(space.neighbours(parent) for parent in parents)]
        taken = set(space.identities(chosen).tolist())
        pool, scores = state.genotypes[:0], np.empty(0)
        expanded: set[int] = set()
        incoming = np.vstack(start)
        for _ in range(self.rounds + 1):
            incoming = incoming[state.fresh(incoming)]
            identities = space.identities(incoming).tolist()
            incoming = incoming[[identity not in taken for identity in identities]]
            taken.update(identities)
            if not len(incoming):
                break
            pool = np.vstack([pool, incoming])
            scores = np.append(scores, judge.acquisition(incoming))
            best = np.argsort(-scores, kind="stable")[: self.elite].tolist()
            grown = [row for row in best if row not in expanded]
            if not grown:
                break
            expanded.update(grown)
            incoming = np.vstack([space.neighbours(pool[row]) for row in grown])
        return pool, scores
