"""What networks are shown of a data set, batch by batch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import interpolate

from ktnas.train.augment import augmented
from ktnas.train.images import LabelledImages, Part
from ktnas.train.kinds import Kind
from ktnas.train.settings import TrainingSettings

SHOWN_AT_ONCE = 256
CALIBRATION_IMAGES = 1024
COLOURS = 3


class Lessons:
    """Inputs and targets of a task, what networks make of them, and how wrong that is.

    Args:
        kind: of the task.
        images: that are learned from.
        settings: of the training.
        size: of the images that the networks take.
        place: torch's name of the device.

    Attributes:
        steps: batches of an epoch.
    """

    def __init__(
        self, kind: Kind, images: LabelledImages, settings: TrainingSettings, size: int, place: str
    ) -> None:
        self._kind, self._size = kind, size
        self._place = torch.device(place)
        self._mean = torch.tensor(images.mean, dtype=torch.float32, device=place)[:, None, None]
        self._deviation = torch.tensor(images.deviation, dtype=torch.float32, device=place)[:, None, None]
        self._pixels, self._labels = self._placed(images.train)
        mean_image = torch.from_numpy(images.train.images.mean(axis=0).transpose(2, 0, 1))
        self._mean_image = self._normal(mean_image.to(place))
        self._batch = min(settings.batch, len(self._labels))
        self.steps = len(self._labels) // self._batch
        self._flip = images.channels >= COLOURS if settings.flip is None else settings.flip
        half = half_precision(place)
        self._mixed = torch.autocast(self._place.type, half or torch.bfloat16, enabled=half is not None)

    def batches(self, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of an epoch, augmented, in random order; what fills no batch is left out."""
        order = torch.randperm(len(self._labels), generator=generator).to(self._place)
        for step in range(self.steps):
            rows = order[step * self._batch : (step + 1) * self._batch]
            images = augmented(self._normal(self._pixels[rows]), self._flip, generator)
            yield self._kind.samples(images, self._labels[rows], generator)

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """What training minimises."""
        with self._mixed:
            return self._kind.loss(self._outputs(network, inputs), targets)

    @torch.inference_mode()
    def error(self, network: nn.Module, part: Part) -> float:
        """Error in %: wrong answers, or the variance of pixels about the mean training image that is not
        explained.
        """
        network.eval()
        generator = torch.Generator().manual_seed(0)
        pixels, labels = self._placed(part)
        found = total = 0.0
        for first in range(0, len(labels), SHOWN_AT_ONCE):
            images = self._normal(pixels[first : first + SHOWN_AT_ONCE])
            shown = labels[first : first + SHOWN_AT_ONCE]
            inputs, targets = self._kind.samples(images, shown, generator)
            with self._mixed:
                outputs = self._outputs(network, inputs)
            found += self._kind.errors(outputs, targets)
            total += self._kind.errors(self._mean_image, targets) if self._kind.dense else len(shown)
        return 100 * found / total

    @torch.no_grad()
    def calibrate(self, network: nn.Module) -> None:
        """Estimate the statistics of a network's batch norms anew, on up to ``CALIBRATION_IMAGES`` training
        images as they are; always the same.
        """
        for part in network.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.reset_running_stats()
                part.momentum = None
        network.train()
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(len(self._labels), generator=generator)[:CALIBRATION_IMAGES].to(self._place)
        for rows in torch.split(order, SHOWN_AT_ONCE):
            images = self._normal(self._pixels[rows])
            inputs, _ = self._kind.samples(images, self._labels[rows], generator)
            with self._mixed:
                self._outputs(network, inputs)

    def _outputs(self, network: nn.Module, inputs: Tensor) -> Tensor:
        outputs: Tensor = network(self._sized(inputs))
        return outputs.float()

    def _placed(self, part: Part) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(np.ascontiguousarray(part.images.transpose(0, 3, 1, 2)))
        return pixels.to(self._place), torch.from_numpy(part.labels).to(self._place)

    def _normal(self, pixels: Tensor) -> Tensor:
        """Images of bytes as floats of mean 0 and deviation 1 per channel, over the training images."""
        return (pixels.float() / 255 - self._mean) / self._deviation

    def _sized(self, inputs: Tensor) -> Tensor:
        if inputs.shape[-1] == self._size:
            return inputs
        images = inputs.flatten(0, -4)
        scaled = interpolate(images, size=(self._size, self._size), mode="bilinear", antialias=True)
        return scaled.reshape(*inputs.shape[:-2], self._size, self._size)


def half_precision(place: str) -> torch.dtype | None:
    """The type of half the size that networks are computed in on a device; None for the CPU."""
    if torch.device(place).type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
