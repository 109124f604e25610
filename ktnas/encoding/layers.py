"""What a chain has at its positions, smoothed along it: features that few observations can weigh."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.onehot import one_hot
from ktnas.encoding.totals import TOTALS, are_sums, network_totals
from ktnas.errors import UserError
from ktnas.network.task import network_task
from ktnas.space.base import SearchSpace
from ktnas.space.chain import Chain, Choice

SAMPLE = 2000
DISTANCE = 1 / 10


@dataclass
class LayerFeatures(Encoding):
    """Feature groups of chains: settings, what stands at each position, and the size of the network.

    - ``settings``: one column per setting of the whole network;
    - ``present``: which positions are there, where chains may be shorter;
    - a group per factor (``ks``, ``e``), or ``operations`` where there are none: what is chosen at each
      position that is there;
    - ``size``: logarithms of the parameters and multiply-accumulates, of spaces whose networks for ``task``
      are chains of blocks (see ``are_sums``).

    Numbers v count as -1/v, relative to the smallest: each step up is worth less than the one before. Other
    choices have a column each. What positions i and j tell is correlated by exp(-|i - j| / ``reach``), as
    neighbouring layers matter alike: columns of positions are multiplied by the Cholesky factor of that
    matrix, so that a linear model on them has it as the prior of its weights. In every group two random
    architectures of the space are at squared distance 1/10 on average (over 2,000 of them, drawn once with a
    fixed seed): a Gaussian process starts out nearly linear in all of them.

    Attributes:
        reach: positions over which what they tell is alike.
        task: what networks are built for when their size is counted; empty to leave ``size`` out.
    """

    reach: float = 4.0
    task: str = "imagenet"
    _sized: bool = field(default=False, init=False, repr=False, compare=False)
    _mix: FloatArray = field(init=False, repr=False, compare=False)
    _unit: dict[str, tuple[FloatArray, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _groups: dict[str, slice] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.reach > 0:
            raise UserError(f"reach={self.reach}: expected a positive number of positions.")
        if self.task:
            network_task(self.task)  # an unknown one is refused at once

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Bind ``space``, a chain, and learn the scales of its groups; ``seed`` plays no part.

        Raises:
            UserError: a space of another family.
        """
        if not isinstance(space, Chain):
            raise UserError(
                f"encoding 'layers' describes chains, and {space.name} is of the family {space.family}. "
                "Use 'cell' or 'onehot'."
            )
        super().fit(space, seed)
        self._sized = _is_sized(space, self.task)
        places = np.arange(space.positions)
        alike = np.exp(-np.abs(places[:, None] - places) / self.reach)
        self._mix = np.linalg.cholesky(alike)
        self._unit, self._groups = {}, {}
        start = 0
        for name, block in self._blocks(space.sample(SAMPLE, np.random.default_rng(0))).items():
            distance = 2 * float(block.var(axis=0).sum())
            scale = float(np.sqrt(DISTANCE / distance)) if distance > 0 else 1.0
            self._unit[name] = (block.mean(axis=0), scale)
            self._groups[name] = slice(start, start + block.shape[1])
            start += block.shape[1]
        return self

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        return max((part.stop for part in self._groups.values()), default=0)

    @property
    def groups(self) -> dict[str, slice]:
        """Columns of each group that the space has."""
        return dict(self._groups)

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 of genotypes (N, V)."""
        blocks = self._blocks(self.checked(genotypes))
        return np.hstack(
            [(block - self._unit[name][0]) * self._unit[name][1] for name, block in blocks.items()]
        )

    def _blocks(self, genotypes: IntArray) -> dict[str, FloatArray]:
        space = self.space
        assert isinstance(space, Chain)
        chosen = space.blocks(genotypes)
        absent = -1 if space.absent is None else space.operations.index(space.absent)
        there = (chosen != absent).astype(np.float64)
        blocks: dict[str, FloatArray] = {}
        if space.settings:
            first = space.n_variables - len(space.settings)
            columns = [
                _columns(setting, genotypes[:, [first + number]])[:, 0]
                for number, setting in enumerate(space.settings)
            ]
            blocks["settings"] = np.hstack(columns)
        if absent >= 0:
            blocks["present"] = self._smooth(there[:, :, None])
        for number, factor in enumerate(space.factors):
            part = genotypes[:, number * space.positions : (number + 1) * space.positions]
            blocks[factor.name] = self._smooth(_columns(factor, part) * there[:, :, None])
        if not space.factors:
            blocks["operations"] = self._smooth(
                _columns(Choice("operations", space.operations), chosen) * there[:, :, None]
            )
        if self._sized:
            totals = network_totals(space, genotypes, self.task)
            blocks["size"] = np.log(totals[:, [TOTALS.index("params"), TOTALS.index("macs")]])
        return blocks

    def _smooth(self, columns: FloatArray) -> FloatArray:
        """Columns (N, positions, C) of positions, mixed along the chain, side by side."""
        n, positions, width = columns.shape
        mixed: FloatArray = np.einsum("npc,pq->nqc", columns, self._mix)
        return mixed.reshape(n, positions * width)


def _is_sized(space: Chain, task: str) -> bool:
    if not task or not space.network:
        return False
    try:
        return are_sums(space, task)
    except UserError:  # it has no networks for this task
        return False


def _columns(choice: Choice, chosen: IntArray) -> FloatArray:
    """What is chosen (N, P) as numbers: (N, P, 1) of ordered values, else one-hot (N, P, values)."""
    try:
        numbers = np.array([float(value) for value in choice.values])
    except ValueError:
        numbers = np.zeros(1)
    if (numbers > 0).all():
        worth = 1 / numbers.min() - 1 / numbers
        return np.asarray(worth[chosen][:, :, None], dtype=np.float64)
    n_values = len(choice.values)
    flat = one_hot(chosen.reshape(-1, 1), np.array([n_values]))
    return flat.reshape(*chosen.shape, n_values)
