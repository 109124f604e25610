"""What every runner offers: it takes a network to its device and times runs of it."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ktnas.errors import UserError
from ktnas.measure.timing import Run

if TYPE_CHECKING:
    from torch import Tensor, nn


class Runner(ABC):
    """One way of running networks. A plug-in: a dataclass whose fields are parameters.

    Networks are single precision. A process prepares one network; ``check`` and ``describe`` are called in
    another process.

    Attributes:
        name: in the registry.
        warms_up: whether the first runs are slower than the others and do not count.
        batch: images that a network is given at once.
    """

    name: ClassVar[str]
    warms_up: ClassVar[bool] = True
    batch: int

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UserError(f"batch={self.batch}: expected 1 image or more.")

    @property
    def patience(self) -> float:
        """Seconds after which a network is given up, unless the user says otherwise."""
        return 120.0

    @abstractmethod
    def check(self) -> None:
        """Refuse to work where it cannot, ``UserError`` saying what is missing and what to do."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the numbers depend on beside the runner's parameters: hardware and versions, JSON-able."""

    @abstractmethod
    def prepare(self, network: "nn.Module", inputs: "tuple[Tensor, ...]", scratch: Path) -> Run:
        """Take ``network``, in evaluation mode, and its ``inputs`` to the device.

        Settings of the whole process, its threads say, may be changed.

        Args:
            network: takes the ``inputs``.
            inputs: tensors whose first dimension is the batch.
            scratch: directory for files.

        Returns:
            What runs it, once or several times, and gives milliseconds of one run: see ``timing.Run``.
        """


def check_threads(threads: int) -> None:
    """``UserError`` unless there is a thread."""
    if threads < 1:
        raise UserError(f"threads={threads}: expected 1 or more.")
