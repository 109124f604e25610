"""The evolutionary loop: one generation of one task can be read in ``Search.generation``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ktnas.arrays import BoolArray, IntArray
from ktnas.engine.config import VariationConfig
from ktnas.engine.evaluator import Evaluator
from ktnas.engine.screen import Screen
from ktnas.engine.state import TaskState
from ktnas.engine.survival import Survival
from ktnas.engine.variation import Brood, breed
from ktnas.transfer.base import Candidates, Transfer


@dataclass
class Strategies:
    """The parts an algorithm is composed of.

    Attributes:
        transfer: which architectures move between tasks.
        screen: which candidates are evaluated.
        survival: which evaluations are parents.
        variation: how children are bred.
        population: parents per task.
        initial: random architectures a task starts from.
        batch: evaluations per task and generation asked of the screen.
    """

    transfer: Transfer
    screen: Screen
    survival: Survival
    variation: VariationConfig
    population: int
    initial: int
    batch: int


class Search:
    """A search of several tasks of one space at once.

    Args:
        states: of all tasks, in the order of their indices.
        strategies: the algorithm.
        evaluator: answers.
        until: task to the error at which it is done.
    """

    def __init__(
        self,
        states: Sequence[TaskState],
        strategies: Strategies,
        evaluator: Evaluator,
        until: dict[str, float],
    ) -> None:
        self.states = states
        self._with = strategies
        self._evaluator = evaluator
        self._until = until

    def run(self, states: Sequence[TaskState]) -> None:
        """Spend the budgets of ``states``, a generation of each in turn."""
        while active := [state for state in states if not self._done(state)]:
            for state in active:
                self.generation(state)

    def generation(self, state: TaskState) -> None:
        """Breed, move, screen, evaluate, survive, learn: one generation of one task."""
        parts = self._with
        if not len(state) and not parts.screen.informed(state, self.states):
            self._evaluate(state, state.draw(min(parts.initial, state.remaining)))
            return
        number, others = state.generation, self._parents_elsewhere(state)
        moved = others.take(parts.transfer.select(state.index, number, others, state.rng))
        pool = np.vstack([state.genotypes[state.parents], moved.genotypes])
        ranks = np.concatenate([np.arange(len(state.parents)), moved.ranks])
        brood = breed(state, pool, ranks, parts.variation) if len(pool) else Brood.empty(state.space)
        candidates = np.vstack([moved.genotypes, brood.genotypes])
        candidates = candidates[state.fresh(candidates)]
        chosen = parts.screen.choose(state, self.states, candidates, min(parts.batch, state.remaining))
        if not len(chosen):
            chosen = state.draw(min(max(parts.batch, 1), state.remaining))
        self._evaluate(state, chosen[: state.remaining])
        if len(moved):
            tried, success = self._outcome(state, brood, moved, len(pool) - len(moved))
            if tried.any():
                parts.transfer.feedback(
                    state.index, number, moved.take(np.flatnonzero(tried)), success[tried]
                )

    def _evaluate(self, state: TaskState, genotypes: IntArray) -> None:
        if not len(genotypes):
            state.exhausted = True
            return
        self._evaluator.evaluate(state, genotypes)
        self.survive(state)
        state.generation += 1

    def survive(self, state: TaskState) -> None:
        """Choose the parents of ``state`` anew."""
        state.parents = self._with.survival.select(state, self._with.population)

    def _parents_elsewhere(self, state: TaskState) -> Candidates:
        others = [other for other in self.states if other is not state and len(other.parents)]
        empty = np.empty(0, dtype=np.int64)
        genotypes = [state.genotypes[:0], *(other.genotypes[other.parents] for other in others)]
        return Candidates(
            np.vstack(genotypes),
            np.concatenate([empty, *(np.full(len(other.parents), other.index) for other in others)]),
            np.concatenate([empty, *(np.arange(len(other.parents)) for other in others)]),
        )

    def _outcome(
        self, state: TaskState, brood: Brood, moved: Candidates, n_parents: int
    ) -> tuple[BoolArray, BoolArray]:
        """What became of the moved architectures, which follow ``n_parents`` in the breeding pool.

        Returns:
            (n_moved,) masks: evaluated, or parent of a child that was (all of them without a screen); and
            parent of a child in the top share of the new parents.
        """
        n_top = max(1, int(np.ceil(self._with.transfer.top * self._with.population)))
        top = set(state.space.identities(state.genotypes[state.parents[:n_top]]).tolist())
        children = state.space.identities(brood.genotypes).tolist()
        good = np.array([child in top for child in children], dtype=np.bool_)
        fathers, rows = brood.lineage - n_parents, np.arange(len(moved))
        tried = state.known(moved.genotypes) | np.isin(rows, fathers[state.known(brood.genotypes)])
        return tried, np.isin(rows, fathers[good])

    def _done(self, state: TaskState) -> bool:
        target = self._until.get(state.name)
        reached = target is not None and bool((state.errors <= target).any())
        return reached or state.remaining == 0
