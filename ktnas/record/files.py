"""Writing result files: whole or not at all, in plain JSON, with names that any file system takes."""

import json
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ktnas.errors import UserError

SUMMARY_NAME = "summary.json"
"""Written last: a run that has it is finished."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` so that a reader sees the old file or the new one, never a part.

    Raises:
        UserError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"Cannot write {path}: {error.strerror or error}. "
            "Free space, or name a directory that can be written."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(directory: Path) -> None:
    """Remove from ``directory`` what is left of writes that were killed; nobody may be writing there."""
    for path in directory.glob(".*.tmp"):
        if re.fullmatch(r"\..+\.\d+\.tmp", path.name):
            with suppress(OSError):
                path.unlink()


def json_bytes(document: Any) -> bytes:
    """``document`` as indented strict JSON; NaN and infinity, which JSON lacks, become null."""
    return (json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def plain(value: Any) -> Any:
    """``value`` in the types of JSON: arrays, numpy scalars, paths and non-finite numbers translated."""
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def front_stem(task: str, device: str | None, several_devices: bool) -> str:
    """File name, without its ending, of a front: ``front_<task>``, and ``_<device>`` when there are several.

    Characters that a file name may not have are percent-encoded.
    """
    parts = ["front", task] + ([device] if device is not None and several_devices else [])
    return "_".join(quote(part, safe=" ,+=@()") for part in parts)
