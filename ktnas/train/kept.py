"""What a run keeps of a training: the best weights, and beside them the learning curve."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ktnas.errors import UserError
from ktnas.network.adapted import adapted_network
from ktnas.network.task import NetworkTask
from ktnas.record.files import json_bytes, write_atomically
from ktnas.registry import build
from ktnas.space import load_space

if TYPE_CHECKING:
    from torch import Tensor, nn

DIRECTORY = "trained"


def weights_path(run_dir: Path, task: str, key: str) -> Path:
    """File of the weights of the architecture ``key`` on a task; the ``.json`` beside it has its curve."""
    return run_dir / DIRECTORY / quote(task, safe=" ,+=@()") / f"{key}.safetensors"


def keep(path: Path, weights: "dict[str, Tensor]", document: dict[str, Any]) -> None:
    """Write ``weights``, and ``document``, which says whose they are, beside them.

    Raises:
        UserError: a file that cannot be written.
    """
    from safetensors.torch import save

    write_atomically(path, save({name: value.contiguous() for name, value in weights.items()}))
    write_atomically(path.with_suffix(".json"), json_bytes(document))


def load_trained(path: str | Path, space: str | Path | None = None) -> "nn.Module":
    """A network that a search has trained, with the weights of its best epoch, in evaluation mode.

    It takes the inputs of ``task`` in its file: images of floats, 0 black and 1 white, less ``mean`` and
    divided by ``deviation`` of each channel.

    Args:
        path: its file in a run, ``RUN/trained/TASK/KEY.json``, beside which its ``.safetensors`` file lies.
        space: name or YAML file of the space; None is the one of ktnas's that the file names.

    Raises:
        UserError: a file that is not there or cannot be read, a space that is unknown.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    weights = path.with_suffix(".safetensors")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        state = load_file(weights)
        found, task = load_space(space or document["space"]), NetworkTask(**document["task"])
        builder = build("network", found.network | document["network"])
        genotype = found.parse([document["architecture"]])[0]
        network = adapted_network(builder, found, genotype, task, document["seed"])
        network.load_state_dict(state)
    except OSError as problem:
        raise UserError(f"Cannot read {problem.filename or path}: {problem.strerror or problem}.") from None
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as problem:
        if isinstance(problem, UserError):
            raise
        raise UserError(f"{path} and {weights.name} are not what a search has trained: {problem}") from None
    return network.eval()
