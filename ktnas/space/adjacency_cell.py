"""Cells given by an adjacency matrix and an operation for each node."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ktnas.arrays import BoolArray, IntArray
from ktnas.errors import UserError
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch, edges_by_target

NUMBERS = re.compile(r"\(\s*\d+(?:\s*,\s*\d+)*\s*,?\s*\)")


@dataclass(frozen=True, kw_only=True, eq=False)
class AdjacencyCell(SearchSpace):
    """Graphs of at most ``nodes`` labelled nodes and ``max_edges`` edges (NAS-Bench-101).

    Variable ``edge_i_j`` is 1 where node i feeds node j, ordered by target: 0→1, 0→2, 1→2, 0→3, …; then
    ``operation_k`` of the nodes between the input, node 0, and the output, the last node. Nodes off every
    path from input to output do not count, so smaller graphs are part of the space, and ``max_edges`` is of
    what is left. A flattened matrix of fewer nodes, followed by its operations, is read as well.

    Attributes:
        nodes: number of nodes, input and output included.
        max_edges: number of edges that an architecture has at most.
    """

    family: ClassVar[str] = "adjacency_cell"

    nodes: int
    max_edges: int

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise UserError(f"nodes: {self.nodes} must be 2 or more.")
        if self.max_edges < 1:
            raise UserError(f"max_edges: {self.max_edges} must be 1 or more.")
        super().__post_init__()

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """Source and target node of each variable ``edge_i_j``."""
        return edges_by_target(self.nodes)

    def _variables(self, symbols: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        edges = {f"edge_{source}_{target}": ("0", "1") for source, target in self.edges}
        return edges | {f"operation_{node}": symbols for node in range(1, self.nodes - 1)}

    def _graphs(self, genotypes: IntArray) -> GraphBatch:
        operations = np.pad(genotypes[:, len(self.edges) :] + 2, ((0, 0), (1, 1)))
        operations[:, 0], operations[:, -1] = 0, 1
        adjacency = np.zeros((len(genotypes), self.nodes, self.nodes), dtype=np.uint8)
        sources, targets = np.array(self.edges).T
        adjacency[:, sources, targets] = genotypes[:, : len(self.edges)]
        return GraphBatch(operations, adjacency, self.vocabulary)

    def _admitted(self, genotypes: IntArray) -> BoolArray:
        edges = self.pruned(genotypes).adjacency.sum(axis=(1, 2), dtype=np.int64)
        mask: BoolArray = (edges >= 1) & (edges <= self.max_edges)
        return mask & super()._admitted(genotypes)

    @property
    def _rule(self) -> str:
        rule = f"have a path from input to output and at most {self.max_edges} edges on such paths"
        return rule if self.allow_empty else f"{super()._rule}, {rule}"

    def _read(self, texts: Sequence[str]) -> IntArray:
        return super()._read([self._widened(text) for text in texts])

    def _widened(self, text: str) -> str:
        """A flattened matrix of fewer nodes as one of ``nodes``, the added nodes without edges."""
        if not isinstance(text, str) or len(text) > 1000 or not NUMBERS.fullmatch(text.strip()):
            return text
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        size = next((n for n in range(2, self.nodes) if n * n + n == len(numbers)), None)
        if size is None:
            return text
        operations = numbers[size * size :]
        filler = next((int(symbol) for symbol in self.symbols if symbol.isdecimal()), 0)
        matrix = np.zeros((self.nodes, self.nodes), dtype=np.int64)
        places = [*range(size - 1), self.nodes - 1]
        matrix[np.ix_(places, places)] = np.array(numbers[: size * size]).reshape(size, size)
        wide = [*operations[:-1], *[filler] * (self.nodes - size), operations[-1]]
        return f"({', '.join(map(str, [*matrix.ravel().tolist(), *wide]))})"
