"""What networks are shown: inputs and labels, random or one's own, and the loss of their outputs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ktnas.errors import UserError
from ktnas.network.task import NetworkTask

CORRELATION = 0.9
"""Of the colour channels of random images; natural ones have about as much."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and labels of a task.

    Attributes:
        task: whose they are.
        inputs: (B, ...) float32, each of shape ``task.input_shape``.
        labels: int64 classes (B,), or of the pixels of a dense task (B, size, size); else float32 of the
            outputs' shape.
    """

    task: NetworkTask
    inputs: Tensor
    labels: Tensor

    @property
    def classes(self) -> Tensor | None:
        """Class (B,) of each sample; None where samples are of no class."""
        one_each = self.labels.ndim == 1 and not self.labels.is_floating_point()
        return self.labels if one_each else None

    def loss(self, outputs: Tensor) -> Tensor:
        """Mean loss: cross-entropy of classes, squared error of values, L1 distance of maps of values."""
        if _has_classes(self.task):
            return functional.cross_entropy(outputs, self.labels)
        if self.task.kind == "regression":
            return functional.mse_loss(outputs, self.labels)
        return functional.l1_loss(outputs, self.labels)


def random_batch(task: NetworkTask, size: int, seed: int, device: str) -> Batch:
    """Random images with uniformly drawn classes or standard normal values; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    inputs = random_images(size * task.pieces, task.channels, task.size, generator)
    if _has_classes(task):
        labels = torch.randint(task.outputs, (size, *_image(task)), generator=generator)
    else:
        labels = torch.randn(size, task.outputs, *_image(task), generator=generator)
    return _on_device(task, inputs.reshape(size, *task.input_shape), labels, device)


def random_images(count: int, channels: int, size: int, generator: torch.Generator) -> Tensor:
    """Gaussian images (count, channels, size, size) with the second moments of natural ones.

    Their amplitudes fall as the inverse of the frequency (Field, "Relations between the statistics of natural
    images and the response properties of cortical cells", 1987), the constant part as the lowest one; two
    channels correlate by ``CORRELATION``. Mean 0, variance 1 over all images.
    """
    grey = torch.randn(count, 1, size, size, generator=generator)
    colour = torch.randn(count, channels, size, size, generator=generator)
    noise = CORRELATION**0.5 * grey + (1 - CORRELATION) ** 0.5 * colour
    frequencies = torch.fft.fftfreq(size)
    radius = torch.hypot(frequencies[:, None], frequencies).clamp_min(1 / size)
    images: Tensor = torch.fft.ifft2(torch.fft.fft2(noise) / radius).real
    return (images - images.mean()) / images.std()


def own_batch(task: NetworkTask, inputs: Any, labels: Any, device: str) -> Batch:
    """A user's arrays or tensors as a batch.

    Raises:
        UserError: inputs of another shape than the task's, or labels that do not fit.
    """
    inputs, labels = _tensor(inputs), _tensor(labels)
    if inputs.ndim == 0 or tuple(inputs.shape[1:]) != task.input_shape:
        raise UserError(
            f"Inputs of shape {tuple(inputs.shape)}: task {task.name} takes (batch, "
            f"{', '.join(map(str, task.input_shape))})."
        )
    _check_labels(task, labels, len(inputs))
    return _on_device(task, inputs.float(), labels, device)


def _tensor(array: Any) -> Tensor:
    return array.detach() if isinstance(array, Tensor) else torch.from_numpy(np.array(array))


def _has_classes(task: NetworkTask) -> bool:
    return task.kind == "classification" or (task.kind == "dense" and task.pixels == "logits")


def _image(task: NetworkTask) -> tuple[int, ...]:
    return (task.size, task.size) if task.kind == "dense" else ()


def _check_labels(task: NetworkTask, labels: Tensor, samples: int) -> None:
    classes, values = (samples, *_image(task)), (samples, task.outputs, *_image(task))
    shape = tuple(labels.shape)
    if labels.is_floating_point():
        fits = shape == values
    else:
        fits = (
            _has_classes(task) and shape == classes and bool(((labels >= 0) & (labels < task.outputs)).all())
        )
    if not fits:
        integers = (
            f"integers from 0 to {task.outputs - 1} of shape {classes}, or " if _has_classes(task) else ""
        )
        given = str(labels.dtype).removeprefix("torch.")
        raise UserError(
            f"Labels {given} of shape {shape}: task {task.name} takes {integers}floats of shape {values}."
        )


def _on_device(task: NetworkTask, inputs: Tensor, labels: Tensor, device: str) -> Batch:
    memory = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
    labels = labels.float() if labels.is_floating_point() else labels.long()
    return Batch(task, inputs.to(device, memory_format=memory), labels.to(device))
