"""Training one network."""

import math
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from itertools import repeat

import torch
from torch import Tensor, nn

from ktnas.task.isolation import AnswerError
from ktnas.train.descent import Descent, learn
from ktnas.train.images import LabelledImages
from ktnas.train.kinds import Kind
from ktnas.train.lessons import Lessons
from ktnas.train.settings import TrainingSettings

LEAST_PATIENCE = 3
PATIENT_SHARE = 1 / 3


@dataclass(frozen=True)
class Epoch:
    """A point of the learning curve.

    Attributes:
        epoch: from 1.
        train_loss: mean over the epoch's steps.
        valid_error: in %, after it.
        seconds: since training began.
    """

    epoch: int
    train_loss: float
    valid_error: float
    seconds: float


@dataclass(frozen=True)
class Trained:
    """What training came to.

    Attributes:
        weights: state dict of the best epoch, on the CPU; the network has these weights.
        curve: one point per epoch that was trained.
        valid_error: in %, of the best epoch, the earliest of equals.
        test_error: in %, of the same weights.
    """

    weights: dict[str, Tensor]
    curve: list[Epoch]
    valid_error: float
    test_error: float

    @property
    def best_epoch(self) -> int:
        """The epoch that the weights are of."""
        return min(self.curve, key=lambda point: point.valid_error).epoch

    def rows(self) -> list[dict[str, float]]:
        """The curve as plain numbers."""
        return [asdict(point) for point in self.curve]


def train(
    network: nn.Module, size: int, kind: Kind, images: LabelledImages, settings: TrainingSettings, place: str
) -> Trained:
    """Train ``network`` on the training part, judge each epoch on the validation part, the best on the test.

    A network that cannot be told from chance after a third of the epochs, and three, is given up; what it
    came to counts. The same arguments give the same numbers on a CPU with one thread.

    Args:
        network: of the task, with its initial weights.
        size: of the images that the network takes, where its genotype chooses another than the task's.
        kind: of the task.
        images: that it is learned from.
        settings: of the training.
        place: torch's name of the device.

    Raises:
        AnswerError: the loss became infinite or no number.
    """
    network.to(place)
    lessons = Lessons(kind, images, settings, size, place)
    descent = Descent(network.parameters(), settings, settings.epochs * lessons.steps, place)
    generator = torch.Generator().manual_seed(settings.seed)
    started = time.perf_counter()
    curve: list[Epoch] = []
    weights: dict[str, Tensor] = {}
    best = math.inf
    patience = max(LEAST_PATIENCE, math.ceil(settings.epochs * PATIENT_SHARE))
    with repeatable():
        for epoch in range(1, settings.epochs + 1):
            loss = learn(lessons, descent, repeat(network.train()), generator)
            check_loss(loss, epoch)
            error = lessons.error(network, images.valid)
            if error < best or not weights:
                best = error
                weights = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
            curve.append(Epoch(epoch, loss, error, time.perf_counter() - started))
            if epoch >= patience and kind.is_chance(best, len(images.valid.labels)):
                break
        network.load_state_dict(weights)
        return Trained(weights, curve, best, lessons.error(network, images.test))


def repeatable() -> AbstractContextManager[None]:
    """Within, a GPU computes the same again where cuDNN can."""
    flags: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True
    )
    return flags


def check_loss(loss: float, epoch: int) -> None:
    """Raise ``AnswerError`` where the mean loss of an epoch is infinite or no number."""
    if not math.isfinite(loss):
        raise AnswerError(f"training diverged: the loss is {loss} in epoch {epoch}")
