"""The file of a fitted surrogate: arrays as safetensors, the rest as JSON in its header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ktnas.errors import UserError
from ktnas.record.files import write_atomically
from ktnas.surrogate.base import State

FORMAT = "ktnas-predictor-1"


def write_state(path: Path, description: Mapping[str, Any], state: State) -> None:
    """Write ``description``, of JSON's types, and the arrays of ``state``."""
    arrays = {name: np.ascontiguousarray(array) for name, array in state.items()}
    content = save(arrays, metadata={"predictor": json.dumps({"format": FORMAT, **description})})
    write_atomically(path, content)


def read_state(path: Path) -> tuple[dict[str, Any], State]:
    """What ``write_state`` wrote.

    Raises:
        UserError: no such file, or not one that ``write_state`` wrote.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file. Expected one that Predictor.save wrote.")
    try:
        with safe_open(path, framework="numpy") as content:
            description = json.loads((content.metadata() or {}).get("predictor", "{}"))
            state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError):
        description, state = {}, {}
    if description.pop("format", None) != FORMAT:
        raise UserError(f"{path} is not a predictor. Expected a file that Predictor.save wrote.")
    return description, state
