"""Networks run by onnxruntime."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ktnas.errors import unknown
from ktnas.measure.machine import describe_machine
from ktnas.measure.onnx_file import check_onnx, export_onnx
from ktnas.measure.runner import Runner, check_threads
from ktnas.measure.timing import Run

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass
class OnnxruntimeRunner(Runner):
    """Onnxruntime's speed, with all its optimisations of the graph.

    Attributes:
        provider: of the operations, one that the installed onnxruntime has.
        threads: that an operation is spread over; operations run one after the other.
        batch: images at once.
    """

    name: ClassVar[str] = "onnxruntime"

    provider: str = "CPUExecutionProvider"
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_threads(self.threads)

    def check(self) -> None:
        """``UserError`` where onnxruntime is not installed or lacks the provider."""
        check_onnx("onnxruntime")
        import onnxruntime

        available = onnxruntime.get_available_providers()
        if self.provider not in available:
            raise unknown("provider of the installed onnxruntime:", self.provider, available)

    def describe(self) -> dict[str, Any]:
        """The machine, torch, which writes the networks, and onnxruntime."""
        return describe_machine("torch", "onnxruntime")

    def prepare(self, network: "nn.Module", inputs: "tuple[Tensor, ...]", scratch: Path) -> Run:
        """Write ``network`` as ONNX and open it."""
        import onnxruntime

        path = scratch / "network.onnx"
        export_onnx(network, inputs, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=[self.provider])
        names = [item.name for item in session.get_inputs()]
        feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=False)}

        def run(count: int) -> list[float]:
            started = time.perf_counter()
            for _ in range(count):
                session.run(None, feed)
            return [(time.perf_counter() - started) * 1000 / count]

        return run
