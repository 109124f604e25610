"""A trunk that several tasks share, a score of each task on top, and their training on pairs.

Weights are tensors by name whose first axis is the member of an ensemble: members learn side by side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, silu

from ktnas.surrogate.base import Progress

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Lessons:
    """What one task has to teach.

    Attributes:
        rows: (n,) int64, which of the inputs were observed.
        values: (n,) in units in which a difference of 1 is sure at 73 %.
        taught: (members, n) bool, False for what a member does not see.
        weight: of this task's loss.
        hard: whether the greater of two is labelled 1 and the smaller 0, however close.
    """

    rows: Tensor
    values: Tensor
    taught: Tensor
    weight: float
    hard: bool


@dataclass(frozen=True)
class Training:
    """How long and how fast; a step compares all pairs among at most ``batch`` observations of each task."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float


def initial_weights(
    shape: Sequence[int], width: int, layers: int, n_tasks: int, members: int, generator: Generator
) -> dict[str, Tensor]:
    """Weights before training, uniform within ± 1/√inputs; what is a task's own starts from zero.

    Args:
        shape: of one input: (D,) for a perceptron, (L, D) for an LSTM over L steps.
        width: of a layer.
        layers: number of layers.
        n_tasks: number of heads.
        members: number of networks.
        generator: all randomness.
    """

    def draw(inputs: int, outputs: int, fan: int) -> Tensor:
        drawn: Tensor = (2 * torch.rand((members, inputs, outputs), generator=generator) - 1) * fan**-0.5
        return drawn

    recurrent = len(shape) == 2
    gates = 4 if recurrent else 1
    weights = {}
    inputs = shape[-1]
    for layer in range(layers):
        fan = width if recurrent else inputs
        weights[f"{layer}.weight"] = draw(inputs, gates * width, fan)
        weights[f"{layer}.bias"] = torch.zeros(members, 1, gates * width)
        if recurrent:
            weights[f"{layer}.recurrent"] = draw(width, gates * width, fan)
        inputs = width
    weights["head.shared"] = draw(width, 1, width)
    weights["head.own"] = torch.zeros(members, width, n_tasks)
    return weights


def scores(weights: Weights, inputs: Tensor) -> Tensor:
    """Score of each task, higher for greater values, (members, N, T), of inputs (N, D) or (N, L, D)."""
    layers = sum(name.endswith(".weight") for name in weights)
    features = inputs.expand(len(weights["head.own"]), *inputs.shape)
    for layer in range(layers):
        weight, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        if inputs.ndim == 2:
            features = silu(features @ weight + bias)
        else:
            features = _lstm(features @ weight[:, None] + bias[:, None], weights[f"{layer}.recurrent"])
    if inputs.ndim == 3:
        features = features[:, :, -1]
    return features @ (weights["head.shared"] + weights["head.own"])


def _lstm(driven: Tensor, recurrent: Tensor) -> Tensor:
    """Hidden states (members, N, L, H) of a long short-term memory from driven gates (members, N, L, 4 H)."""
    members, n, _, gates = driven.shape
    hidden = cell = driven.new_zeros(members, n, gates // 4)
    states = []
    for step in driven.unbind(dim=2):
        taken, kept, given, new = (step + hidden @ recurrent).chunk(4, dim=-1)
        cell = torch.sigmoid(kept) * cell + torch.sigmoid(taken) * torch.tanh(new)
        hidden = torch.sigmoid(given) * torch.tanh(cell)
        states.append(hidden)
    return torch.stack(states, dim=2)


def train(
    weights: Weights,
    inputs: Tensor,
    lessons: Sequence[Lessons],
    training: Training,
    generator: Generator,
    progress: Progress | None,
) -> dict[str, Tensor]:
    """Weights after AdamW with a learning rate that falls to zero along a cosine."""
    learned = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
    optimizer = torch.optim.AdamW(
        learned.values(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    for step in range(training.steps):
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * (1 + cos(pi * step / training.steps)) / 2
        optimizer.zero_grad()
        torch.autograd.backward(_loss(learned, inputs, lessons, training.batch, generator))
        optimizer.step()
        if progress is not None:
            progress(step + 1, training.steps)
    return {name: weight.detach() for name, weight in learned.items()}


def _loss(
    weights: Weights, inputs: Tensor, lessons: Sequence[Lessons], batch: int, generator: Generator
) -> Tensor:
    """Cross-entropy of pairs, averaged within each task, the tasks weighted."""
    picked = list(_pick(lessons, batch, generator))
    rows = torch.cat([lesson.rows[chosen] for lesson, chosen in zip(lessons, picked, strict=True)])
    seen, places = torch.unique(rows, return_inverse=True)
    found = scores(weights, inputs[seen])
    total = found.new_zeros(())
    start = 0
    for task, (lesson, chosen) in enumerate(zip(lessons, picked, strict=True)):
        own = found[:, places[start : start + len(chosen)], task]
        start += len(chosen)
        lead = lesson.values[chosen][:, None] - lesson.values[chosen][None, :]
        labels = (lead.sign() + 1) / 2 if lesson.hard else torch.sigmoid(lead)
        logits = own[:, :, None] - own[:, None, :]
        taught = lesson.taught[:, chosen]
        counted = (taught[:, :, None] & taught[:, None, :]).to(logits.dtype)
        losses = binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none")
        means = (losses * counted).sum(dim=(1, 2)) / counted.sum(dim=(1, 2)).clamp(min=1)
        total = total + lesson.weight * means.sum()
    return total


def _pick(lessons: Sequence[Lessons], batch: int, generator: Generator) -> Iterator[Tensor]:
    """Observations of each task that a step compares."""
    for lesson in lessons:
        yield torch.randperm(len(lesson.rows), generator=generator)[:batch]
