"""What a run keeps of a training: the best weights, and beside them the learning curve."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ktnas.record.files import json_bytes, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

DIRECTORY = "trained"


def directory_of(run_dir: Path, task: str) -> Path:
    """Where a run keeps what it trains on a task."""
    return run_dir / DIRECTORY / quote(task, safe=" ,+=@()")


def weights_path(run_dir: Path, task: str, key: str) -> Path:
    """File of the weights of the architecture ``key`` on a task; the ``.json`` beside it has its curve.

    ``ktnas.report.networks.load_network`` makes a network of the two.
    """
    return directory_of(run_dir, task) / f"{key}.safetensors"


def keep(path: Path, weights: "dict[str, Tensor]", document: dict[str, Any]) -> None:
    """Write ``weights``, and ``document``, which says whose they are, beside them.

    Raises:
        UserError: a file that cannot be written.
    """
    from safetensors.torch import save

    write_atomically(path, save({name: value.contiguous() for name, value in weights.items()}))
    write_atomically(path.with_suffix(".json"), json_bytes(document))
