"""What the networks of a chain come to, as sums over their blocks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.space.chain import Chain

if TYPE_CHECKING:
    from torch import Tensor, nn

Count = Callable[["nn.Module", "Tensor", "list[nn.Module]"], FloatArray]
"""Totals (P, K) of parts of a network that takes an image."""


class NoSumError(ValueError):
    """Networks of a chain that are no sums over blocks at its positions."""


@dataclass(eq=False)
class ChainTotals:
    """Totals of the networks of a chain that share a choice of its settings.

    What a block comes to follows from its operation, its position and the shape of what it takes; all that is
    around the blocks from the shape of what the last one puts out. Both are learned from networks, and one
    more is built whenever an architecture has a part that no network had.

    Attributes:
        space: of the architectures.
        alike: blocks follow from operation and shape alone, wherever they stand.
        build: network of a genotype, and an image for it.
        count: what its parts come to.
        built: genotypes of the networks that were built, as bytes.
        idle: (O,) the operations of which some block has no layer that computes.
    """

    space: Chain
    alike: bool
    build: "Callable[[IntArray], tuple[nn.Module, Tensor]]"
    count: Count
    built: set[bytes] = field(default_factory=set, init=False)
    idle: BoolArray = field(init=False)
    _shapes: dict[tuple[int, ...], int] = field(default_factory=dict, init=False)
    _steps: IntArray = field(init=False)
    _around: IntArray = field(init=False)
    _ends: list[int] = field(default_factory=lambda: [0], init=False)
    _known: list[FloatArray] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        places = 1 if self.alike else self.space.positions
        self._steps = np.full((places, 1, len(self.space.operations)), -1)
        self._around = np.full(1, -1)
        self.idle = np.array([name == self.space.absent for name in self.space.operations])

    def totals(self, genotypes: IntArray) -> FloatArray:
        """Totals (N, K) of genotypes (N, V), N ≥ 1.

        Raises:
            NoSumError: a network has no ``blocks``, or not one for every position, or they follow from more.
        """
        blocks = self.space.blocks(genotypes)
        parts = self._parts(blocks)
        while len(unknown := np.flatnonzero((parts < 0).any(axis=1))):
            if genotypes[unknown[0]].tobytes() in self.built:
                raise NoSumError
            self._learn(genotypes[unknown[0]])
            parts = self._parts(blocks)
        known = np.array(self._known)
        total = known[parts[:, -1]]
        for column in parts.T[:-1]:
            total += known[column]
        return np.asarray(total)

    def _parts(self, blocks: IntArray) -> IntArray:
        """What is added up of blocks (N, positions), (N, positions + 1) int64: -1 where it is not known.

        Numbers of ``_known``, the last one of all that is around the blocks; 0 for a block that is absent.
        """
        there = self._there(blocks)
        parts = np.zeros((len(blocks), blocks.shape[1] + 1), dtype=np.int64)
        shapes = np.zeros(len(blocks), dtype=np.int64)
        ends = np.array(self._ends)
        for position, present in enumerate(there.T):
            step = self._steps[0 if self.alike else position, shapes, blocks[:, position]]
            parts[:, position] = np.where(present, step, 0)
            shapes = np.where(present, ends[step], shapes)  # of a step that is not known any
        parts[:, -1] = self._around[shapes]
        return parts

    def _there(self, blocks: IntArray) -> BoolArray:
        """Mask (N, positions) of blocks (N, positions) that are not absent."""
        if self.space.absent is None:
            return np.ones(blocks.shape, dtype=np.bool_)
        return np.asarray(blocks != self.space.operations.index(self.space.absent))

    def _learn(self, genotype: IntArray) -> None:
        """Build the network of a genotype (V,) and keep what its parts come to."""
        network, image = self.build(genotype)
        [operations] = self.space.blocks(genotype[None])
        positions = np.flatnonzero(self._there(operations[None])).tolist()
        blocks = list(getattr(network, "blocks", []))[-len(positions) :]
        if not positions or len(blocks) != len(positions):
            raise NoSumError
        given: dict[nn.Module, tuple[int, ...]] = {}

        def keep(block: "nn.Module", _: Any, out: "Tensor") -> None:
            given[block] = tuple(out.shape)

        handles = [block.register_forward_hook(keep) for block in blocks]
        try:
            whole, *counted = self.count(network, image, [network, *blocks])
        finally:
            for handle in handles:
                handle.remove()
        if not self._known:
            self._known.append(np.zeros_like(whole))
        shape = 0
        for position, block, totals in zip(positions, blocks, counted, strict=True):
            end = self._number(given[block])
            step = (0 if self.alike else position, shape, operations[position])
            if self._steps[step] < 0:
                self._steps[step] = self._add(totals, end)
                self.idle[operations[position]] |= not totals.any()
            shape = end
        if self._around[shape] < 0:
            self._around[shape] = self._add(whole - np.sum(counted, axis=0), shape)
        self.built.add(genotype.tobytes())

    def _number(self, shape: tuple[int, ...]) -> int:
        """Number of a shape that a block puts out, from 1; 0 is what the first block takes."""
        if shape not in self._shapes:
            self._shapes[shape] = 1 + len(self._shapes)
            self._steps = np.pad(self._steps, ((0, 0), (0, 1), (0, 0)), constant_values=-1)
            self._around = np.pad(self._around, (0, 1), constant_values=-1)
        return self._shapes[shape]

    def _add(self, totals: FloatArray, shape: int) -> int:
        """Number of a part that comes to ``totals`` (K,) and leaves ``shape``."""
        self._known.append(totals)
        self._ends.append(shape)
        return len(self._known) - 1


def combinations(space: Chain, genotypes: IntArray) -> IntArray:
    """Number (N,) of the combination of settings that genotypes (N, V) choose; 0 without settings."""
    sizes = [len(setting.values) for setting in space.settings]
    if not sizes:
        return np.zeros(len(genotypes), dtype=np.int64)
    chosen = genotypes[:, space.n_variables - len(sizes) :]
    return np.asarray(np.ravel_multi_index(list(chosen.T), sizes), dtype=np.int64)


def uniform(space: Chain, operation: int, combination: int) -> IntArray:
    """Genotype (V,) of ``operation`` at every position, the deepest stages, and a combination of settings."""
    sizes = [len(factor.values) for factor in space.factors] or [len(space.operations)]
    parts: list[NDArray[np.int64]] = [
        np.full(space.positions, int(digit)) for digit in np.unravel_index(operation, sizes)
    ]
    if space.stages:
        parts.append(np.full(space.stages, int(np.argmax([int(depth) for depth in space.depths]))))
    options = product(*[range(len(setting.values)) for setting in space.settings])
    parts.append(np.array(list(options)[combination], dtype=np.int64))
    return np.concatenate(parts).astype(np.int64)
