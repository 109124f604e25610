"""Networks as ONNX files."""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ktnas.errors import UserError
from ktnas.measure.quiet import quiet_output

if TYPE_CHECKING:
    from torch import Tensor, nn

NEEDED = ("onnx", "onnxscript")


def check_onnx(*packages: str) -> None:
    """``UserError`` where a package that exporting needs, or one of ``packages``, is not installed."""
    missing = [name for name in (*NEEDED, *packages) if find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)} not installed, which ONNX needs: pip install 'ktnas[onnx]'")
    import onnx  # noqa: F401 - here, that it is imported once, before processes that need it are forked


def export_onnx(network: "nn.Module", inputs: "tuple[Tensor, ...]", path: Path) -> None:
    """Write ``network``, in evaluation mode, for inputs of exactly these shapes.

    By torch's exporter that traces, which takes a tenth of the time of its newer one; by that one where the
    former does not know an operation.

    Raises:
        UserError: neither can write it.
    """
    import torch

    problems = []
    for dynamo in (False, True):
        try:
            with warnings.catch_warnings(), quiet_output():
                warnings.simplefilter("ignore")
                torch.onnx.export(network, inputs, path, dynamo=dynamo, verbose=False)
        except Exception as problem:  # exporters raise what they please
            problems.append(str(problem).strip().splitlines()[0] if str(problem) else repr(problem))
        else:
            return
    raise UserError(f"The network cannot be written as ONNX: {problems[0]}; {problems[1]}")
