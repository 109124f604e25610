"""Linear models of latency in which nothing makes a network faster."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from ktnas.arrays import FloatArray

ROUNDS = 10
FINEST = 0.01
LEAST_SPREAD = 1e-3
LEAST_SHARE = 0.1
RIDGE = 1e-2


@dataclass(frozen=True)
class NonNegativeFit:
    """Latency as a constant and a sum of columns with weights that are not negative.

    Least absolute errors, by least squares in ten rounds that weigh each measurement by the inverse of its
    last error, of a hundredth of the median at least. Weights are shrunk a little, so that columns that rise
    together share what they explain.

    Attributes:
        weights: (K + 1,) ms per unit of a column; the last is the constant.
        spread: error of a measurement relative to its prediction, as a standard deviation.
        least: ms below which nothing is predicted, a tenth of the smallest measurement.
    """

    weights: FloatArray
    spread: float
    least: float

    @classmethod
    def of(cls, columns: FloatArray, latency: FloatArray) -> "NonNegativeFit":
        """Fit to columns (N, K), not negative, and latency (N,) in ms."""
        n, k = columns.shape
        median = float(np.median(latency))
        units = np.append(np.maximum(columns.mean(axis=0), np.finfo(float).tiny), 1.0) / median
        scaled, values = np.column_stack([columns, np.ones(n)]) / units / median, latency / median
        shrink = np.sqrt(RIDGE / (k + 1)) * np.eye(k + 1)
        trust = np.ones(n)
        for _ in range(ROUNDS):
            rows = np.vstack([scaled * trust[:, None], shrink])
            weights, _ = nnls(rows, np.append(values * trust, np.zeros(k + 1)))
            missed = values - scaled @ weights
            trust = 1 / np.sqrt(np.maximum(np.abs(missed), FINEST))
        least = LEAST_SHARE * float(latency.min())
        freedom = max(n - int((weights > 0).sum()), 1)
        relative = missed / np.maximum(scaled @ weights, least / median)
        spread = max(float(np.sqrt((relative**2).sum() / freedom)), LEAST_SPREAD)
        return cls(weights / units, spread, least)

    def predict(self, columns: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (N,) in ms for columns (N, K)."""
        mean = np.maximum(columns @ self.weights[:-1] + self.weights[-1], self.least)
        return mean, self.spread * mean
