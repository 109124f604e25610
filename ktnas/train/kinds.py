"""What is learned from images: kinds of tasks, each with its samples, its loss and its error."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy, mse_loss

from ktnas.errors import UserError
from ktnas.network.task import NetworkTask
from ktnas.train.images import LabelledImages

KINDS = ("classification", "rotation", "jigsaw", "autoencoding")
TURNS = 4
PIECES = 4
ORDERS = tuple(permutations(range(PIECES)))

Samples = Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]]
"""From images (B, C, S, S), their labels (B,) and a generator to inputs and targets."""


@dataclass(frozen=True)
class Kind:
    """A kind of task.

    Attributes:
        samples: what networks are shown, and what they are to answer.
        network: what networks are built for.
        chance: error in % of an answer that ignores the input.
        dense: whether networks put out images; classes otherwise.
    """

    samples: Samples
    network: NetworkTask
    chance: float
    dense: bool = False

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What training minimises: cross-entropy, or the mean squared error of pixels."""
        return mse_loss(outputs, targets) if self.dense else cross_entropy(outputs, targets)

    def is_chance(self, error: float, answers: int) -> bool:
        """Whether an error in % of so many answers is not below chance by its standard error.

        An error of pixels has none: it is chance from 100 % on.
        """
        share = self.chance / 100
        doubt = 0.0 if self.dense else 100 * math.sqrt(share * (1 - share) / answers)
        return not error < self.chance - doubt

    def errors(self, outputs: Tensor, targets: Tensor) -> float:
        """Wrong answers in a batch, or the sum of squared errors of pixels."""
        if self.dense:
            return float(((outputs - targets) ** 2).sum(dtype=torch.float64))
        return float((outputs.argmax(dim=1) != targets).sum())


def kind_of(name: str, images: LabelledImages, kind: str) -> Kind:
    """The task ``name`` on ``images``.

    - ``classification``: the class of an image.
    - ``rotation``: by which of 4 quarter turns an image was turned (Gidaris et al., ICLR 2018).
    - ``jigsaw``: in which of 24 orders the 4 quarters of an image are shown (after Noroozi and Favaro,
      ECCV 2016, and TransNAS-Bench-101, which have 9 pieces).
    - ``autoencoding``: the image itself, from the network's pooled features alone.

    Raises:
        UserError: fewer than two classes to tell apart, or images too small to be cut.
    """
    size, channels = images.size, images.channels
    if kind == "autoencoding":
        return Kind(_same, NetworkTask(name, "dense", channels, size, channels), 100.0, dense=True)
    if kind == "rotation":
        network = NetworkTask(name, "classification", TURNS, size, channels)
        return Kind(_turned, network, 100 * (1 - 1 / TURNS))
    if kind == "jigsaw":
        if size < 4:
            raise UserError(f"{images.name}: images of {size} pixels are too small for jigsaw, 4 are needed.")
        network = NetworkTask(name, "classification", len(ORDERS), size // 2, channels, pieces=PIECES)
        return Kind(_shuffled, network, 100 * (1 - 1 / len(ORDERS)))
    for part, labels in (("training", images.train.labels), ("validation", images.valid.labels)):
        if len(np.unique(labels)) < 2:
            raise UserError(
                f"{images.name}: task {name} needs images of two classes or more, its {part} images have "
                f"{len(np.unique(labels))}. Use target=[rotation], [jigsaw] or [autoencoding], which need "
                "no classes."
            )
    shares = np.bincount(images.train.labels) / len(images.train.labels)
    network = NetworkTask(name, "classification", images.classes, size, channels)
    return Kind(_labelled, network, 100 * (1 - float(shares.max())))


def _labelled(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    return images, labels


def _same(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    return images, images


def _turned(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    turns = torch.randint(TURNS, (len(images),), generator=generator).to(images.device)
    turned = torch.stack([torch.rot90(images, turn, (2, 3)) for turn in range(TURNS)])
    return turned[turns, torch.arange(len(images), device=images.device)], turns


def _shuffled(images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    half = images.shape[-1] // 2
    rows = (images[:, :, :half], images[:, :, half : 2 * half])
    quarters = [part for row in rows for part in (row[..., :half], row[..., half : 2 * half])]
    chosen = torch.randint(len(ORDERS), (len(images),), generator=generator).to(images.device)
    orders = torch.tensor(ORDERS, device=images.device)[chosen]
    pieces = torch.stack(quarters, dim=1)
    return pieces[torch.arange(len(images), device=images.device)[:, None], orders], chosen
