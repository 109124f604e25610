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
    """The mean of trees, each grown without one part of the observations.

    Geurts, Ernst and Wehenkel (2006), of scikit-learn. The task is one column per task beside the vector.

    Attributes:
        n_tasks: number of tasks.
        seed: of all randomness.
    """

    n_tasks: int
    seed: int
    _forests: "list[ExtraTreesRegressor]" = field(default_factory=list, init=False, repr=False)
    _held_out: FloatArray = field(init=False, repr=False)
    _missed: float = field(default=0.0, init=False, repr=False)

    def fit(self, vectors: FloatArray, tasks: IntArray, values: FloatArray, part: IntArray) -> Self:
        """Grow on vectors (N, D), tasks (N,) and standardised values (N,) without each ``part`` in turn."""
        from sklearn.ensemble import ExtraTreesRegressor

        inputs = self._inputs(vectors, tasks)
        numbers = np.unique(part).tolist()
        self._held_out = np.empty(len(values))
        self._forests = []
        for number in numbers:
            seen = part != number
            forest = ExtraTreesRegressor(TREES // len(numbers), random_state=self.seed)
            self._forests.append(forest.fit(inputs[seen], values[seen]))
            self._held_out[~seen] = forest.predict(inputs[~seen])
        self._missed = float(np.mean((values - self._held_out) ** 2))
        return self

    def held_out(self) -> FloatArray:
        """Prediction (N,) of each observation by the trees without its part."""
        return self._held_out

    def predict(self, vectors: FloatArray, task: int) -> tuple[FloatArray, FloatArray]:
        """Mean (N,) and standard deviation (N,) of an observation: between trees, and what they miss."""
        if not len(vectors):
            return np.empty(0), np.empty(0)
        inputs = self._inputs(vectors, np.full(len(vectors), task)).astype(np.float32)
        each = np.array([tree.predict(inputs) for forest in self._forests for tree in forest.estimators_])
        return each.mean(axis=0), np.sqrt(each.var(axis=0) / 2 + self._missed / 2 + 1e-9)

    def _inputs(self, vectors: FloatArray, tasks: IntArray) -> FloatArray:
        return (
            np.hstack([vectors, tasks[:, None] == np.arange(self.n_tasks)]) if self.n_tasks > 1 else vectors
        )
