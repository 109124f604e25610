"""What the networks of a chain come to, as sums over their blocks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.space.chain import Chain

if TYPE_CHECKING:
    from torch import Tensor, nn

Count = Callable[["nn.Module", "Tensor", "list[nn.Module]"], FloatArray]
"""Totals (P, K) of parts of a network that takes an image."""


class NoBlocksError(ValueError):
    """A network of a chain that has no block per position."""


class Step(NamedTuple):
    """A block where it stands: what it comes to (K,), and the number of the shape that it puts out."""

    totals: FloatArray
    shape: int


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
    """

    space: Chain
    alike: bool
    build: "Callable[[IntArray], tuple[nn.Module, Tensor]]"
    count: Count
    built: set[bytes] = field(default_factory=set, init=False)
    _shapes: dict[tuple[int, ...], int] = field(default_factory=dict, init=False)
    _steps: dict[tuple[int, int, int], Step] = field(default_factory=dict, init=False)
    _around: dict[int, FloatArray] = field(default_factory=dict, init=False)

    def totals(self, genotypes: IntArray) -> FloatArray:
        """Totals (N, K) of genotypes (N, V), N ≥ 1.

        Raises:
            NoBlocksError: a network has no ``blocks``, or not one for every position.
        """
        blocks, n_operations = self.space.blocks(genotypes), len(self.space.operations)
        shapes = np.full(len(genotypes), -1)
        parts = []
        for position, there in enumerate(self._there(blocks).T):
            rows = np.flatnonzero(there)
            kinds = shapes[rows] * n_operations + blocks[rows, position]
            kinds, first, which = np.unique(kinds, return_index=True, return_inverse=True)
            steps = []
            for kind, row in zip(kinds.tolist(), rows[first], strict=True):
                key = self._key(position, *divmod(kind, n_operations))
                if key not in self._steps:
                    self._learn(genotypes[row])
                steps.append(self._steps[key])
            if steps:
                parts.append((rows, np.array([step.totals for step in steps])[which]))
                shapes[rows] = np.array([step.shape for step in steps])[which]
        ends, first, which = np.unique(shapes, return_index=True, return_inverse=True)
        for end, row in zip(ends.tolist(), first, strict=True):
            if end not in self._around:
                self._learn(genotypes[row])
        total = np.array([self._around[end] for end in ends.tolist()])[which]
        for rows, counted in parts:
            total[rows] += counted
        return np.asarray(total)

    @property
    def idle(self) -> BoolArray:
        """Mask (O,) of the operations of which some block has no layer that computes."""
        mask = np.array([name == self.space.absent for name in self.space.operations])
        for (_, _, operation), step in self._steps.items():
            mask[operation] |= not step.totals.any()
        return mask

    def _there(self, blocks: IntArray) -> BoolArray:
        """Mask (N, positions) of blocks (N, positions) that are not absent."""
        if self.space.absent is None:
            return np.ones(blocks.shape, dtype=np.bool_)
        return np.asarray(blocks != self.space.operations.index(self.space.absent))

    def _key(self, position: int, shape: int, operation: int) -> tuple[int, int, int]:
        return (0 if self.alike else position, shape, operation)

    def _learn(self, genotype: IntArray) -> None:
        """Build the network of a genotype (V,) and keep what its parts come to."""
        network, image = self.build(genotype)
        operations = self.space.blocks(genotype[None])
        positions = np.flatnonzero(self._there(operations)).tolist()
        blocks = list(getattr(network, "blocks", []))[-len(positions) :]
        if not positions or len(blocks) != len(positions):
            raise NoBlocksError
        given: dict[nn.Module, tuple[int, ...]] = {}

        def keep(block: "nn.Module", _: Any, out: "Tensor") -> None:
            given[block] = tuple(out.shape)

        handles = [block.register_forward_hook(keep) for block in blocks]
        try:
            whole, *counted = self.count(network, image, [network, *blocks])
        finally:
            for handle in handles:
                handle.remove()
        shape = -1
        for position, block, totals in zip(positions, blocks, counted, strict=True):
            end = self._shapes.setdefault(given[block], len(self._shapes))
            self._steps[self._key(position, shape, int(operations[0, position]))] = Step(totals, end)
            shape = end
        self._around[shape] = whole - np.sum(counted, axis=0)
        self.built.add(genotype.tobytes())
