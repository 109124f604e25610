"""Extremely randomised trees over architectures and tasks."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

TREES = 200


@dataclass
class Trees:
    """Means of trees grown on resampled observations, tested on those that a tree has not seen.

    Geurts, Ernst and Wehenkel (2006), of scikit-learn. The task is one column per task beside the vector.

    Attributes:
        n_tasks: number of tasks.
        seed: of all randomness.
    """

    n_tasks: int
    seed: int
    _model: "ExtraTreesRegressor | None" = field(default=None, init=False, repr=False)
    _missed: float = field(default=0.0, init=False, repr=False)
    _held_out: FloatArray = field(init=False, repr=False)

    def fit(self, vectors: FloatArray, tasks: IntArray, values: FloatArray) -> Self:
        """Grow on vectors (N, D), tasks (N,) and standardised values (N,), N ≥ 2."""
        from sklearn.ensemble import ExtraTreesRegressor

        self._model = ExtraTreesRegressor(TREES, bootstrap=True, random_state=self.seed)
        inputs = self._inputs(vectors, tasks)
        self._model.fit(inputs, values)
        shares = np.zeros((2, len(values)))
        for tree, rows in zip(self._model.estimators_, self._model.estimators_samples_, strict=True):
            unseen = np.setdiff1d(np.arange(len(values)), rows)
            if len(unseen):
                shares += np.bincount(unseen, minlength=len(values)) * np.array([[1.0], [0.0]])
                shares[1, unseen] += tree.predict(inputs[unseen])
        self._held_out = np.where(shares[0] > 0, shares[1] / np.maximum(shares[0], 1), 0.0)
        self._missed = float(np.mean((values - self._held_out) ** 2))
        return self

    def held_out(self) -> FloatArray:
        """Prediction (N,) of each observation by the trees without it; 0, the mean, where there is none."""
        return self._held_out

    def predict(self, vectors: FloatArray, task: int) -> tuple[FloatArray, FloatArray]:
        """Mean (N,) and standard deviation (N,) of an observation: between trees, and what they miss."""
        assert self._model is not None
        if not len(vectors):
            return np.empty(0), np.empty(0)
        inputs = self._inputs(vectors, np.full(len(vectors), task)).astype(np.float32)
        each = np.array([tree.predict(inputs) for tree in self._model.estimators_])
        return each.mean(axis=0), np.sqrt(each.var(axis=0) / 2 + self._missed / 2 + 1e-9)

    def _inputs(self, vectors: FloatArray, tasks: IntArray) -> FloatArray:
        return (
            np.hstack([vectors, tasks[:, None] == np.arange(self.n_tasks)]) if self.n_tasks > 1 else vectors
        )
