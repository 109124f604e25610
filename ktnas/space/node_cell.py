"""Cells whose nodes pick their inputs and their operation."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeCell(SearchSpace):
    """Cell of ``nodes`` nodes, each an operation on the sum of the inputs it picks (NAS-Bench-Graph).

    Variable ``input_j`` (``input_j_1``, ``input_j_2``, … where a node has several) is 0 for the input of the
    cell or the number of an earlier node; then ``operation_j``, for j from 1. Nodes that no other picks go to
    the output.

    Attributes:
        nodes: number of nodes beside input and output.
        inputs_per_node: number of inputs a node picks, the same one more than once allowed.
        bypass: whether the input counts where it is passed on unchanged to the output, or is ignored there.
    """

    family: ClassVar[str] = "node_cell"

    nodes: int
    inputs_per_node: int = 1
    bypass: bool = True

    def __post_init__(self) -> None:
        for key, value in (("nodes", self.nodes), ("inputs_per_node", self.inputs_per_node)):
            if value < 1:
                raise UserError(f"{key}: {value} must be 1 or more.")
        super().__post_init__()

    @property
    def variables(self) -> dict[str, tuple[str, ...]]:
        """Inputs of each node, then operation of each node."""
        slots = range(1, self.inputs_per_node + 1)
        inputs = {
            f"input_{node}" if self.inputs_per_node == 1 else f"input_{node}_{slot}": tuple(
                map(str, range(node))
            )
            for node in range(1, self.nodes + 1)
            for slot in slots
        }
        return inputs | {f"operation_{node}": self.symbols for node in range(1, self.nodes + 1)}

    def _graphs(self, genotypes: IntArray) -> GraphBatch:
        n_rows, n_nodes = len(genotypes), self.nodes + 2
        operations = np.pad(genotypes[:, -self.nodes :] + 2, ((0, 0), (1, 1)))
        operations[:, -1] = 1
        adjacency = np.zeros((n_rows, n_nodes, n_nodes), dtype=np.uint8)
        inputs = genotypes[:, : -self.nodes].reshape(n_rows, self.nodes, self.inputs_per_node)
        for node in range(self.nodes):
            for slot in range(self.inputs_per_node):
                adjacency[np.arange(n_rows), inputs[:, node, slot], node + 1] += 1
        adjacency[:, 1:-1, -1] = ~adjacency[:, 1:-1].any(axis=2)
        return GraphBatch(operations, adjacency, self.vocabulary)

    def pruned(self, genotypes: IntArray) -> GraphBatch:
        """Graphs with zero operations gone, identities contracted, dead ends and ignored bypasses dropped."""
        batch = super().pruned(genotypes)
        if not self.bypass:
            batch.adjacency[:, 0, -1] = 0
        return batch
