"""The evolutionary loop: one generation of one task can be read in ``Search.generation``."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ktnas.arrays import BoolArray, IntArray
from ktnas.engine.config import VariationConfig
from ktnas.engine.evaluator import Evaluator
from ktnas.engine.generation import Generation
from ktnas.engine.screen import Screen
from ktnas.engine.state import TaskState
from ktnas.engine.survival import Survival
from ktnas.engine.variation import Brood, breed
from ktnas.task.pool import Pool
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
        pool: workers of which none shall wait for another, None to evaluate generation by generation.
    """

    def __init__(
        self,
        states: Sequence[TaskState],
        strategies: Strategies,
        evaluator: Evaluator,
        until: dict[str, float],
        pool: Pool | None = None,
    ) -> None:
        self.states = states
        self._with = strategies
        self._evaluator = evaluator
        self._until = until
        self._pool = pool

    def run(self, *phases: Sequence[TaskState]) -> None:
        """Spend the budgets of the states of each phase, a generation of each in turn.

        Without a pool a generation begins when the one before has been answered; with one as soon as all of
        the one before has been asked and a worker is free.
        """
        turns = chain.from_iterable(map(self._turns, phases))
        if self._pool is None:
            for state in turns:
                self.generation(state)
            return
        with closing(self._evaluator.flow(map(self._begin, turns), self._pool)) as answered:
            for generation in answered:
                self.survive(generation.state)
                if not generation.unanswered:
                    self._learn(generation)

    def generation(self, state: TaskState) -> None:
        """Choose, evaluate, survive, learn: one generation of one task."""
        generation = self._choose(state)
        self._evaluate(state, generation.chosen)
        self._learn(generation)

    def _turns(self, states: Sequence[TaskState]) -> Iterator[TaskState]:
        while active := [state for state in states if not self._done(state)]:
            for state in active:
                if not self._done(state):  # answers may have come since
                    yield state

    def _choose(self, state: TaskState) -> Generation:
        """Move, breed, screen: what the next generation asks, with what has been answered so far."""
        parts = self._with
        if not len(state) and not parts.screen.informed(state, self.states):
            return Generation.unbred(state, state.draw(min(parts.initial, state.remaining)))
        others = self._parents_elsewhere(state)
        moved = others.take(parts.transfer.select(state.index, state.generation, others, state.rng))
        pool = np.vstack([state.genotypes[state.parents], moved.genotypes])
        ranks = np.concatenate([np.arange(len(state.parents)), moved.ranks])
        brood = breed(state, pool, ranks, parts.variation) if len(pool) else Brood.empty(state.space)
        candidates = np.vstack([moved.genotypes, brood.genotypes])
        candidates = candidates[state.fresh(candidates)]
        chosen = parts.screen.choose(state, self.states, candidates, min(parts.batch, state.remaining))
        if not len(chosen):
            chosen = state.draw(min(max(parts.batch, 1), state.remaining))
        chosen = chosen[: state.remaining]
        return Generation(state, state.generation, chosen, brood, moved, len(state.parents))

    def _evaluate(self, state: TaskState, genotypes: IntArray) -> None:
        if not len(genotypes):
            state.exhausted = True
            return
        self._evaluator.evaluate(state, genotypes)
        self.survive(state)
        state.generation += 1

    def _begin(self, state: TaskState) -> Generation:
        """The next generation of a task, whose answers are awaited from now on."""
        generation = self._choose(state)
        state.exhausted = not len(generation.chosen)
        state.expect(generation.chosen)
        state.generation += 1
        return generation

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

    def _learn(self, generation: Generation) -> None:
        """Tell the transfer what became of what moved, once all of a generation has been answered."""
        moved = generation.moved
        if not len(moved):
            return
        tried, success = self._outcome(generation)
        if tried.any():
            self._with.transfer.feedback(
                generation.state.index,
                generation.number,
                moved.take(np.flatnonzero(tried)),
                success[tried],
            )

    def _outcome(self, generation: Generation) -> tuple[BoolArray, BoolArray]:
        """What became of the moved architectures.

        Returns:
            (n_moved,) masks: evaluated, or parent of a child that was (all of them without a screen); and
            parent of a child in the top share of the new parents.
        """
        state, brood, moved = generation.state, generation.brood, generation.moved
        n_top = max(1, int(np.ceil(self._with.transfer.top * self._with.population)))
        top = set(state.space.identities(state.genotypes[state.parents[:n_top]]).tolist())
        children = state.space.identities(brood.genotypes).tolist()
        good = np.array([child in top for child in children], dtype=np.bool_)
        fathers, rows = brood.lineage - generation.n_parents, np.arange(len(moved))
        tried = state.known(moved.genotypes) | np.isin(rows, fathers[state.known(brood.genotypes)])
        return tried, np.isin(rows, fathers[good])

    def _done(self, state: TaskState) -> bool:
        target = self._until.get(state.name)
        reached = target is not None and bool((state.errors <= target).any())
        return reached or state.remaining == 0
