"""From scores that only order architectures to values with a standard deviation."""

from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray

PRIOR = 2.0
"""Observations that what is known of all tasks counts for in one task."""

LEAST_SLOPE = 0.05
"""Share of the slope of a perfect fit that is always left, lest scores that mean little lose their order."""

NOISE = 0.5
"""Share of the squared error that no agreement of members takes away."""


@dataclass(frozen=True)
class Calibration:
    """Values are linear in scores, task by task; tasks with few observations borrow from all.

    Attributes:
        levels: (T,) mean value of each task; of all values where a task has none.
        slopes: (T,) value per score, positive.
        errors: (T,) squared error of a value.
    """

    levels: FloatArray
    slopes: FloatArray
    errors: FloatArray

    @classmethod
    def of(cls, scores: FloatArray, tasks: IntArray, values: FloatArray, n_tasks: int) -> Self:
        """Least squares per task, drawn towards that of all tasks, which is drawn towards a flat line.

        Args:
            scores: (N,) of what was observed, higher for greater values, centred per task; best from a model
                that has not seen the observation, since the errors are then those of new architectures.
            tasks: (N,) int64.
            values: (N,), N ≥ 1.
            n_tasks: number of tasks T.
        """
        counts = np.bincount(tasks, minlength=n_tasks)
        sums = np.bincount(tasks, weights=values, minlength=n_tasks)
        levels = np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())
        centred = values - levels[tasks]
        spread = spread_of(centred)
        common = float(scores @ scores) / len(scores)
        products = np.bincount(tasks, weights=scores * centred, minlength=n_tasks)
        squares = np.bincount(tasks, weights=scores**2, minlength=n_tasks)
        least = LEAST_SLOPE * float(centred.std()) / np.sqrt(common) if common > 0 else 0.0
        if common > 0:
            slope = max(float(products.sum()) / (common * (len(scores) + PRIOR)), least)
            slopes = np.maximum((products + PRIOR * common * slope) / (squares + PRIOR * common), least)
        else:
            slopes = np.zeros(n_tasks)
        missed = (centred - slopes[tasks] * scores) ** 2
        error = (missed.sum() + PRIOR * spread**2) / (len(missed) + PRIOR)
        errors = (np.bincount(tasks, weights=missed, minlength=n_tasks) + PRIOR * error) / (counts + PRIOR)
        return cls(levels, slopes, errors)

    def mean(self, scores: FloatArray, task: int) -> FloatArray:
        """Values (N,) of centred scores (N,)."""
        return np.asarray(self.levels[task] + self.slopes[task] * scores)

    def deviation(self, doubt: FloatArray, task: int) -> FloatArray:
        """Standard deviations (N,) of observations.

        Args:
            doubt: (N,) how much members disagree, squared, as a multiple of what is usual.
            task: its index.
        """
        return np.asarray(np.sqrt(self.errors[task] * (NOISE + (1 - NOISE) * doubt)))

    def state(self) -> dict[str, FloatArray]:
        """Its arrays by name."""
        return asdict(self)

    @classmethod
    def names(cls) -> list[str]:
        """Names of its arrays."""
        return [item.name for item in fields(cls)]


def spread_of(values: NDArray[np.float64]) -> float:
    """Standard deviation of values (N,); 1 where they are all equal."""
    spread = float(values.std())
    return spread if spread > 1e-12 else 1.0
