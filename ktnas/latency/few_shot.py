"""Latency on a new device from a handful of measurements."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.latency.additive import AdditiveProcess
from ktnas.latency.base import DeviceLatencies, LatencyModel
from ktnas.latency.few_shot_features import SpaceFeatures, space_features
from ktnas.latency.few_shot_known import KnownDevices, unwarp, warp
from ktnas.latency.grouped_linear import GroupedLinear
from ktnas.space.base import SearchSpace

VARIANCES = {
    "totals": 1.0,
    "curved": 0.3,
    "pruned": 0.1,
    "counts": 0.03,
    "places": 0.03,
    "live_counts": 0.01,
    "live_places": 0.01,
    "shape": 0.03,
    "devices": 1.0,
    "elsewhere": 0.3,
}
BLOCK = 4096
SMALLEST = 0.5


@dataclass
class FewShot(LatencyModel):
    """A Gaussian process with a linear kernel for each group of features, and heavy-tailed noise.

    The features are what the networks come to and what they are made of (``SpaceFeatures``), and what other
    devices are known to take, in the same space or in another one (``KnownDevices``). How much each group
    explains is learned from the measurements (``GroupedLinear``); before them, what is bigger is expected to
    be slower. ``choose`` picks the architectures of which that knowledge is least certain, one after the
    other.

    Latencies are modelled as 4 log(4 + latency / median). What is predicted is the median; the standard
    deviation is that of the model at this point, in ms. Where the model would go below half of the smallest
    measurement, the prediction falls off exponentially and stays positive, in the same order.

    With many measurements no prior matters much and the interplay of operations does: ``AdditiveProcess``
    takes over where it is better.

    After Akhauri and Abdelfattah, "Multi-Predict: Few Shot Predictors For Efficient Neural Architecture
    Search", AutoML-Conf 2023, in what is given and asked for; the model is another one.

    Attributes:
        noise: prior median of the variance of the noise, that of the measurements being 1.
        freedom: degrees of freedom of the noise's t distribution: the fewer, the less odd values count.
        slower: how much bigger networks are expected to be slower, in standard deviations for one.
        alike: how much latencies are expected to follow what the totals cost in another space, likewise.
        many: measurements from which ``AdditiveProcess`` takes over where it predicts a held-out quarter of
            them better; 0 for never.
    """

    noise: float = 1.0
    freedom: float = 4.0
    slower: float = 0.3
    alike: float = 0.7
    many: int = 100
    _features: SpaceFeatures | None = field(default=None, init=False, repr=False)
    _devices: KnownDevices | None = field(default=None, init=False, repr=False)
    _model: GroupedLinear = field(init=False, repr=False)
    _median: float = field(init=False, repr=False)
    _level: float = field(init=False, repr=False)
    _scale: float = field(init=False, repr=False)
    _least: float = field(init=False, repr=False)
    _successor: AdditiveProcess | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.noise > 0:
            raise UserError(f"noise={self.noise}: expected a variance above 0.")
        if not self.freedom > 2:
            raise UserError(f"freedom={self.freedom}: expected more than 2 degrees of freedom.")

    def prepare(
        self, space: SearchSpace, task: str, seed: int, known: Sequence[DeviceLatencies] = ()
    ) -> Self:
        """As in ``LatencyModel``; what is ``known`` of other devices is used."""
        self._features, self._devices = None, None
        return super().prepare(space, task, seed, known)

    def choose(self, pool: IntArray, n: int) -> IntArray:
        """As in ``LatencyModel``: those of which the model is least certain; ``seed`` plays no part."""
        return self._linear().choose(self._columns(pool), min(n, len(pool)))

    def _fit(self, genotypes: IntArray, latency: FloatArray) -> None:
        self._successor = None
        if 0 < self.many <= len(latency) and self._is_outdone(genotypes, latency):
            self._successor = self._additive().fit(genotypes, latency)
            return
        columns = self._columns(genotypes)
        self._median = float(np.median(latency))
        self._least = float(SMALLEST * latency.min())
        warped = warp(latency / self._median)
        self._level, self._scale = float(warped.mean()), float(warped.std())
        self._model = self._linear().fit(columns, (warped - self._level) / self._scale, self._centre)

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        if self._successor is not None:
            return self._successor.predict(genotypes, return_std=True)
        starts = range(0, len(genotypes), BLOCK)
        parts = [self._model.predict(self._columns(genotypes[at : at + BLOCK])) for at in starts]
        mean, variance = (np.concatenate(part) for part in zip(*parts, strict=True))
        relative, slope = unwarp(self._level + self._scale * mean)
        latency = self._median * relative
        below = np.minimum(latency / self._least - 1, 0)
        latency = np.where(below < 0, self._least * np.exp(below), latency)
        return latency, self._median * slope * self._scale * np.sqrt(variance)

    def _additive(self) -> AdditiveProcess:
        return AdditiveProcess().prepare(self.space, self._task, self._seed)

    def _is_outdone(self, genotypes: IntArray, latency: FloatArray) -> bool:
        """Whether the additive process predicts a random quarter better from the others."""
        order = np.random.default_rng(self._seed).permutation(len(latency))
        out, kept = np.split(order, [len(order) // 4])
        if (latency[kept] == latency[kept[0]]).all():
            return False
        own = replace(self, many=0).prepare(self.space, self._task, self._seed, self._known)
        models = [own, self._additive()]
        predicted = [model.fit(genotypes[kept], latency[kept]).predict(genotypes[out]) for model in models]
        missed = [float(np.abs(np.log(mean / latency[out])).mean()) for mean in predicted]
        return missed[1] < missed[0]

    def _linear(self) -> GroupedLinear:
        features, devices = self._knowledge()
        groups, start = features.groups, features.dim
        for name, width in devices.widths.items():
            groups[name] = slice(start, start + width)
            start += width
        variances = [VARIANCES[name] for name in groups]
        return GroupedLinear(list(groups.values()), variances, self.noise, freedom=self.freedom)

    @property
    def _centre(self) -> FloatArray:
        """Prior mean (F,) of the weights: what other spaces say, failing that what is bigger is slower."""
        features, devices = self._knowledge()
        if devices.elsewhere.any():
            return np.concatenate([np.zeros(features.dim), self.alike * devices.elsewhere])
        return np.concatenate([self.slower * features.bigger, devices.elsewhere])

    def _columns(self, genotypes: IntArray) -> FloatArray:
        """Features (N, F) of genotypes (N, V)."""
        features, devices = self._knowledge()
        columns = features.features.get(genotypes)
        return np.hstack([columns, devices.transform(genotypes, columns)])

    def _knowledge(self) -> tuple[SpaceFeatures, KnownDevices]:
        if self._features is None or self._devices is None:
            self._features = space_features(self.space, self._task)
            self._devices = KnownDevices(self._features, self._known)
        return self._features, self._devices
