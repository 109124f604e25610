"""Guides: what is expected of architectures, and which of them are let in."""

import numpy as np
import pytest

from ktnas.engine.guides import Guide, Guided
from tests.engine.scene import SPACE


class Variable(Guide):
    """Expects architectures to be the better, the smaller their variable of this number is."""

    def __init__(self, number, weight=1.0):
        self.number, self.weight = number, weight

    def scores(self, genotypes):
        return self.weight * genotypes[:, self.number]


def test_one_guide_lets_in_what_it_expects_to_be_best():
    everything = SPACE.architectures()
    admitted = Guided.of([Variable(0)], SPACE, 0.1).admits(everything)
    assert (admitted == (everything[:, 0] == 0)).all()


def test_guides_are_added_up():
    """Of two, the one that is surer of itself has the last word."""
    everything = SPACE.architectures()
    admitted = Guided.of([Variable(0), Variable(1, 10.0)], SPACE, 0.02).admits(everything)
    assert admitted.any()
    assert (everything[admitted, 1] == 0).all()
    assert everything[admitted, 0].max() < everything[:, 0].max()


@pytest.mark.parametrize(
    ("errors", "agreement"),
    [([3.0, 5.0], 1), ([5.0, 3.0], -1), ([5.0, 3.0, 9.0], 0.5), ([4.0, 4.0], 0), ([1.0, 9.0, 8.0], 0.5)],
)
def test_agreement_is_a_rank_correlation_with_what_was_expected(errors, agreement):
    genotypes = np.zeros((len(errors), SPACE.n_variables), dtype=np.int64)
    genotypes[:, 0] = np.arange(len(errors))
    assert Variable(0).agreement(genotypes, np.array(errors)) == pytest.approx(agreement)


def test_what_expects_the_same_of_all_agrees_with_nothing():
    genotypes = SPACE.sample(5, np.random.default_rng(0))
    assert Variable(0, 0.0).agreement(genotypes, np.arange(5.0)) == 0
