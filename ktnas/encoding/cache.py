"""Where learned weights are kept between runs: npz files without pickle in the user's cache directory."""

import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray


def cache_dir() -> Path:
    """``KTNAS_CACHE`` from the environment, else the user's cache directory of ktnas."""
    return Path(os.environ.get("KTNAS_CACHE") or platformdirs.user_cache_dir("ktnas"))


def load_arrays(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]] | None:
    """Float32 arrays of these names and shapes; None, with a warning, if the file holds anything else.

    None without a word if there is no file.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in shapes}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        arrays = {}
    for name, shape in shapes.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
            warnings.warn(f"{path} is damaged; it is made anew.", RuntimeWarning, stacklevel=2)
            return None
    return arrays


def save_arrays(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write ``arrays`` so that a reader finds the whole file or none; only a warning if that fails."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            contents: dict[str, Any] = dict(arrays)
            np.savez(file, **contents)
        temporary.replace(path)
    except OSError as problem:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        warnings.warn(f"{path} could not be written ({problem.strerror}).", RuntimeWarning, stacklevel=2)
