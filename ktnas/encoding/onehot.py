"""The plainest encoding: one column per choice of each variable."""

from dataclasses import dataclass

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding

DISTANCE = 1 / 2


@dataclass
class OneHot(Encoding):
    """One-hot of every variable, side by side in the order of the variables.

    Values are 0 and one other number, by which two random genotypes are at squared distance 1/2 on average:
    the prior of a Gaussian process expects distances like that.
    """

    @property
    def dim(self) -> int:
        """Sum of the numbers of choices."""
        return int(self.space.n_choices.sum())

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 with V numbers other than 0 each."""
        n_choices = self.space.n_choices
        apart = max(float((2 * (1 - 1 / n_choices)).sum()), 1.0)
        return np.asarray(one_hot(self.checked(genotypes), n_choices) * np.sqrt(DISTANCE / apart))


def one_hot(genotypes: IntArray, n_choices: IntArray) -> FloatArray:
    """One column per choice of each variable, (N, sum of ``n_choices``) float64, of genotypes (N, V)."""
    variables = np.repeat(np.arange(len(n_choices)), n_choices)
    choices = np.concatenate([np.arange(count) for count in n_choices])
    return np.asarray(genotypes[:, variables] == choices, dtype=np.float64)
