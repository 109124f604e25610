"""A device on which some architectures were measured: the others are predicted."""

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.device.base import Device
from ktnas.latency.base import LatencyModel
from ktnas.latency.measurements import Measurements


class MeasuredDevice(Device):
    """Measured latencies where there are some, and those of a model elsewhere, with their uncertainty.

    Args:
        measurements: of the device.
        model: prepared for their space; it is fitted to them here.
    """

    known = True
    metric = None
    certain = False

    def __init__(self, measurements: Measurements, model: LatencyModel) -> None:
        self.name = measurements.name
        self.measurements = measurements
        self._model = model.fit(measurements.genotypes, measurements.latency)
        identities = measurements.space.identities(measurements.genotypes)
        self._order = np.argsort(identities, kind="stable")
        self._identities = identities[self._order]

    @property
    def identity(self) -> str:
        """Name and short hash of the measurements."""
        return f"{self.name} ({self.measurements.digest})"

    def latency(self, genotypes: IntArray, task: str) -> FloatArray:
        """Latency (N,) in ms of genotypes (N, V), measured or predicted, the same for every task."""
        return self.predict(genotypes, task)[0]

    def predict(self, genotypes: IntArray, task: str) -> tuple[FloatArray, FloatArray]:
        """As in ``Device``."""
        rows = self._rows(genotypes)
        mean, std = self._model.predict(genotypes, return_std=True)
        return np.where(rows >= 0, self.measurements.latency[rows], mean), np.where(rows >= 0, 0.0, std)

    def _rows(self, genotypes: IntArray) -> IntArray:
        """Measurement (N,) of each genotype, -1 where there is none."""
        identities = self.measurements.space.identities(genotypes)
        position = np.minimum(np.searchsorted(self._identities, identities), len(self._identities) - 1)
        return np.where(self._identities[position] == identities, self._order[position], -1)
