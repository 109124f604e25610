"""What other devices take, as columns for architectures of the space at hand."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.latency.base import LEAST, DeviceLatencies
from ktnas.latency.few_shot_features import SpaceFeatures, Standard
from ktnas.latency.nonnegative import NonNegativeFit

OFFSET = 4.0
SHRINKAGE = 1.0
ADDITIVE = [column for column, name in enumerate(TOTALS) if name not in ("blocks", "group_convolutions")]


def warp(relative: FloatArray) -> FloatArray:
    """Latencies divided by their median, bent a little: 4 log(4 + r), nearly linear around 1."""
    return np.asarray(OFFSET * np.log(OFFSET + relative))


def unwarp(warped: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The inverse of ``warp``, below 0 for very small numbers, and its slope."""
    powers = np.exp(warped / OFFSET)
    return powers - OFFSET, powers / OFFSET


class KnownDevices:
    """Columns that other devices' latencies give.

    A device measured in the same space is a ridge regression on the space's features: what it takes for any
    architecture, without the noise of its measurements. One measured in another space with networks is what
    its time per unit of the totals there comes to here.

    Args:
        features: of the space at hand.
        known: latencies of other devices; a device with fewer than 3 of them is left out.
    """

    def __init__(self, features: SpaceFeatures, known: Sequence[DeviceLatencies]) -> None:
        self._features = features
        same = [table for table in known if table.space.name == features.space.name]
        other = [table for table in known if table.space.name != features.space.name]
        self._weights = [weights for table in same for weights in _regressions(features, table)]
        self._costs = [cost for table in other for cost in _costs(table, features.task)]
        self._scales: dict[str, Standard] = {}
        self._scales = {
            name: Standard.of(block, alike=True)
            for name, block in self._blocks(features.sample, features.transform(features.sample)).items()
        }

    @property
    def widths(self) -> dict[str, int]:
        """Number of columns of each group: ``devices`` of the same space, and ``elsewhere``."""
        return {name: len(scale.mean) for name, scale in self._scales.items()}

    @cached_property
    def elsewhere(self) -> FloatArray:
        """Weights (C,) that make a column of variance 1 of the mean of ``elsewhere``; 0 without it."""
        weights = np.repeat([float(name == "elsewhere") for name in self.widths], list(self.widths.values()))
        if self._costs:
            sample = self._features.sample
            weights /= (self.transform(sample, self._features.transform(sample)) @ weights).std()
        return weights

    def transform(self, genotypes: IntArray, columns: FloatArray) -> FloatArray:
        """Columns (N, C) of genotypes (N, V), whose features are ``columns`` (N, F)."""
        blocks = self._blocks(genotypes, columns)
        scaled = [self._scales[name].apply(block) for name, block in blocks.items()]
        return np.hstack([np.empty((len(genotypes), 0)), *scaled])

    def _blocks(self, genotypes: IntArray, columns: FloatArray) -> dict[str, FloatArray]:
        blocks: dict[str, FloatArray] = {}
        if self._weights:
            blocks["devices"] = columns @ np.column_stack(self._weights)
        if self._costs:
            totals = network_totals(self._features.space, genotypes, self._features.task)[:, ADDITIVE]
            predicted = np.column_stack([cost.predict(totals)[0] for cost in self._costs])
            blocks["elsewhere"] = warp(predicted / np.median(predicted, axis=0))
        return blocks


def _regressions(features: SpaceFeatures, table: DeviceLatencies) -> list[FloatArray]:
    """Weights (F,) of the features for each device."""
    columns = features.features.get(table.genotypes)
    found = []
    for latency in table.latency.T:
        seen = np.isfinite(latency)
        if seen.sum() < LEAST:
            continue
        values = warp(latency[seen] / np.median(latency[seen]))
        own = columns[seen] - columns[seen].mean(axis=0)
        precision = own.T @ own + SHRINKAGE * np.eye(own.shape[1])
        found.append(np.linalg.solve(precision, own.T @ (values - values.mean())))
    return found


def _costs(table: DeviceLatencies, task: str) -> list[NonNegativeFit]:
    """Milliseconds per unit of the totals for each device; none where the space builds no networks."""
    if not table.space.network:
        return []
    totals = network_totals(table.space, table.genotypes, task)[:, ADDITIVE]
    return [
        NonNegativeFit.of(totals[seen], latency[seen])
        for latency in table.latency.T
        if (seen := np.isfinite(latency)).sum() >= LEAST
    ]
