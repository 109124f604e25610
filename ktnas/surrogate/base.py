"""What every surrogate offers: a prediction with uncertainty of a value, over tasks."""

from abc import ABC, abstractmethod
from typing import Literal, Self, overload

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding, FeatureStore


class Surrogate(ABC):
    """Regression of values on (genotype, task). A plug-in: a dataclass whose fields are its parameters.

    An instance belongs to one search and one quantity. Values are in any unit; each task may have its own
    level; their spreads should be alike. Tasks are numbered from 0.
    """

    _features: FeatureStore | None = None
    _n_tasks: int = 1

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """Start a search of ``n_tasks`` tasks whose architectures the fitted ``encoding`` describes."""
        self._features = encoding.features
        self._n_tasks = n_tasks
        return self

    @property
    def features(self) -> FeatureStore:
        """Vectors of architectures; ``RuntimeError`` before ``prepare``."""
        if self._features is None:
            raise RuntimeError(f"{type(self).__name__}.prepare(encoding, n_tasks, seed) must come first")
        return self._features

    @abstractmethod
    def fit(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> Self:
        """Learn from observations.

        Args:
            genotypes: (N, V) int64; an architecture may be observed on several tasks.
            tasks: (N,) int64 in ``[0, n_tasks)``.
            values: (N,) finite; ``ValueError`` for NaN or infinity, which the caller leaves out.
        """

    @overload
    def predict(self, genotypes: IntArray, task: int, return_std: Literal[False] = ...) -> FloatArray: ...
    @overload
    def predict(
        self, genotypes: IntArray, task: int, return_std: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...
    @abstractmethod
    def predict(
        self, genotypes: IntArray, task: int, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Mean (N,) of the values on ``task`` and, on request, the standard deviation (N,) of an observation.

        A task without an observation of its own is predicted from the others, in their units. Without any
        observation the mean is 0 and the standard deviation 1.
        """
