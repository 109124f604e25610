"""Array types used throughout, and the check of shapes at public borders."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
KeyArray = NDArray[np.uint64]
Rng = np.random.Generator


def check_genotypes(genotypes: Any, n_variables: int) -> IntArray:
    """Return ``genotypes`` as an (N, V) int64 array, or say what was expected and what came."""
    array = np.asarray(genotypes)
    if array.ndim != 2 or array.shape[1] != n_variables:
        raise ValueError(f"genotypes must have shape (N, {n_variables}), got {array.shape}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"genotypes must be integers, got dtype {array.dtype}")
    return array.astype(np.int64, copy=False)
