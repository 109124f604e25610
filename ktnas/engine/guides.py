"""Where a task looks first of which little is known: among what its guides expect to be good."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.space.base import SearchSpace

SAMPLE = 256
"""Random architectures with which others are compared."""


class Guide(ABC):
    """Expects something of the architectures of a space before a task has evaluated them."""

    @abstractmethod
    def scores(self, genotypes: IntArray) -> FloatArray:
        """Normal scores (N,) of genotypes (N, V) among random ones: the better expected, the smaller."""

    def agreement(self, genotypes: IntArray, errors: FloatArray) -> float:
        """Spearman's correlation of errors (N,) of genotypes (N, V), N ≥ 2, with what was expected.

        0 where the one or the others are all equal.
        """
        from scipy.stats import spearmanr

        expected = self.scores(genotypes)
        varies = np.ptp(expected) > 0 and np.ptp(errors) > 0
        return float(spearmanr(expected, errors).statistic) if varies else 0.0


@dataclass(frozen=True)
class Guided:
    """The architectures of a space that guides together expect to be among its best.

    Within them a task chooses as if there were no guides: what it learns is spread out.

    Attributes:
        guides: whose scores are added up.
        bound: largest sum of an architecture that is let in.
    """

    guides: tuple[Guide, ...]
    bound: float

    @classmethod
    def of(cls, guides: Sequence[Guide], space: SearchSpace, share: float) -> Self:
        """Let in the best ``share`` of random architectures, and what is expected to be as good."""
        expected = _sum_of_scores(guides, random_architectures(space))
        return cls(tuple(guides), float(np.quantile(expected, share)))

    def admits(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of genotypes (N, V)."""
        return np.asarray(_sum_of_scores(self.guides, genotypes) <= self.bound)


def random_architectures(space: SearchSpace) -> IntArray:
    """Genotypes (SAMPLE, V), always the same."""
    return space.sample(SAMPLE, np.random.default_rng(0))


def _sum_of_scores(guides: Sequence[Guide], genotypes: IntArray) -> FloatArray:
    return np.asarray(np.sum([guide.scores(genotypes) for guide in guides], axis=0))
