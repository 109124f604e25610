"""Networks run by torch, as they are or compiled, on a CPU or a GPU."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ktnas.errors import UserError
from ktnas.measure.machine import describe_machine
from ktnas.measure.runner import Runner, check_threads
from ktnas.measure.timing import Run

Forward = Callable[..., Any]


@dataclass
class TorchRunner(Runner):
    """Torch's own speed, without gradients.

    On a GPU each run is waited for: the time is that of one batch from start to end, not of a queue of them.

    Attributes:
        place: ``cpu``, ``cuda`` or ``cuda:NUMBER``.
        compiled: whether ``torch.compile`` compiles the network first.
        threads: that operations are spread over on the CPU.
        batch: images at once.
    """

    name: ClassVar[str] = "torch"

    place: str = "cpu"
    compiled: bool = False
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_threads(self.threads)
        try:
            kind = torch.device(self.place).type
        except RuntimeError:
            kind = ""
        if kind not in ("cpu", "cuda"):
            raise UserError(f"place={self.place}: expected cpu, cuda or cuda:NUMBER.")

    @property
    def patience(self) -> float:
        """Seconds after which a network is given up: compiling one takes minutes on a slow machine."""
        return 1200.0 if self.compiled else super().patience

    @property
    def on_gpu(self) -> bool:
        """Whether networks run on a GPU."""
        return torch.device(self.place).type == "cuda"

    def check(self) -> None:
        """``UserError`` where torch finds no such GPU."""
        if not self.on_gpu:
            return
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (torch.device(self.place).index or 0) >= found:
            raise UserError(
                f"place={self.place}: torch {torch.__version__} finds {found or 'no'} GPU on this machine. "
                "Install a build of torch for your GPU, or measure with device=cpu."
            )

    def describe(self) -> dict[str, Any]:
        """The machine, torch, and the GPU where it is used."""
        facts = describe_machine("torch")
        if self.on_gpu:
            facts |= {"gpu": torch.cuda.get_device_name(self.place), "cuda": torch.version.cuda}
        return facts

    def prepare(self, network: nn.Module, inputs: tuple[Tensor, ...], scratch: Path) -> Run:
        """Move ``network`` and ``inputs`` to the device, and compile it if so asked.

        Raises:
            UserError: ``torch.compile`` does not work here.
        """
        torch.set_num_threads(self.threads)
        device = torch.device(self.place)
        moved = network.to(device)
        placed = tuple(tensor.to(device) for tensor in inputs)
        called = _compile(moved, placed) if self.compiled else moved
        return _runs(called, placed, torch.cuda.synchronize if self.on_gpu else None)


def _runs(network: Forward, inputs: tuple[Tensor, ...], wait: Callable[[], Any] | None) -> Run:
    """Runs of ``network`` one after the other; ``wait`` returns when the device has finished."""

    def run(count: int) -> list[float]:
        with torch.inference_mode():
            started = time.perf_counter()
            for _ in range(count):
                network(*inputs)
                if wait is not None:
                    wait()
            return [(time.perf_counter() - started) * 1000 / count]

    return run


def _compile(network: nn.Module, inputs: tuple[Tensor, ...]) -> Forward:
    """The compiled network; its first run, in which torch compiles it, is made here."""
    from torch._inductor import config

    config.compile_threads = 1  # in this process, which is killed when it takes too long
    compiled: Forward = torch.compile(network)
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on other precisions, which would be another network
            compiled(*inputs)
    except Exception as problem:  # the compiler raises what it pleases
        reason = next((line.strip() for line in str(problem).splitlines() if line.strip()), repr(problem))
        raise UserError(
            f"torch.compile does not work here: {reason} It needs a C++ compiler (g++ or clang) on a CPU, "
            "Triton on a GPU. Install it, or measure without compiling: device=cpu or device=cuda."
        ) from None
    return compiled
