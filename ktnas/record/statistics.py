"""Means over seeds and paired tests between groups of runs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from ktnas.arrays import FloatArray

MIN_PAIRS = 6
"""With fewer pairs the two-sided Wilcoxon test cannot fall below 0.05: none is made."""


def mean_and_error(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and its standard error over the first axis (runs), NaN left out.

    Args:
        values: (R,) or (R, T).

    Returns:
        Two arrays of shape () or (T,). The mean is NaN without a value, the standard error with fewer than
        two.
    """
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    squares = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
    scale = (count * (count - 1.0)).astype(np.float64)
    variance = np.divide(squares, scale, out=np.full(count.shape, np.nan), where=count > 1)
    return mean, np.sqrt(variance)


@dataclass(frozen=True)
class PairedTest:
    """Two groups on their common seeds.

    Attributes:
        a: a group.
        b: the other.
        n: seeds that both have.
        difference: mean of a minus b; NaN without a pair.
        lower: share of the pairs in which a is the lower one, ties counting half; NaN without a pair.
        p: two-sided Wilcoxon signed-rank test; NaN when none was made.
        p_holm: ``p`` corrected by Holm for all tests of the family.
        note: why there is no test.
    """

    a: str
    b: str
    n: int
    difference: float
    lower: float
    p: float
    p_holm: float
    note: str


def paired_tests(groups: Mapping[str, Mapping[Any, float]]) -> list[PairedTest]:
    """Test every pair of groups on the seeds they share; Holm's correction is over all of them.

    Args:
        groups: name to seed to final value; NaN leaves the seed out.
    """
    results = [_compare(a, b, groups[a], groups[b]) for a, b in combinations(groups, 2)]
    corrected = holm([test.p for test in results])
    return [replace(test, p_holm=p) for test, p in zip(results, corrected, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979); NaN stays NaN and is not counted as a test."""
    p = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: int(np.isfinite(p).sum())]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return [float(value) for value in corrected]


def _compare(a: str, b: str, of_a: Mapping[Any, float], of_b: Mapping[Any, float]) -> PairedTest:
    pairs = [(of_a[seed], of_b[seed]) for seed in of_a if seed in of_b]
    differences = np.array([x - y for x, y in pairs if math.isfinite(x) and math.isfinite(y)])
    n = len(differences)
    mean = float(differences.mean()) if n else math.nan
    lower = float(((differences < 0) + (differences == 0) / 2).mean()) if n else math.nan
    test = PairedTest(a, b, n, mean, lower, math.nan, math.nan, "")
    if n < MIN_PAIRS:
        return replace(test, note=f"no test: {n} common seeds, {MIN_PAIRS} needed")
    if not differences.any():
        return replace(test, p=1.0, note="equal on every seed")
    from scipy.stats import wilcoxon

    return replace(test, p=float(wilcoxon(differences[differences != 0]).pvalue))
