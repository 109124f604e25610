"""What values are standardised with: a level for each task, one scale for all."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Levels:
    """Mean of each task's values and the spread around the means.

    Attributes:
        levels: (T,); a task without a value has the mean of all values.
        scale: standard deviation of all values around their task's level; 1 where they are all equal.
    """

    levels: FloatArray
    scale: float

    @classmethod
    def of(cls, tasks: IntArray, values: FloatArray, n_tasks: int) -> Self:
        """Levels of values (N,), N ≥ 1, of ``tasks`` (N,) in ``[0, n_tasks)``."""
        counts = np.bincount(tasks, minlength=n_tasks)
        sums = np.bincount(tasks, weights=values, minlength=n_tasks)
        levels = np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())
        spread = float((values - levels[tasks]).std())
        return cls(levels, spread if spread > 1e-12 else 1.0)

    def standardise(self, tasks: IntArray, values: FloatArray) -> FloatArray:
        """Values (N,) without level and scale, to 9 decimals: the unit of the values leaves no trace."""
        return np.asarray(((values - self.levels[tasks]) / self.scale).round(9))
