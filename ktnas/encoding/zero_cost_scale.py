"""Scores of any unit and spread, brought to one scale."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from ktnas.arrays import FloatArray

UNIT = 1 / 8
"""Factor of normal scores: two random architectures are at squared distance 0.4 for 13 of them."""


class Scale(ABC):
    """Column by column, learned from a sample. What is NaN, or of a column all alike, becomes typical."""

    @classmethod
    @abstractmethod
    def of(cls, sample: FloatArray) -> Self:
        """Learn from scores (S, P); NaN where they are not defined."""

    @abstractmethod
    def __call__(self, scores: FloatArray) -> FloatArray:
        """Scores (N, P) in the new scale, finite."""


@dataclass(frozen=True)
class Quantile(Scale):
    """Normal scores: the quantile of a standard normal at a score's place in the sample, times ``UNIT``.

    Between scores of the sample linear; beyond its ends it grows on towards one unit more than there, so
    that order is kept. NaN becomes 0, the median, as does a column without two different values.
    """

    knots: list[tuple[FloatArray, FloatArray]]

    @classmethod
    def of(cls, sample: FloatArray) -> Self:
        """Learn from scores (S, P)."""
        return cls([_knots(column[np.isfinite(column)]) for column in sample.T])

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Scores (N, P) as normal scores."""
        result = np.zeros(scores.shape)
        for column, (known, quantiles) in enumerate(self.knots):
            if len(known) > 1:
                own = scores[:, column]
                beyond = own - np.clip(own, known[0], known[-1])
                further = beyond / (np.abs(beyond) + known[-1] - known[0])
                result[:, column] = np.interp(own, known, quantiles) + further
        return np.where(np.isfinite(scores), UNIT * result, 0.0)


@dataclass(frozen=True)
class MinMax(Scale):
    """As published: 0 for the least of the sample, 1 for the most, linear beyond.

    NaN becomes the median of the sample; a column without two different values is 0.
    """

    low: FloatArray
    span: FloatArray
    middle: FloatArray

    @classmethod
    def of(cls, sample: FloatArray) -> Self:
        """Learn from scores (S, P)."""
        columns = [column[np.isfinite(column)] for column in sample.T]
        columns = [column if len(column) else np.zeros(1) for column in columns]
        low, middle = (np.array([f(column) for column in columns]) for f in (np.min, np.median))
        span = np.array([np.ptp(column) for column in columns])
        return cls(low, np.where(span > 0, span, np.inf), middle)

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Scores (N, P) in units of the sample's range."""
        return (np.where(np.isfinite(scores), scores, self.middle) - self.low) / self.span


SCALES: dict[str, type[Scale]] = {"quantile": Quantile, "minmax": MinMax}


def _knots(column: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Different values of a sample in order, and the normal scores of their places."""
    known, first = np.unique(column, return_index=True)
    places = rankdata(column)[first]
    return known, ndtri((places - 0.5) / max(len(column), 1))
