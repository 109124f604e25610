"""Training one network."""

import math
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ktnas.task.isolation import AnswerError
from ktnas.train.augment import augmented
from ktnas.train.images import LabelledImages, Part
from ktnas.train.kinds import Kind
from ktnas.train.settings import TrainingSettings

MOMENTUM = 0.9
LARGEST_GRADIENT = 5.0
SHOWN_AT_ONCE = 256
LEAST_PATIENCE = 3
PATIENT_SHARE = 1 / 3
COLOURS = 3


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
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        return _train(_Session(network, size, kind, images, settings, place), settings.epochs)


def _train(session: "_Session", epochs: int) -> Trained:
    network, kind, images = session.network, session.kind, session.images
    started = time.perf_counter()
    curve: list[Epoch] = []
    weights: dict[str, Tensor] = {}
    best = math.inf
    patience = max(LEAST_PATIENCE, math.ceil(epochs * PATIENT_SHARE))
    for epoch in range(1, epochs + 1):
        loss = session.learn()
        if not math.isfinite(loss):
            raise AnswerError(f"training diverged: the loss is {loss} in epoch {epoch}")
        error = session.error(images.valid)
        if error < best or not weights:
            best = error
            weights = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
        curve.append(Epoch(epoch, loss, error, time.perf_counter() - started))
        if epoch >= patience and kind.is_chance(best, len(images.valid.labels)):
            break
    network.load_state_dict(weights)
    return Trained(weights, curve, best, session.error(images.test))


class _Session:
    """A network, its optimiser and its images, epoch by epoch."""

    def __init__(
        self,
        network: nn.Module,
        size: int,
        kind: Kind,
        images: LabelledImages,
        settings: TrainingSettings,
        place: str,
    ) -> None:
        self.network, self.size, self.kind, self.images = network.to(place), size, kind, images
        self.place = torch.device(place)
        self.mean = torch.tensor(images.mean, dtype=torch.float32, device=place)[:, None, None]
        self.deviation = torch.tensor(images.deviation, dtype=torch.float32, device=place)[:, None, None]
        self.pixels, self.labels = self._placed(images.train)
        mean_image = torch.from_numpy(images.train.images.mean(axis=0).transpose(2, 0, 1))
        self.mean_image = self._normal(mean_image.to(place))
        self.batch = min(settings.batch, len(self.labels))
        self.flip = images.channels >= COLOURS if settings.flip is None else settings.flip
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            settings.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            weight_decay=settings.weight_decay,
        )
        steps = settings.epochs * (len(self.labels) // self.batch)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        on_gpu = self.place.type == "cuda"
        brain_floats = on_gpu and torch.cuda.is_bf16_supported()
        self.mixed = torch.autocast(
            self.place.type, torch.bfloat16 if brain_floats or not on_gpu else torch.float16, enabled=on_gpu
        )
        self.scaler = torch.amp.GradScaler(self.place.type, enabled=on_gpu and not brain_floats)

    def learn(self) -> float:
        """One epoch; the mean loss of its steps. Images that do not fill a batch are left out."""
        self.network.train()
        order = torch.randperm(len(self.labels), generator=self.generator).to(self.place)
        total = torch.zeros((), device=self.place)
        steps = len(order) // self.batch
        for step in range(steps):
            rows = order[step * self.batch : (step + 1) * self.batch]
            images = augmented(self._normal(self.pixels[rows]), self.flip, self.generator)
            inputs, targets = self.kind.samples(images, self.labels[rows], self.generator)
            with self.mixed:
                loss = self.kind.loss(self.network(self._sized(inputs)).float(), targets)
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(self.scaler.scale(loss))
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.schedule.step()
            total += loss.detach()
        return float(total) / steps

    @torch.inference_mode()
    def error(self, part: Part) -> float:
        """Error in %: wrong answers, or the variance of pixels about the mean training image that is not
        explained.
        """
        self.network.eval()
        generator = torch.Generator().manual_seed(0)
        pixels, labels = self._placed(part)
        found = total = 0.0
        for first in range(0, len(labels), SHOWN_AT_ONCE):
            images = self._normal(pixels[first : first + SHOWN_AT_ONCE])
            shown = labels[first : first + SHOWN_AT_ONCE]
            inputs, targets = self.kind.samples(images, shown, generator)
            with self.mixed:
                outputs = self.network(self._sized(inputs)).float()
            found += self.kind.errors(outputs, targets)
            total += self.kind.errors(self.mean_image, targets) if self.kind.dense else len(shown)
        return 100 * found / total

    def _placed(self, part: Part) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(part.images.transpose(0, 3, 1, 2)))
        return pixels.to(self.place), torch.from_numpy(part.labels).to(self.place)

    def _normal(self, pixels: Tensor) -> Tensor:
        """Images of bytes as floats of mean 0 and deviation 1 per channel, over the training images."""
        return (pixels.float() / 255 - self.mean) / self.deviation

    def _sized(self, inputs: Tensor) -> Tensor:
        if inputs.shape[-1] == self.size:
            return inputs
        images = inputs.flatten(0, -4)
        scaled = interpolate(images, size=(self.size, self.size), mode="bilinear", antialias=True)
        return scaled.reshape(*inputs.shape[:-2], self.size, self.size)
