"""Breeding: tournaments, crossover, mutation."""

from dataclasses import dataclass

import numpy as np

from ktnas.arrays import IntArray, Rng
from ktnas.engine.config import VariationConfig
from ktnas.engine.state import TaskState
from ktnas.space.base import SearchSpace

ATTEMPTS = 50


@dataclass(frozen=True)
class Brood:
    """Children and where they come from.

    Attributes:
        genotypes: (C, V) children.
        lineage: (C, 2) rows of the breeding pool; the second equals the first without crossover.
    """

    genotypes: IntArray
    lineage: IntArray

    @classmethod
    def empty(cls, space: SearchSpace) -> "Brood":
        """No children."""
        return cls(np.empty((0, space.n_variables), dtype=np.int64), np.empty((0, 2), dtype=np.int64))


def breed(state: TaskState, pool: IntArray, ranks: IntArray, config: VariationConfig) -> Brood:
    """Children of ``pool`` that can be evaluated and were not yet.

    Args:
        state: of the task they are for.
        pool: (P, V) parents and moved architectures.
        ranks: (P,) 0 the best; what tournaments compare.
        config: how.

    Returns:
        ``config.offspring`` distinct children; fewer where 50 rounds of breeding find no more.
    """
    brood = Brood.empty(state.space)
    for _ in range(ATTEMPTS):
        missing = config.offspring - len(brood.genotypes)
        if missing <= 0:
            break
        new = _litter(state, pool, ranks, config, missing)
        genotypes = np.vstack([brood.genotypes, new.genotypes])
        kept = state.fresh(genotypes)
        brood = Brood(genotypes[kept], np.vstack([brood.lineage, new.lineage])[kept])
    return brood


def _litter(state: TaskState, pool: IntArray, ranks: IntArray, config: VariationConfig, n: int) -> Brood:
    rng, space = state.rng, state.space
    first = _tournament(ranks, n, config.tournament, rng)
    second = np.where(rng.random(n) < config.crossover, _tournament(ranks, n, config.tournament, rng), first)
    children = pool[first].copy()
    crossed = first != second
    if crossed.any():
        children[crossed] = space.crossover(pool[first[crossed]], pool[second[crossed]], rng)
    mutated = rng.random(n) < config.mutation
    if mutated.any():
        children[mutated] = space.mutate(children[mutated], rng, config.mutation_rate)
    return Brood(_snap(state, children), np.column_stack([first, second]))


def _tournament(ranks: IntArray, n: int, size: int, rng: Rng) -> IntArray:
    """Winners (n,) of tournaments among ``size`` of the pool, all of it where it is smaller."""
    order = rng.random((n, len(ranks))).argsort(axis=1)[:, :size]
    winners: IntArray = order[np.arange(n), ranks[order].argmin(axis=1)]
    return winners


def _snap(state: TaskState, children: IntArray) -> IntArray:
    """Replace children that a table does not have by its nearest row (Hamming) that was not evaluated yet."""
    universe = state.universe
    if universe is None or state.task is None:
        return children
    absent = np.flatnonzero(~state.task.contains(children))
    if not len(absent):
        return children
    left = state.left()
    for child in absent.tolist() if len(left) else ():
        distance = (left != children[child]).sum(axis=1)
        children[child] = left[state.rng.choice(np.flatnonzero(distance == distance.min()))]
    return children
