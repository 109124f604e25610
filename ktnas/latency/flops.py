"""Latency as a line over multiply-accumulates: the proxy that others are compared with."""

from dataclasses import dataclass, field

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.latency.base import LatencyModel
from ktnas.latency.nonnegative import NonNegativeFit


@dataclass
class FlopsModel(LatencyModel):
    """A constant and so many milliseconds per multiply-accumulate (see ``NonNegativeFit``).

    For spaces that build networks. The standard deviation is the spread of the relative errors.
    """

    _fitted_line: NonNegativeFit = field(init=False, repr=False)

    def _fit(self, genotypes: IntArray, latency: FloatArray) -> None:
        self._fitted_line = NonNegativeFit.of(self._macs(genotypes), latency)

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        return self._fitted_line.predict(self._macs(genotypes))

    def _macs(self, genotypes: IntArray) -> FloatArray:
        """Multiply-accumulates (N, 1)."""
        return network_totals(self.space, genotypes, self._task)[:, [TOTALS.index("macs")]]
