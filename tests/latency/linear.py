"""A model of latency as a user may add one: least squares on what is chosen."""

from dataclasses import dataclass

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.onehot import one_hot
from ktnas.latency.base import LatencyModel


@dataclass
class Linear(LatencyModel):
    """Ridge regression on one-hot vectors."""

    ridge: float = 0.01

    def _fit(self, genotypes: IntArray, latency: FloatArray) -> None:
        X = one_hot(genotypes, self.space.n_choices)
        self._level = latency.mean()
        self._weights = np.linalg.solve(
            X.T @ X + self.ridge * np.eye(X.shape[1]), X.T @ (latency - self._level)
        )
        self._std = float(np.std(latency - self._say(genotypes))) + 0.01 * self._level

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        return np.maximum(self._say(genotypes), 1e-3), np.full(len(genotypes), self._std)

    def _say(self, genotypes: IntArray) -> FloatArray:
        return np.asarray(self._level + one_hot(genotypes, self.space.n_choices) @ self._weights)
