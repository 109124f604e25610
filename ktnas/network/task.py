"""What a network is built for: the shape of its inputs and of its outputs."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ktnas.errors import unknown

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("classification", "regression", "dense")


@dataclass(frozen=True)
class NetworkTask:
    """Images in, and what comes out.

    Attributes:
        name: the task's name.
        kind: ``classification`` (logits (B, outputs)), ``regression`` (values (B, outputs)) or ``dense`` (a map
            (B, outputs, size, size)).
        outputs: classes, values or channels.
        size: height and width of the input in pixels.
        channels: of the input.
        pieces: images per sample; with more than one the input is (B, pieces, channels, size, size) and the
            outputs belong to all of them together (jigsaw).
    """

    name: str
    kind: str
    outputs: int
    size: int
    channels: int = 3
    pieces: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind of task", self.kind, KINDS)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch."""
        image = (self.channels, self.size, self.size)
        return image if self.pieces == 1 else (self.pieces, *image)

    def inputs(self, batch: int, seed: int = 0) -> "Tensor":
        """Standard normal inputs (batch, \\*input_shape) float32, the same for the same seed."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        return torch.randn(batch, *self.input_shape, generator=generator)


_TASKS = (
    NetworkTask("cifar10", "classification", 10, 32),
    NetworkTask("cifar100", "classification", 100, 32),
    NetworkTask("ImageNet16-120", "classification", 120, 16),
    NetworkTask("imagenet", "classification", 1000, 224),
)
NETWORK_TASKS = {task.name: task for task in _TASKS}


def network_task(task: NetworkTask | str, **changes: int) -> NetworkTask:
    """The task of that name, or ``task`` itself, with ``changes`` of its attributes.

    Raises:
        UserError: an unknown name.
    """
    if isinstance(task, str):
        if task not in NETWORK_TASKS:
            raise unknown("task that networks are built for:", task, NETWORK_TASKS)
        task = NETWORK_TASKS[task]
    return replace(task, **changes)
