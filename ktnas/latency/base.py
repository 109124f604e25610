"""What every model of latency offers: milliseconds with uncertainty, from measurements of one device."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, overload

import numpy as np

from ktnas.arrays import FloatArray, IntArray, check_genotypes
from ktnas.errors import UserError
from ktnas.space.base import SearchSpace

LEAST = 3


@dataclass(frozen=True, eq=False)
class DeviceLatencies:
    """Latencies of architectures of one space on other devices, known beforehand.

    Attributes:
        space: of the architectures; need not be the one a model predicts.
        genotypes: (M, V) int64.
        latency: (M, D) in ms, NaN where it was not measured.
        devices: names of the D devices.
    """

    space: SearchSpace
    genotypes: IntArray
    latency: FloatArray
    devices: tuple[str, ...]


class LatencyModel(ABC):
    """Latency on one device, learned from measurements. A plug-in: a dataclass whose fields are parameters.

    The same seed and calls give the same predictions to the digit on one machine. A prediction of a genotype
    does not depend on the rest of the batch.
    """

    _space: SearchSpace | None = None
    _task: str = ""
    _seed: int = 0
    _known: tuple[DeviceLatencies, ...] = ()
    _fitted: bool = False

    def prepare(
        self, space: SearchSpace, task: str, seed: int, known: Sequence[DeviceLatencies] = ()
    ) -> Self:
        """Start on a device of which nothing is known.

        Args:
            space: of the architectures.
            task: what their networks are built for, ``cifar10`` say.
            seed: of all randomness.
            known: what other devices are known to take; a model may leave it unused.
        """
        self._space = space
        self._task = task
        self._seed = seed
        self._known = tuple(known)
        self._fitted = False
        return self

    @property
    def space(self) -> SearchSpace:
        """The space of the architectures; ``RuntimeError`` before ``prepare``."""
        if self._space is None:
            raise RuntimeError(f"{type(self).__name__}.prepare(space, task, seed) must come first")
        return self._space

    def fit(self, genotypes: IntArray, latency: FloatArray) -> Self:
        """Learn from measurements of the device.

        Args:
            genotypes: (N, V) int64; an architecture may be measured more than once.
            latency: (N,) in ms.

        Raises:
            UserError: fewer than 3 measurements, or all of them equal.
            ValueError: a latency that is not finite and above 0, or another number of them.
        """
        genotypes = check_genotypes(genotypes, self.space.n_variables)
        latency = np.asarray(latency, dtype=np.float64)
        if latency.shape != (len(genotypes),):
            raise ValueError(f"latency must have shape ({len(genotypes)},), got {latency.shape}")
        if not (np.isfinite(latency) & (latency > 0)).all():
            raise ValueError("latencies must be finite and above 0 ms; leave failed measurements out")
        if len(latency) < LEAST:
            raise UserError(
                f"{len(latency)} measurements: a model of latency needs {LEAST} or more, better 20. "
                "Measure more architectures."
            )
        if (latency == latency[0]).all():
            raise UserError(
                f"All {len(latency)} latencies are {latency[0]:g} ms: nothing can be learned from them. "
                "Measure with a finer clock, or other architectures."
            )
        self._fit(genotypes, latency)
        self._fitted = True
        return self

    @overload
    def predict(self, genotypes: IntArray, return_std: Literal[False] = ...) -> FloatArray: ...
    @overload
    def predict(self, genotypes: IntArray, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    def predict(
        self, genotypes: IntArray, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Latency (N,) in ms, above 0, of genotypes (N, V); on request its standard deviation (N,).

        The standard deviation is that of a measurement: what the model does not know, and noise.
        ``RuntimeError`` before ``fit``.
        """
        if not self._fitted:
            raise RuntimeError(f"{type(self).__name__}.fit(genotypes, latency) must come first")
        genotypes = check_genotypes(genotypes, self.space.n_variables)
        mean, std = self._predict(genotypes) if len(genotypes) else (np.empty(0), np.empty(0))
        return (mean, std) if return_std else mean

    def choose(self, pool: IntArray, n: int) -> IntArray:
        """Rows (n,) int64 of ``pool`` (P, V) that are worth measuring on the device, the first ones first.

        After ``prepare``; before any measurement. At random unless a model knows better. All rows where
        ``n`` is at least P.
        """
        rng = np.random.default_rng(self._seed)
        return rng.permutation(len(pool))[:n].astype(np.int64)

    @abstractmethod
    def _fit(self, genotypes: IntArray, latency: FloatArray) -> None:
        """Learn from checked measurements (N, V) and (N,), forgetting earlier ones."""

    @abstractmethod
    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (N,) of one or more genotypes (N, V)."""
