"""A gated graph network that scores pruned graphs, forwards and backwards, with torch."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ktnas.arrays import FloatArray, IntArray
from ktnas.space.graph import GraphBatch

MARGIN = 0.1
WEIGHT_DECAY = 1e-4
BATCH = 64
CHUNK = 2048
HEAD = 128
LARGEST_STEP = 5.0


@dataclass(frozen=True)
class Graphs:
    """Graphs as the network reads them.

    Attributes:
        operations: (N, M) int64, 0 where there is no node.
        adjacency: (N, M, M), number of edges i→j.
    """

    operations: Tensor
    adjacency: Tensor

    @classmethod
    def of(cls, graphs: GraphBatch, dtype: torch.dtype) -> "Graphs":
        """Tensors of a batch."""
        adjacency = torch.from_numpy(np.ascontiguousarray(graphs.adjacency)).to(dtype)
        return cls(torch.from_numpy(graphs.operations + 1), adjacency)

    def __getitem__(self, rows: Tensor | slice) -> "Graphs":
        return Graphs(self.operations[rows], self.adjacency[rows])

    def __len__(self) -> int:
        return len(self.operations)


class GatedLayer(nn.Module):
    """Sum over the nodes before, gated by what a node does, plus the node itself (dense graph flow)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message = nn.Linear(width, width)
        self.own = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, nodes: Tensor, into: Tensor, operations: Tensor, present: Tensor) -> Tensor:
        """Nodes (N, M, width) after one step along ``into`` (N, M, M), edges from column to row."""
        incoming = torch.sigmoid(self.gate(operations)) * (into @ self.message(nodes))
        return torch.relu(self.norm(incoming + self.own(nodes))) * present


class GatedGraphNetwork(nn.Module):
    """Scores of graphs on every task: a trunk that tasks share, and what each adds to the common score.

    After the dense graph flow of FLAN (Akhauri and Abdelfattah, ICML 2024; Ning et al., ECCV 2020),
    without attention: ``layers`` steps along the edges and as many against them; read from the output, the
    input and the sums over all nodes.
    """

    def __init__(self, vocabulary: int, places: int, n_tasks: int, width: int, layers: int) -> None:
        super().__init__()
        self.operation = nn.Embedding(vocabulary + 1, width)
        self.place = nn.Parameter(torch.zeros(places, width))
        self.ahead = nn.ModuleList(GatedLayer(width) for _ in range(layers))
        self.back = nn.ModuleList(GatedLayer(width) for _ in range(layers))
        self.hidden = nn.Linear(4 * width, HEAD)
        self.common = nn.Linear(HEAD, 1)
        self.extra = nn.Linear(HEAD, n_tasks)
        nn.init.zeros_(self.extra.weight)
        nn.init.zeros_(self.extra.bias)

    def forward(self, graphs: Graphs) -> Tensor:
        """Scores (N, T)."""
        present = (graphs.operations > 0).to(graphs.adjacency.dtype)[:, :, None]
        operations = (self.operation(graphs.operations) + self.place) * present
        ahead = back = operations
        reverse = graphs.adjacency.transpose(1, 2)
        for forwards, backwards in zip(self.ahead, self.back, strict=True):
            ahead = forwards(ahead, reverse, operations, present)
            back = backwards(back, graphs.adjacency, operations, present)
        size = math.sqrt(present.shape[1])
        sums = [ahead.sum(dim=1) / size, back.sum(dim=1) / size]
        hidden = torch.relu(self.hidden(torch.cat([ahead[:, -1], back[:, 0], *sums], dim=1)))
        scores: Tensor = self.common(hidden) + self.extra(hidden)
        return scores


def train(
    network: GatedGraphNetwork,
    graphs: Graphs,
    tasks: IntArray,
    values: FloatArray,
    epochs: int,
    learning_rate: float,
    generator: torch.Generator,
    done: Callable[[], None],
) -> None:
    """Learn to order the ``values`` (N,) of each task: hinge loss on the pairs of a batch, margin 0.1.

    AdamW with one cycle of the learning rate; ``done`` is called after each epoch.
    """
    indices, targets = torch.from_numpy(tasks), torch.from_numpy(values.astype(np.float32))
    steps = epochs * -(-len(graphs) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps + 1)
    network.train()
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(graphs), generator=generator), BATCH):
            own = indices[rows]
            scores = network(graphs[rows]).gather(1, own[:, None])[:, 0]
            loss = _hinge(scores, targets[rows], own)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_STEP)
            optimizer.step()
            schedule.step()
        done()


def _hinge(scores: Tensor, targets: Tensor, tasks: Tensor) -> Tensor:
    """Mean over the ordered pairs of a task; 0 without a pair."""
    ordered = (targets[:, None] > targets[None, :]) & (tasks[:, None] == tasks[None, :])
    losses = functional.relu(MARGIN - scores[:, None] + scores[None, :])
    return (losses * ordered).sum() / ordered.sum().clamp(min=1)


def score(network: GatedGraphNetwork, graphs: GraphBatch) -> FloatArray:
    """Scores (N, T) in double precision, so that a row does not depend on its batch."""
    network = network.double().eval()
    arrays = Graphs.of(graphs, torch.float64)
    with torch.no_grad():
        parts = [network(arrays[start : start + CHUNK]) for start in range(0, len(arrays) or 1, CHUNK)]
    return np.asarray(torch.cat(parts).numpy())
