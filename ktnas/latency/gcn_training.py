"""Graph convolutional networks that learn a number per graph."""

from math import ceil, cos, pi

import torch
from torch import Generator, Tensor

from ktnas.surrogate.gcn import GlobalGraphs, Weights, embed, initial_layers
from ktnas.surrogate.pairwise import Training

CHUNK = 1024


def initial_networks(
    members: int, layers: int, width: int, vocabulary: int, generator: Generator
) -> dict[str, Tensor]:
    """Weights of new networks with a linear head; they say 1 of every graph but for small differences."""
    weights = initial_layers(members, layers, width, vocabulary, generator)
    draw = torch.rand((members, width, 1), generator=generator)
    return weights | {"head": (2 * draw - 1) * width**-0.5, "level": torch.ones(members, 1, 1)}


def train(
    weights: Weights,
    graphs: GlobalGraphs,
    values: Tensor,
    taught: Tensor,
    training: Training,
    generator: Generator,
) -> dict[str, Tensor]:
    """Weights after AdamW on the absolute error, with a learning rate that falls to zero along a cosine.

    Args:
        weights: of the members.
        graphs: N of them.
        values: (N,) to learn.
        taught: (members, N) bool, False for what a member does not see.
        training: how long and how fast.
        generator: of the order of the graphs and of dropout.
    """
    learned = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
    optimizer = torch.optim.AdamW(
        learned.values(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    per_epoch = ceil(len(values) / training.batch)
    for epoch in range(training.epochs):
        order = torch.randperm(len(values), generator=generator)
        for step in range(per_epoch):
            done = (epoch * per_epoch + step) / (training.epochs * per_epoch)
            for group in optimizer.param_groups:
                group["lr"] = training.learning_rate * (1 + cos(pi * done)) / 2
            rows = order[step * training.batch : (step + 1) * training.batch]
            missed = _answers(learned, graphs[rows], training.dropout, generator) - values[rows]
            optimizer.zero_grad()
            torch.autograd.backward((missed.abs() * taught[:, rows]).sum() / len(rows))
            optimizer.step()
    return {name: weight.detach() for name, weight in learned.items()}


def answers(weights: Weights, graphs: GlobalGraphs) -> Tensor:
    """What each member says of each graph, (members, N) float64; ``graphs`` are float64."""
    exact = {name: weight.double() for name, weight in weights.items()}
    starts = range(0, len(graphs), CHUNK)
    with torch.no_grad():
        return torch.cat([_answers(exact, graphs[slice(at, at + CHUNK)]) for at in starts], dim=1)


def _answers(
    weights: Weights, graphs: GlobalGraphs, dropout: float = 0.0, generator: Generator | None = None
) -> Tensor:
    features = embed(weights, graphs, dropout, generator)
    return (features @ weights["head"] + weights["level"])[:, :, 0]
