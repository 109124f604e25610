"""Which parents of the other tasks join a task's population for one generation."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np

from ktnas.arrays import BoolArray, IntArray, Rng
from ktnas.encoding.base import Encoding, FeatureStore
from ktnas.errors import UserError


@dataclass(frozen=True)
class Candidates:
    """Architectures that may move to a task, or have moved: rows of three aligned arrays.

    An architecture that is a parent of two tasks stands here twice, once per task.

    Attributes:
        genotypes: (C, V) int64.
        tasks: (C,) int64, the index of the task whose parent each one is.
        ranks: (C,) int64, its place among the parents of that task, 0 the best.
    """

    genotypes: IntArray
    tasks: IntArray
    ranks: IntArray

    def __post_init__(self) -> None:
        if self.genotypes.ndim != 2:
            raise ValueError(f"genotypes must have shape (C, V), got {self.genotypes.shape}")
        for name, column in (("tasks", self.tasks), ("ranks", self.ranks)):
            if column.shape != (len(self.genotypes),):
                raise ValueError(f"{name} must have shape ({len(self.genotypes)},), got {column.shape}")

    def __len__(self) -> int:
        return len(self.genotypes)

    def take(self, indices: IntArray) -> Self:
        """The rows at ``indices``, in that order."""
        return type(self)(self.genotypes[indices], self.tasks[indices], self.ranks[indices])


class Transfer(ABC):
    """Picks the architectures that move between tasks. A plug-in: a dataclass whose fields are its
    parameters.

    Once per generation and target task the engine calls ``select``, breeds from the parents and the moved
    architectures together, and after survival calls ``feedback`` with what became of them. A skipped transfer
    (empty selection) needs no ``feedback``. An instance belongs to one search.

    Attributes:
        top: share of the next population in which a child counts as a success of its moved parent (KTNAS's
            r); the engine reads it.
    """

    top: float = 0.2
    _features: FeatureStore | None = None

    def prepare(self, encoding: Encoding, n_tasks: int) -> None:
        """Start a search of ``n_tasks`` tasks, whose architectures the fitted ``encoding`` compares."""
        self._features = encoding.features

    @property
    def features(self) -> FeatureStore:
        """Vectors of architectures; ``RuntimeError`` before ``prepare``."""
        if self._features is None:
            raise RuntimeError(f"{type(self).__name__}.prepare(encoding, n_tasks) must come first")
        return self._features

    @abstractmethod
    def select(self, target: int, generation: int, candidates: Candidates, rng: Rng) -> IntArray:
        """Rows of ``candidates`` that move to task ``target`` now.

        Args:
            target: index of the task that receives.
            generation: the target's generation, never falling from call to call.
            candidates: current parents of the other tasks; may be empty.
            rng: all randomness.

        Returns:
            Unique indices (≤ n,) int64, best first; empty to skip the transfer in this generation.
        """

    def feedback(  # noqa: B027 - most strategies learn nothing
        self, target: int, generation: int, moved: Candidates, success: BoolArray
    ) -> None:
        """Learn what became of the architectures ``moved`` to ``target`` in ``generation``; default: nothing.

        ``success`` (len(moved),) is True where at least one child of the moved architecture ranked within the
        top ``top`` share of the target's next population.
        """


NOTHING: IntArray = np.empty(0, dtype=np.int64)
NOTHING.flags.writeable = False


def best_ranked(ranks: IntArray, n: int, rng: Rng) -> IntArray:
    """Indices (min(n, C),) of the lowest ``ranks`` (C,), best first, equal ranks in random order."""
    shuffled = rng.permutation(len(ranks))
    return shuffled[np.argsort(ranks[shuffled], kind="stable")][:n]


def check_at_least_one(**parameters: int) -> None:
    """``UserError`` for the first transfer parameter below 1."""
    for name, value in parameters.items():
        if value < 1:
            raise UserError(f"transfer.{name}={value}: must be at least 1.")


def check_share(**parameters: float) -> None:
    """``UserError`` for the first transfer parameter outside [0, 1]."""
    for name, value in parameters.items():
        if not 0 <= value <= 1:
            raise UserError(f"transfer.{name}={value}: must lie between 0 and 1.")
