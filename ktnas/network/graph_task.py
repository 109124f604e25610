"""Graphs as inputs of networks: a value or class for each node."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ktnas.network.task import NetworkTask

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GraphTask(NetworkTask):
    """Undirected graphs in, ``outputs`` values (B, nodes, outputs) of their nodes out.

    A graph is one tensor: the row of a node has its ``channels`` features and then its row of the adjacency
    matrix, entries 0 or 1, without self-loops: ``torch.cat([features, adjacency], dim=2)``. Networks take
    graphs of any number of nodes, those of a batch of one size.

    Attributes:
        kind: ``nodes``.
        size: number of nodes of the graphs that ``inputs`` draws.
        channels: features of a node.
        degree: mean number of neighbours in the graphs that ``inputs`` draws, below ``size``.
    """

    kind: str = field(default="nodes", init=False)
    degree: float = 4.0

    def __post_init__(self) -> None:
        """The kind needs no check."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch: (size, channels + size)."""
        return (self.size, self.channels + self.size)

    def inputs(self, batch: int, seed: int = 0) -> "Tensor":
        """Random graphs (batch, size, channels + size) float32, the same for the same seed.

        Features are standard normal; two nodes are neighbours with the probability that gives ``degree``.
        """
        import torch

        generator = torch.Generator().manual_seed(seed)
        features = torch.randn(batch, self.size, self.channels, generator=generator)
        draws = torch.rand(batch, self.size, self.size, generator=generator)
        linked = (draws < self.degree / max(self.size - 1, 1)).float().triu(diagonal=1)
        return torch.cat([features, linked + linked.transpose(1, 2)], dim=2)


_NODES = 64
_TASKS = (
    GraphTask("cora", 7, _NODES, 1433),
    GraphTask("citeseer", 6, _NODES, 3703),
    GraphTask("pubmed", 3, _NODES, 500),
    GraphTask("cs", 15, _NODES, 6805),
    GraphTask("physics", 5, _NODES, 8415),
    GraphTask("photo", 8, _NODES, 745),
    GraphTask("computers", 10, _NODES, 767),
    GraphTask("arxiv", 40, _NODES, 128),
    GraphTask("proteins", 112, _NODES, 8),
)
GRAPH_TASKS = {task.name: task for task in _TASKS}
