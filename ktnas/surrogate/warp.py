"""Scales on which values are learned: what matters is stretched, what does not is drawn together."""

from dataclasses import dataclass

import numpy as np

from ktnas.arrays import FloatArray


@dataclass(frozen=True)
class GapWarp:
    """Stretches the best of a task's errors: z = log(1 + gap / h), the gap to the best so far.

    ``h`` is half the median of the positive gaps, so that the scale follows what has been seen. Below the
    best, where nothing has been seen, z = gap / h.
    """

    best: float
    half_width: float

    @classmethod
    def of(cls, errors: FloatArray) -> "GapWarp":
        """Warp of the finite errors (N,) of one task; N ≥ 1."""
        best = float(errors.min())
        gaps = errors[errors > best] - best
        return cls(best, 0.5 * float(np.median(gaps)) if len(gaps) else 1.0)

    def forward(self, errors: FloatArray) -> FloatArray:
        """Warped values of the same shape; 0 at the best."""
        gaps = (np.asarray(errors) - self.best) / self.half_width
        return np.where(gaps > 0, np.log1p(np.maximum(gaps, 0)), gaps)

    def inverse(self, warped: FloatArray) -> FloatArray:
        """Errors of warped values."""
        gaps = np.where(warped > 0, np.expm1(np.minimum(np.maximum(warped, 0), 50)), warped)
        return np.asarray(self.best + self.half_width * gaps)


@dataclass(frozen=True)
class LogWarp:
    """Logarithm, for positive quantities."""

    def forward(self, values: FloatArray) -> FloatArray:
        """Natural logarithm; values below 1e-12 count as that."""
        return np.asarray(np.log(np.maximum(values, 1e-12)))

    def inverse(self, warped: FloatArray) -> FloatArray:
        """Exponential."""
        return np.asarray(np.exp(np.clip(warped, -50, 50)))
