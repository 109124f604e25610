"""Learning which of two architectures is better: heads on embedded graphs, trained on pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, cos, pi

import torch
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ktnas.surrogate.base import Progress
from ktnas.surrogate.gcn import GlobalGraphs, Weights, embed

OWN = 0.3
"""Weight of what is a task's own in its head: tasks agree unless they say otherwise."""


@dataclass(frozen=True)
class Inputs:
    """What is known of N architectures before any is trained.

    Attributes:
        graphs: the U different ones, with a global node.
        places: (N,) int64, which of them is each architecture's.
        extra: (N, D) vectors that join the embeddings; D may be 0.
    """

    graphs: GlobalGraphs
    places: Tensor
    extra: Tensor

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Tensor) -> "Inputs":
        kept, places = torch.unique(self.places[rows], return_inverse=True)
        return Inputs(self.graphs[kept], places, self.extra[rows])


@dataclass(frozen=True)
class Lessons:
    """Observations to learn from.

    Attributes:
        inputs: of N architectures.
        tasks: (N,) int64.
        values: (N,), the smaller the better, in units in which a difference of 1 is sure at 73 %; differences
            count within a task alone.
        taught: (members, N) bool, False for what a member does not see.
        hard: whether the better of two is labelled 1 and the worse 0, however close.
    """

    inputs: Inputs
    tasks: Tensor
    values: Tensor
    taught: Tensor
    hard: bool


@dataclass(frozen=True)
class Training:
    """How long and how fast; a step compares all pairs of one task among ``batch`` architectures."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    dropout: float


def initial_heads(
    members: int, inputs: int, n_tasks: int, published: bool, generator: Generator
) -> dict[str, Tensor]:
    """Linear heads: what all tasks share and, from zero, what is each task's own.

    The published head maps the two embeddings side by side to two logits. Only their difference counts, so it
    is a vector for the first architecture, another for the second, and a bias. The transitive head has one
    vector, for the first architecture, and its negative for the second.
    """
    bound = (2 * inputs) ** -0.5
    weights = {}
    for place in ("first", "second") if published else ("first",):
        draw = torch.rand((members, inputs, 1), generator=generator)
        weights[f"{place}.shared"] = (2 * draw - 1) * bound
        weights[f"{place}.own"] = torch.zeros(members, inputs, n_tasks)
    if published:
        weights["order"] = torch.zeros(members, 1, 1)
    return weights


def opinions(weights: Weights, features: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
    """What speaks for each architecture on each task, named first and named second, (members, N, T) each.

    The logit of «i is better than j» is ``first[i] + second[j]``.

    Args:
        weights: of the heads.
        features: (members, N, width) embeddings.
        extra: (N, D) vectors that join them.
    """
    features = torch.cat([features, extra.expand(len(features), *extra.shape)], dim=2)
    first = features @ (weights["first.shared"] + OWN * weights["first.own"])
    if "order" not in weights:
        return first, -first
    second = features @ (weights["second.shared"] + OWN * weights["second.own"])
    return first + weights["order"], second


def train(
    weights: Weights, lessons: Lessons, training: Training, generator: Generator, progress: Progress | None
) -> dict[str, Tensor]:
    """Weights after AdamW with a learning rate that falls to zero along a cosine."""
    learned = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
    optimizer = torch.optim.AdamW(
        learned.values(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    steps = training.epochs * ceil(len(lessons.tasks) / training.batch)
    for step, rows in enumerate(_batches(len(lessons.tasks), training, generator)):
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * (1 + cos(pi * step / steps)) / 2
        optimizer.zero_grad()
        torch.autograd.backward(_loss(learned, lessons, rows, training.dropout, generator))
        optimizer.step()
        if progress is not None:
            progress(step + 1, steps)
    return {name: weight.detach() for name, weight in learned.items()}


def _batches(n: int, training: Training, generator: Generator) -> Iterator[Tensor]:
    for _ in range(training.epochs):
        order = torch.randperm(n, generator=generator)
        yield from (order[start : start + training.batch] for start in range(0, n, training.batch))


def _loss(weights: Weights, lessons: Lessons, rows: Tensor, dropout: float, generator: Generator) -> Tensor:
    """Cross-entropy of the ordered pairs of one task, averaged so that every architecture counts alike."""
    tasks, values, taught = lessons.tasks[rows], lessons.values[rows], lessons.taught[:, rows]
    inputs = lessons.inputs[rows]
    features = embed(weights, inputs.graphs, dropout, generator)[:, inputs.places]
    first, second = (
        opinion[:, torch.arange(len(rows)), tasks] for opinion in opinions(weights, features, inputs.extra)
    )
    logits = first[:, :, None] + second[:, None, :]
    lead = values[None, :] - values[:, None]
    labels = (lead.sign() + 1) / 2 if lessons.hard else torch.sigmoid(lead)
    pairs = (tasks[:, None] == tasks[None, :]) & ~torch.eye(len(rows), dtype=torch.bool)
    counted = (pairs & taught[:, :, None] & taught[:, None, :]).to(logits.dtype)
    shares = counted / counted.sum(dim=2, keepdim=True).clamp(min=1)
    losses = binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none")
    return (losses * shares).sum() / len(rows)
