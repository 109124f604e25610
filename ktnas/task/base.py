"""What an architecture is judged on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.errors import UserError, unknown
from ktnas.space import SearchSpace
from ktnas.task.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd

DIRECTIONS = ("higher", "lower")

__all__ = ["Outcome", "Task"]


class Task(ABC):
    """A question asked of architectures of one space, answered with metrics.

    Args:
        name: the task's name.
        space: the space of its architectures.
        metrics: names of the metrics an evaluation returns.
        searched: the metric that is searched, as the objective ``error``.
        reported: the metric that is only reported beside it (test for validation), or None.
        better: metric to ``higher`` or ``lower``; a metric not named is better higher.
        units: metric to unit; ``%`` makes ``error`` of a score ``100 - score``.
        free: metrics that may be consulted without an evaluation.

    Raises:
        UserError: a metric that is not among ``metrics``, a direction other than higher or lower.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        metrics: Sequence[str],
        *,
        searched: str,
        reported: str | None = None,
        better: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        free: Sequence[str] = (),
    ) -> None:
        better, units = better or {}, units or {}
        for metric in (searched, reported or searched, *free, *better, *units):
            if metric not in metrics:
                raise unknown(f"metric of task {name}:", metric, metrics)
        for metric, direction in better.items():
            if direction not in DIRECTIONS:
                raise UserError(
                    f"better={direction!r} for {metric} of task {name}, expected higher or lower."
                )
        self.name = name
        self.space = space
        self.metrics = tuple(metrics)
        self.searched = searched
        self.reported = reported
        self.better = {metric: better.get(metric, "higher") for metric in metrics}
        self.units = {metric: units.get(metric, "") for metric in metrics}
        self.free = tuple(free)

    @abstractmethod
    def universe(self) -> IntArray | None:
        """The architectures (R, V) that can be evaluated, each once; None where that is the whole space."""

    @abstractmethod
    def contains(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes (N, V) that can be evaluated."""

    @abstractmethod
    def look_up(self, genotypes: IntArray, metrics: Sequence[str]) -> FloatArray:
        """Metrics (N, len(metrics)) known without an evaluation, in natural units, NaN where unknown.

        A search asks for ``free`` metrics only; reports on tables ask for any.
        """

    @abstractmethod
    def table(self) -> "pd.DataFrame | None":
        """All metrics of every architecture, row by row of ``universe()``; None where unknowable."""

    @abstractmethod
    def evaluate(self, genotypes: IntArray) -> list[Outcome]:
        """One outcome per genotype (N, V), in order; a failing architecture has one that says so."""

    def stream(self, genotypes: IntArray) -> Iterator[list[tuple[int, Outcome]]]:
        """Outcomes of ``evaluate`` as they come, in batches of (row, outcome), every row once."""
        yield list(enumerate(self.evaluate(genotypes)))

    def error(self, values: Any) -> FloatArray:
        """Objective ``error``, minimised, of values of the searched metric; same shape, NaN stays NaN.

        ``100 - v`` for a score in %, ``-v`` for another score, ``v`` where lower is better.
        """
        scores: FloatArray = np.asarray(values, dtype=np.float64)
        if self.better[self.searched] == "lower":
            return scores
        return np.asarray(100 - scores if self.units[self.searched] == "%" else -scores)
