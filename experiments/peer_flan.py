"""FLAN's predictor as published, built anew: to see what it reaches on the very samples that ours sees.

Akhauri and Abdelfattah, "Encodings for prediction-based neural architecture search" (ICML 2024), with what
its text leaves open taken from the settings of the authors' experiments: two passes, backward layers without
attention, batches of 8 (of a quarter of more than 32 samples), at most four pairs per sample of a batch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ktnas.arrays import FloatArray, IntArray
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch
from ktnas.threads import one_torch_thread

EPOCHS = 150
LEARNING_RATE = 1e-3
LEAST_RATE = 1e-6
WEIGHT_DECAY = 1e-5
MARGIN = 0.1
PAIRS = 4
DROPOUT = 0.1
OPERATION = 48
START = 96
WIDTHS = (128,) * 5
HEAD = (200,) * 3
UPDATE = 0.1
CHUNK = 1024


class DenseFlow(nn.Module):
    """Messages along the edges, gated by the operation of the node they reach, and the node itself."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.message = nn.Linear(before, width, bias=False)
        self.gate = nn.Linear(OPERATION, width)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, nodes: Tensor, into: Tensor, operations: Tensor) -> Tensor:
        """Nodes (N, M, width); ``into`` (N, M, M) has the edges from column to row."""
        messages = self.message(nodes)
        passed: Tensor = torch.sigmoid(self.gate(operations)) * (into @ messages) + messages + self.bias
        return passed


class Attention(nn.Module):
    """A mean of all nodes, gated likewise; only those before have a score other than 0."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.message = nn.Linear(before, width, bias=False)
        self.gate = nn.Linear(OPERATION, width)
        self.alike = nn.Parameter(torch.empty(width).uniform_(-1, 1) / width**0.5)
        self.norm = nn.LayerNorm(width)

    def forward(self, nodes: Tensor, into: Tensor, operations: Tensor) -> Tensor:
        """As ``DenseFlow.forward``."""
        messages = self.message(nodes)
        scores = functional.leaky_relu((messages * self.alike) @ messages.transpose(1, 2))
        mixed = torch.softmax(scores * into, dim=2) @ messages
        normed: Tensor = self.norm(torch.sigmoid(self.gate(operations)) * mixed)
        return normed


class Mixed(nn.Module):
    """The mean of both layers."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.flow = DenseFlow(before, width)
        self.attention = Attention(before, width)

    def forward(self, nodes: Tensor, into: Tensor, operations: Tensor) -> Tensor:
        """As ``DenseFlow.forward``."""
        both = self.flow(nodes, into, operations) + self.attention(nodes, into, operations)
        halved: Tensor = both / 2
        return halved


class Flan(nn.Module):
    """Scores of graphs: ahead, back from the output to refine the operations, and ahead again.

    The mean over the nodes behind the input, and an embedding of the ``extras`` numbers that supplement it,
    decide the score.
    """

    def __init__(self, vocabulary: int, extras: int) -> None:
        super().__init__()
        self.operation = nn.Embedding(vocabulary + 1, OPERATION)
        self.first = nn.Parameter(torch.randn(OPERATION))
        self.other = nn.Parameter(torch.zeros(OPERATION))
        self.start = nn.Linear(OPERATION, START)
        self.ahead = nn.ModuleList(
            Mixed(before, width) for before, width in zip((START, *WIDTHS[:-1]), WIDTHS, strict=True)
        )
        self.turn = perceptron(WIDTHS[-1], WIDTHS[-1:], WIDTHS[-1])
        self.back = nn.ModuleList(DenseFlow(width, width) for width in WIDTHS)
        self.update = perceptron(OPERATION + 2 * WIDTHS[-1], WIDTHS[-1:], OPERATION)
        self.extra = perceptron(extras, (128, 128), OPERATION, DROPOUT) if extras else None
        self.head = perceptron(WIDTHS[-1] + (OPERATION if extras else 0), HEAD, 1, DROPOUT)

    def forward(self, operations: Tensor, adjacency: Tensor, extras: Tensor) -> Tensor:
        """Scores (N,) of operations (N, M), 0 where there is no node, edges (N, M, M), extras (N, E)."""
        embedded = self.operation(operations)
        places = torch.cat([self.first[None], self.other.expand(operations.shape[1] - 1, -1)])
        nodes = self.start(places).expand(len(operations), -1, -1)
        into = adjacency.transpose(1, 2)
        ahead = flow(self.ahead, nodes, into, embedded)
        turned = functional.pad(self.turn(ahead[:, -1:]), (0, 0, operations.shape[1] - 1, 0))
        back = flow(self.back, turned, adjacency, embedded)
        known = torch.cat([embedded.detach(), ahead.detach(), back], dim=2)
        embedded = embedded + UPDATE * self.update(known)
        read = flow(self.ahead, nodes, into, embedded)[:, 1:].mean(dim=1)
        if self.extra is not None:
            read = torch.cat([read, self.extra(extras)], dim=1)
        scores: Tensor = self.head(read)[:, 0]
        return scores


def flow(layers: nn.ModuleList, nodes: Tensor, into: Tensor, operations: Tensor) -> Tensor:
    """Nodes after all layers, with ReLU between them."""
    for number, layer in enumerate(layers):
        nodes = layer(torch.relu(nodes) if number else nodes, into, operations)
    return nodes


def perceptron(inputs: int, hidden: tuple[int, ...], outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with ReLU and dropout between them."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def flan(
    space: SearchSpace,
    genotypes: IntArray,
    extras: FloatArray,
    seen: IntArray,
    unseen: IntArray,
    values: FloatArray,
    seed: int,
) -> FloatArray:
    """Scores (M,), the smaller the better, of ``genotypes[unseen]`` after ``values`` (N,) of those seen.

    ``extras`` (K, E) are the supplementary numbers of every genotype, E ≥ 0.
    """
    graphs = space.pruned(genotypes)
    with one_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        network = Flan(len(graphs.vocabulary), extras.shape[1])
        train(network, *inputs(graphs, extras, seen), torch.from_numpy(values).float())
        network.eval()
        with torch.no_grad():
            parts = [
                network(*inputs(graphs, extras, unseen[start : start + CHUNK]))
                for start in range(0, len(unseen), CHUNK)
            ]
    scores: FloatArray = torch.cat(parts).double().numpy()
    return scores


def inputs(graphs: GraphBatch, extras: FloatArray, rows: IntArray) -> tuple[Tensor, Tensor, Tensor]:
    """What the network reads of some graphs."""
    operations = torch.from_numpy(graphs.operations[rows] + 1)
    adjacency = torch.from_numpy(graphs.adjacency[rows]).float()
    return operations, adjacency, torch.from_numpy(extras[rows]).float()


def train(network: Flan, operations: Tensor, adjacency: Tensor, extras: Tensor, values: Tensor) -> None:
    """Hinge loss on pairs, AdamW, the learning rate falling by a cosine."""
    batch = 8 if len(values) <= 32 else len(values) // 4
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS, LEAST_RATE)
    network.train()
    for _ in range(EPOCHS):
        for rows in torch.split(torch.randperm(len(values)), batch):
            loss = hinge(network(operations[rows], adjacency[rows], extras[rows]), values[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        schedule.step()


def hinge(scores: Tensor, values: Tensor) -> Tensor:
    """Mean over at most ``PAIRS`` random ordered pairs per sample; 0 without a pair."""
    larger, smaller = torch.nonzero(values[:, None] > values[None, :], as_tuple=True)
    chosen = torch.randperm(len(larger))[: PAIRS * len(values)]
    losses = torch.relu(MARGIN - scores[larger[chosen]] + scores[smaller[chosen]])
    return losses.sum() / max(len(chosen), 1)
