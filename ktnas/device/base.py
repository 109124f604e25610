"""Where an architecture must be fast."""

from abc import ABC, abstractmethod

import numpy as np

from ktnas.arrays import FloatArray, IntArray


class Device(ABC):
    """A machine, and what is known of the latency of architectures on it.

    Attributes:
        name: the device's name.
        known: whether ``latency`` may be consulted free of budget; False where it is only known with an
            evaluation.
        metric: metric of an evaluation that holds the latency in ms, or None where ``latency`` does.
        certain: whether every latency was measured; False where ``latency`` may be a prediction.
    """

    name: str
    known: bool
    metric: str | None
    certain: bool = True

    @property
    def identity(self) -> str:
        """What latencies depend on: a run can be continued as long as it is the same."""
        return self.name

    @abstractmethod
    def latency(self, genotypes: IntArray, task: str) -> FloatArray:
        """Latency (N,) float64 in ms of genotypes (N, V) as networks for ``task``, NaN where unknown."""

    def predict(self, genotypes: IntArray, task: str) -> tuple[FloatArray, FloatArray]:
        """``latency`` and its standard deviation (N,) float64 in ms, 0 where it was measured."""
        return self.latency(genotypes, task), np.zeros(len(genotypes))
