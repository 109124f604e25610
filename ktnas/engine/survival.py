"""Which evaluations are the parents of the next generation."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from ktnas.arrays import FloatArray, IntArray
from ktnas.engine.state import TaskState


class Survival(ABC):
    """Chooses parents. A plug-in: a dataclass whose fields are its parameters."""

    @abstractmethod
    def select(self, state: TaskState, size: int) -> IntArray:
        """Rows of the next parents (≤ size,), best first; failed evaluations never survive."""


@dataclass
class ElitistSurvival(Survival):
    """The best evaluations so far: by front, then by error. Those within the limits come first."""

    def select(self, state: TaskState, size: int) -> IntArray:
        """As in ``Survival``."""
        rows, fronts = sorted_fronts(state, size)
        return rows[np.lexsort((rows, state.errors[rows], fronts))][:size]


@dataclass
class NSGA2Survival(Survival):
    """The best evaluations so far: by front, then by crowding distance (Deb et al. 2002), as in pymoo."""

    def select(self, state: TaskState, size: int) -> IntArray:
        """As in ``Survival``."""
        from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

        rows, fronts = sorted_fronts(state, size)
        crowding = np.zeros(len(rows))
        for front in np.unique(fronts):
            members = fronts == front
            crowding[members] = calc_crowding_distance(state.F[rows[members]])
        return rows[np.lexsort((rows, state.errors[rows], -crowding, fronts))][:size]


@dataclass
class AgeSurvival(Survival):
    """The youngest evaluations, best first (regularized evolution, Real et al. 2019)."""

    def select(self, state: TaskState, size: int) -> IntArray:
        """As in ``Survival``."""
        alive = np.flatnonzero(np.isfinite(state.F).all(axis=1))[-size:]
        rows, fronts = sorted_fronts(state, size, alive)
        return rows[np.lexsort((rows, state.errors[rows], fronts))]


def sorted_fronts(state: TaskState, size: int, among: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Rows in the first fronts that together hold ``size`` of them, and the front of each.

    Rows that exceed a limit follow all that do not, by how far they exceed it.
    """
    F = state.F
    rows = np.flatnonzero(np.isfinite(F).all(axis=1)) if among is None else among
    violation = state.violation[rows]
    kept, broken = rows[violation == 0], rows[violation > 0]
    found, numbers = _fronts(F[kept], size)
    excess, order = np.unique(violation[violation > 0], return_inverse=True)
    numbers_broken = len(kept) + order if len(excess) else np.empty(0, dtype=np.int64)
    return np.concatenate([kept[found], broken]), np.concatenate([numbers, numbers_broken])


def _fronts(F: FloatArray, size: int) -> tuple[IntArray, IntArray]:
    if not len(F):
        empty = np.empty(0, dtype=np.int64)
        return empty, empty
    fronts = NonDominatedSorting().do(F, n_stop_if_ranked=min(size, len(F)))
    return (
        np.concatenate(fronts).astype(np.int64),
        np.repeat(np.arange(len(fronts)), [len(front) for front in fronts]),
    )
