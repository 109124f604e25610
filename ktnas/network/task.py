"""What a network is built for: the shape of its inputs and of its outputs."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ktnas.errors import UserError, unknown

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("classification", "regression", "dense")
PIXELS = ("values", "logits")


@dataclass(frozen=True)
class NetworkTask:
    """Images in, and what comes out.

    Attributes:
        name: the task's name.
        kind: ``classification`` (logits (B, outputs)), ``regression`` (values (B, outputs)) or ``dense`` (a
            map (B, outputs, size, size)).
        outputs: classes, values or channels.
        size: height and width of the input in pixels.
        channels: of the input.
        pieces: images per sample; with more than one the input is (B, pieces, channels, size, size) and the
            outputs belong to all of them together (jigsaw).
        pixels: of a dense task: ``values`` in [-1, 1], one per output, or ``logits`` of that many classes.
    """

    name: str
    kind: str
    outputs: int
    size: int
    channels: int = 3
    pieces: int = 1
    pixels: str = "values"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind of task", self.kind, KINDS)
        if self.pixels not in PIXELS:
            raise unknown("pixels of a task:", self.pixels, PIXELS)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch."""
        image = (self.channels, self.size, self.size)
        return image if self.pieces == 1 else (self.pieces, *image)

    def inputs(self, batch: int, seed: int = 0) -> "Tensor":
        """Standard normal inputs of shape ``(batch, *input_shape)``, float32, the same for the same seed."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        return torch.randn(batch, *self.input_shape, generator=generator)


_TASKS = (
    NetworkTask("cifar10", "classification", 10, 32),
    NetworkTask("cifar100", "classification", 100, 32),
    NetworkTask("ImageNet16-120", "classification", 120, 16),
    NetworkTask("imagenet", "classification", 1000, 224),
    # TransNAS-Bench-101 (Duan et al., CVPR 2021), on Taskonomy
    NetworkTask("class_object", "classification", 75, 256),
    NetworkTask("class_scene", "classification", 47, 256),
    NetworkTask("room_layout", "regression", 9, 256),
    NetworkTask("jigsaw", "classification", 1000, 64, pieces=9),
    NetworkTask("autoencoder", "dense", 3, 256),
    NetworkTask("normal", "dense", 3, 256),
    NetworkTask("segmentsemantic", "dense", 17, 256, pixels="logits"),
)
NETWORK_TASKS = {task.name: task for task in _TASKS}
"""Tasks on images by name; those on graphs are ``GRAPH_TASKS``."""


def network_task(task: NetworkTask | str, **changes: Any) -> NetworkTask:
    """The task of that name, or ``task`` itself, with ``changes`` of its attributes.

    Raises:
        UserError: an unknown name.
    """
    if isinstance(task, str):
        from ktnas.network.graph_task import GRAPH_TASKS

        known = NETWORK_TASKS | GRAPH_TASKS
        if task not in known:
            raise unknown("task that networks are built for:", task, known)
        task = known[task]
    return replace(task, **changes)


def is_network_task(name: str) -> bool:
    """Whether networks can be built for a task of that name."""
    from ktnas.network.graph_task import GRAPH_TASKS

    return name in NETWORK_TASKS | GRAPH_TASKS


def check_task(task: NetworkTask, networks: str) -> None:
    """Refuse a task whose outputs are not a vector per image; ``networks`` is their name in the message.

    Raises:
        UserError: a dense task, or one of several images per sample.
    """
    if task.kind == "dense" or task.pieces > 1:
        raise UserError(
            f"Task {task.name}: {networks} networks give a vector per image, not {task.kind} outputs of "
            f"{task.pieces} image(s). Use a classification or regression task with pieces=1."
        )
