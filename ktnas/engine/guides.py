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

    def agrees(self, genotypes: IntArray, errors: FloatArray) -> bool:
        """Whether errors (N,) of genotypes (N, V) rise with what was expected; one or none always does."""
        return len(errors) < 2 or in_step(self.scores(genotypes), errors)


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
        drawn = random_architectures(space)
        expected = np.sum([guide.scores(drawn) for guide in guides], axis=0)
        return cls(tuple(guides), float(np.quantile(expected, share)))

    def admits(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of genotypes (N, V)."""
        expected = np.sum([guide.scores(genotypes) for guide in self.guides], axis=0)
        return np.asarray(expected <= self.bound)


def random_architectures(space: SearchSpace) -> IntArray:
    """Genotypes (SAMPLE, V), always the same."""
    return space.sample(SAMPLE, np.random.default_rng(0))


def in_step(expected: FloatArray, found: FloatArray) -> bool:
    """Whether what was found (N,) rises with what was expected (N,): Spearman's correlation is above 0."""
    from scipy.stats import rankdata

    first, second = rankdata(expected), rankdata(found)
    return bool((first - first.mean()) @ second > 0)
