"""What the few-shot model knows of an architecture before anything is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.cell import CellFeatures
from ktnas.encoding.totals import TOTALS, network_totals, without_dead_ends
from ktnas.space.base import SearchSpace
from ktnas.space.chain import Chain

SAMPLE = 256
PLAIN = [column for column, name in enumerate(TOTALS) if not name.startswith("root_")]
ROOTS = [column for column, name in enumerate(TOTALS) if name.startswith("root_")]
ALIKE = ("totals", "pruned", "shape")
LEAST = 1e-6


@dataclass(frozen=True)
class Standard:
    """Columns on a common scale: mean 0 each, and together a mean square of 1 per row.

    Attributes:
        mean: (F,) of the columns.
        unit: (F,) what they are divided by; infinite for a column to leave out.
    """

    mean: FloatArray
    unit: FloatArray

    @classmethod
    def of(cls, columns: FloatArray, alike: bool) -> "Standard":
        """The scale of a sample (N, F); with ``alike`` each column gets the same variance."""
        mean, spread = columns.mean(axis=0), columns.std(axis=0)
        varies = spread > LEAST * np.maximum(np.abs(mean), 1e-300)
        unit = np.where(varies, spread if alike else 1.0, np.inf)
        size = np.sqrt((((columns - mean) / unit) ** 2).sum(axis=1).mean())
        return cls(mean, unit * (size if size > 0 else 1.0))

    def apply(self, columns: FloatArray) -> FloatArray:
        """Columns (N, F) on this scale."""
        scaled: FloatArray = (columns - self.mean) / self.unit
        return scaled


@dataclass(eq=False)
class SpaceFeatures(Encoding):
    """Groups of columns for the architectures of one space.

    - ``totals``: what the network comes to (``network_totals``), and ``curved``: what the sums of square
      roots tell beyond them, which is how far small layers are dearer than their share;
    - ``counts`` of each operation, and ``places``, the operation at each place;
    - ``pruned``, ``live_counts`` and ``live_places``: the same without operations that do not reach the
      output, where there can be such;
    - ``shape``: paths and depths of the pruned cell (``CellFeatures``), in spaces of cells.

    Their scales are those of 256 architectures, drawn once with a fixed seed.

    Attributes:
        task: what networks are built for.
        sample: those 256 architectures (256, V).
    """

    task: str
    sample: IntArray = field(init=False, repr=False)
    _groups: dict[str, slice] = field(default_factory=dict, init=False, repr=False)
    _dead_ends: bool = field(init=False, repr=False)
    _cell: CellFeatures | None = field(default=None, init=False, repr=False)
    _unit: FloatArray = field(init=False, repr=False)
    _curve: FloatArray = field(init=False, repr=False)
    _root_unit: FloatArray = field(init=False, repr=False)
    _scales: dict[str, Standard] = field(default_factory=dict, init=False, repr=False)

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Bind ``space`` and learn the scales of its groups; ``seed`` plays no part."""
        super().fit(space, seed)
        self._groups, self._scales = {}, {}
        self.sample = self.space.sample(SAMPLE, np.random.default_rng(0))
        self._dead_ends = not np.array_equal(without_dead_ends(self.space, self.sample), self.sample)
        if not isinstance(self.space, Chain):
            self._cell = CellFeatures().fit(self.space, 0)
        if self.space.network:
            totals = network_totals(self.space, self.sample, self.task)
            explained = np.column_stack([totals[:, PLAIN], np.ones(len(totals))])
            self._unit = np.maximum(np.abs(explained).max(axis=0), 1.0)
            curve = np.linalg.lstsq(explained / self._unit, totals[:, ROOTS], rcond=None)[0]
            self._curve = np.asarray(curve, dtype=np.float64)
            missed, spread = self._bend(totals).std(axis=0), totals[:, ROOTS].std(axis=0)
            self._root_unit = np.where(missed > LEAST * spread, spread, np.inf)
        start = 0
        for name, block in self._blocks(self.sample).items():
            self._scales[name] = Standard.of(block, alike=name in ALIKE)
            self._groups[name] = slice(start, start + block.shape[1])
            start += block.shape[1]
        return self

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Columns (N, F) of genotypes (N, V)."""
        blocks = self._blocks(self.checked(genotypes))
        return np.hstack([self._scales[name].apply(block) for name, block in blocks.items()])

    @property
    def dim(self) -> int:
        """Number of columns F."""
        return int(max(part.stop for part in self._groups.values()))

    @property
    def groups(self) -> dict[str, slice]:
        """Columns of each group that the space has."""
        return dict(self._groups)

    @cached_property
    def bigger(self) -> FloatArray:
        """Weights (F,) that make a column of variance 1 of the totals' mean; 0 without totals."""
        weights = np.zeros(self.dim)
        if "totals" in self._groups:
            weights[self._groups["totals"]] = 1.0
            weights /= (self.transform(self.sample) @ weights).std()
        return weights

    def _blocks(self, genotypes: IntArray) -> Mapping[str, FloatArray]:
        blocks: dict[str, FloatArray] = {}
        if self.space.network:
            totals = network_totals(self.space, genotypes, self.task)
            blocks["totals"] = totals[:, PLAIN]
            blocks["curved"] = self._bend(totals) / self._root_unit
            if self._dead_ends:
                blocks["pruned"] = network_totals(self.space, genotypes, self.task, pruned=True)[:, PLAIN]
        blocks["counts"], blocks["places"] = self._operations(genotypes)
        if self._dead_ends:
            live = without_dead_ends(self.space, genotypes)
            blocks["live_counts"], blocks["live_places"] = self._operations(live)
        if self._cell is not None:
            blocks["shape"] = self._cell.transform(genotypes)[:, self._cell.groups["shape"]]
        return blocks

    def _operations(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        """How often each operation occurs (N, O), and which one is at each place (N, places times O)."""
        operations = self.space.graphs(genotypes).operations[:, 1:-1]
        places = (operations[:, :, None] == np.arange(2, len(self.space.vocabulary))).astype(np.float64)
        return places.sum(axis=1), places.reshape(len(genotypes), places.shape[1] * places.shape[2])

    def _bend(self, totals: FloatArray) -> FloatArray:
        """What sums of roots (N, R) hold beyond a linear function of the other ``totals`` (N, K)."""
        explained = np.column_stack([totals[:, PLAIN], np.ones(len(totals))]) / self._unit
        return np.asarray(totals[:, ROOTS] - explained @ self._curve)


@lru_cache(maxsize=8)
def space_features(space: SearchSpace, task: str) -> SpaceFeatures:
    """The features of a space, whose scales are learned once per process."""
    return SpaceFeatures(task).fit(space, 0)
