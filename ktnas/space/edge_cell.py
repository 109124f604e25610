"""Cells with an operation on every edge of a complete directed acyclic graph."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch, edges_by_target


@dataclass(frozen=True, kw_only=True, eq=False)
class EdgeCell(SearchSpace):
    """Cell of ``nodes`` nodes, each the sum of one operation of every earlier node (NAS-Bench-201).

    Variable ``edge_i_j`` is the operation from node i to node j, ordered by target: 0→1, 0→2, 1→2, 0→3, … In
    the graph the operations are nodes; node 0 of the cell is the input and its last node the output.

    Attributes:
        nodes: number of nodes, input and output included.
    """

    family: ClassVar[str] = "edge_cell"

    nodes: int

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise UserError(f"nodes: {self.nodes} must be 2 or more.")
        super().__post_init__()

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Source and target node of each variable."""
        return edges_by_target(self.nodes)

    def _variables(self, symbols: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Operation of each edge."""
        return {f"edge_{source}_{target}": symbols for source, target in self.edges}

    @cached_property
    def _wiring(self) -> NDArray[np.uint8]:
        ends = [(-1, 0), *self.edges, (self.nodes - 1, -1)]
        follows = [[later[0] == earlier[1] for later in ends] for earlier in ends]
        return np.triu(np.array(follows, dtype=np.uint8), 1)

    def _graphs(self, genotypes: IntArray) -> GraphBatch:
        operations = np.pad(genotypes + 2, ((0, 0), (1, 1)))
        operations[:, -1] = 1
        return GraphBatch(operations, np.repeat(self._wiring[None], len(genotypes), axis=0), self.vocabulary)
