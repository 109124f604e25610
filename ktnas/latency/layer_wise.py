"""Latency as the sum of what the layers take."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.latency.base import LatencyModel
from ktnas.latency.layer_counts import layer_counter
from ktnas.latency.nonnegative import NonNegativeFit
from ktnas.tables.files import locate

SIGNATURE, LATENCY = "signature", "latency_ms"


@dataclass
class LayerWise(LatencyModel):
    """The layer-wise look-up table: every network takes what its layers take one after another.

    With ``operations``, each layer was timed alone on the device: a constant and a factor on the sum are
    fitted to the measured networks. Without, the latency of every different layer (type, configuration and
    input shape) is estimated from the measured networks; a layer that none of them has counts as nothing.
    Neither makes a network faster (see ``NonNegativeFit``). The standard deviation is the spread of the
    relative errors. For spaces that build networks.

    Attributes:
        operations: CSV file with columns ``signature`` and ``latency_ms``, as ``ktnas measure
            operations=true`` writes it; empty to estimate the layers' latencies.
    """

    operations: str = ""
    _measured: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _columns: tuple[str, ...] = field(default=(), init=False, repr=False)
    _sum: NonNegativeFit = field(init=False, repr=False)

    def _fit(self, genotypes: IntArray, latency: FloatArray) -> None:
        self._measured = _read(locate(self.operations)) if self.operations else {}
        self._columns, _ = layer_counter(self.space, self._task).count(genotypes)
        self._sum = NonNegativeFit.of(self._explaining(genotypes), latency)

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        return self._sum.predict(self._explaining(genotypes))

    def _explaining(self, genotypes: IntArray) -> FloatArray:
        """The sum (N, 1) of measured layers, or calls (N, S) of the layers of the measured networks."""
        signatures, counts = layer_counter(self.space, self._task).count(genotypes)
        if self.operations:
            return counts @ self._latencies(signatures, counts)[:, None]
        if signatures == self._columns:
            return counts
        place = {signature: number for number, signature in enumerate(signatures)}
        known = [place.get(signature, len(signatures)) for signature in self._columns]
        return np.pad(counts, ((0, 0), (0, 1)))[:, known]

    def _latencies(self, signatures: tuple[str, ...], counts: FloatArray) -> FloatArray:
        """Latency (S,) of each layer; 0 of those that are not called."""
        called = {signatures[number] for number in np.flatnonzero(counts.any(axis=0)).tolist()}
        if missing := sorted(called - self._measured.keys()):
            raise UserError(
                f"{self.operations} lacks {len(missing)} of the {len(called)} layers of these networks: "
                f"{missing[0]}. Measure the layers of this space and task: ktnas measure operations=true."
            )
        return np.array([self._measured.get(name, 0.0) for name in signatures])


def _read(path: Path) -> dict[str, float]:
    """Latency in ms of each layer that could be measured."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if missing := {SIGNATURE, LATENCY} - set(rows.fieldnames or ()):
            raise UserError(f"{path} has no column {' or '.join(sorted(missing))}: no file of layers.")
        try:
            return {row[SIGNATURE]: float(row[LATENCY]) for row in rows if row[LATENCY]}
        except ValueError as problem:
            raise UserError(f"{path}: {problem}. A latency is a number in ms.") from None
