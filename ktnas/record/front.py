"""Non-dominated sets and what they are worth. Everything is minimised."""

import math

import moocore
import numpy as np

from ktnas.arrays import BoolArray, FloatArray

MARGIN = 0.1
"""Share of a front's range by which the reference point lies beyond its worst values, for every method."""


def non_dominated(F: FloatArray) -> BoolArray:
    """Which points no other point dominates.

    Args:
        F: (N, m) objectives. A row with NaN or infinity is never on the front and dominates nothing. Of equal
            rows the first stays. With m = 1 the front is the first best row.

    Returns:
        (N,) mask.
    """
    F = _points(F)
    mask = np.asarray(np.isfinite(F).all(axis=1))
    if mask.any():
        mask[mask] = moocore.is_nondominated(F[mask], keep_weakly=False)
    return mask


def reference_point(front: FloatArray) -> FloatArray:
    """Where hypervolume is measured from: the nadir of ``front`` and 10 % of its range beyond.

    Where the range is zero (a front of one point), 10 % of the value's magnitude stands in, or 1 if that is
    zero too. Rows that are not on the front of ``front`` do not count.

    Args:
        front: (R, m) with at least one finite row.

    Returns:
        (m,) reference.
    """
    front = _points(front)
    front = front[non_dominated(front)]
    if not len(front):
        raise ValueError("the reference point needs at least one point that is finite")
    nadir = front.max(axis=0)
    spread = nadir - front.min(axis=0)
    magnitude = np.where(nadir != 0, np.abs(nadir), 1 / MARGIN)
    result: FloatArray = nadir + MARGIN * np.where(spread > 0, spread, magnitude)
    return result


def hypervolume(F: FloatArray, reference: FloatArray) -> float:
    """Volume between ``F`` and ``reference`` that ``F`` dominates; 0 when no point beats the reference.

    Args:
        F: (N, m) objectives; rows with NaN or infinity, and points beyond the reference, add nothing.
        reference: (m,).
    """
    F, reference = _points(F), np.asarray(reference, dtype=np.float64)
    if reference.shape != (F.shape[1],):
        raise ValueError(f"reference must have shape ({F.shape[1]},), got {reference.shape}")
    useful = F[np.isfinite(F).all(axis=1) & (reference > F).all(axis=1)]
    return float(moocore.hypervolume(useful, reference)) if len(useful) else 0.0


def hypervolume_ratio(F: FloatArray, true_front: FloatArray) -> float:
    """Hypervolume of ``F`` over that of the true front, measured from ``reference_point(true_front)``."""
    reference = reference_point(true_front)
    return hypervolume(F, reference) / hypervolume(true_front, reference)


def hypervolume_curve(F: FloatArray, reference: FloatArray) -> FloatArray:
    """Hypervolume of the first 1, 2, ..., N rows of ``F``.

    Args:
        F: (N, m) objectives in the order of their evaluation; NaN rows repeat the value before.
        reference: (m,).

    Returns:
        (N,), never decreasing.
    """
    F = _points(F)
    curve = np.zeros(len(F))
    front = np.empty((0, F.shape[1]))
    for i, point in enumerate(F):
        improves = np.isfinite(point).all() and (point < reference).all()
        if improves and not (front <= point).all(axis=1).any():
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
            curve[i] = hypervolume(front, reference)
        elif i:
            curve[i] = curve[i - 1]
    return curve


def best_so_far(values: FloatArray) -> FloatArray:
    """Smallest of the first 1, 2, ..., N of ``values`` (N,); NaN until the first number."""
    result: FloatArray = np.fmin.accumulate(np.asarray(values, dtype=np.float64))
    return result


def regret(values: FloatArray, optimum: float) -> float:
    """How far the best of ``values`` (N,) is from ``optimum``; NaN when all are NaN."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.min()) - optimum if len(finite) else math.nan


def _points(F: FloatArray) -> FloatArray:
    F = np.asarray(F, dtype=np.float64)
    if F.ndim != 2 or F.shape[1] < 1:
        raise ValueError(f"objectives must have shape (N, m) with m >= 1, got {F.shape}")
    return F
