"""What every surrogate offers: a prediction with uncertainty of a value, over tasks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding, FeatureStore
from ktnas.space.base import SearchSpace

State = dict[str, NDArray[Any]]
Progress = Callable[[int, int], None]
"""Is told the steps of training done and their number."""


class Surrogate(ABC):
    """Regression of values on (genotype, task). A plug-in: a dataclass whose fields are its parameters.

    An instance belongs to one search and one quantity. Values are in any unit, the smaller the better; each
    task may have its own level; their spreads should be alike. Tasks are numbered from 0. The same seed and
    calls give the same predictions to the digit on one machine.
    """

    _features: FeatureStore | None = None
    _n_tasks: int = 1
    _seed: int = 0
    _progress: Progress | None = None

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """Start a search of ``n_tasks`` tasks whose architectures the fitted ``encoding`` describes."""
        self._features = encoding.features
        self._n_tasks = n_tasks
        self._seed = seed
        return self

    def report_to(self, progress: Progress | None) -> Self:
        """Tell ``progress`` how training goes; a surrogate that fits at once says nothing."""
        self._progress = progress
        return self

    @property
    def features(self) -> FeatureStore:
        """Vectors of architectures; ``RuntimeError`` before ``prepare``."""
        if self._features is None:
            raise RuntimeError(f"{type(self).__name__}.prepare(encoding, n_tasks, seed) must come first")
        return self._features

    @property
    def space(self) -> SearchSpace:
        """The space of the architectures; ``RuntimeError`` before ``prepare``."""
        return self.features.encoding.space

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
    def predict(
        self, genotypes: IntArray, task: int, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Mean (N,) of the values on ``task`` and, on request, the standard deviation (N,) of an observation.

        A task without an observation of its own is predicted from the others, in their units. Without any
        observation the mean is 0 and the standard deviation 1.
        """
        known = self._predict(genotypes, task)
        mean, std = (np.zeros(len(genotypes)), np.ones(len(genotypes))) if known is None else known
        return (mean, std) if return_std else mean

    @abstractmethod
    def _predict(self, genotypes: IntArray, task: int) -> tuple[FloatArray, FloatArray] | None:
        """Mean (N,) and standard deviation (N,) of an observation; None before anything is known."""

    def rank(self, genotypes: IntArray, task: int) -> IntArray:
        """Places (N,) from 0 by predicted value, the smallest first; equal values in their order."""
        order = np.argsort(self.predict(genotypes, task), kind="stable")
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        return places

    def prefer(self, first: IntArray, second: IntArray, task: int) -> FloatArray:
        """How surely each of ``first`` (N, V) has a smaller value than its partner in ``second``, (N,).

        2 P - 1, in [-1, 1]: antisymmetric, 0 for an architecture beside itself. P is that of two independent
        normal values, unless a surrogate compares by itself.
        """
        mean, std = self.predict(np.vstack([first, second]), task, return_std=True)
        n = len(first)
        spread = np.sqrt(2 * (std[:n] ** 2 + std[n:] ** 2))
        return np.asarray(erf((mean[n:] - mean[:n]) / spread))

    @abstractmethod
    def state(self) -> State:
        """Arrays by name which, with the parameters, decide its predictions and how it learns on."""

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """Take a ``state`` of a surrogate with the same parameters, after ``prepare``; the inverse of it."""


def within(state: Mapping[str, NDArray[Any]], prefix: str) -> State:
    """The arrays whose names start with ``prefix``, named by what follows it."""
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
