"""Guides: what is expected of architectures, and which of them are let in."""

import numpy as np
import pytest

from ktnas.engine.guides import Guide, Guided, in_step
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
    ("errors", "agrees"),
    [
        ([], True),
        ([3.0], True),
        ([3.0, 5.0], True),
        ([5.0, 3.0], False),
        ([5.0, 3.0, 9.0], True),
        ([4.0, 4.0], False),
    ],
)
def test_guide_agrees_as_long_as_errors_rise_with_what_it_expected(errors, agrees):
    genotypes = np.zeros((len(errors), SPACE.n_variables), dtype=np.int64)
    genotypes[:, 0] = np.arange(len(errors))
    assert Variable(0).agrees(genotypes, np.array(errors)) is agrees


def test_in_step_is_a_positive_rank_correlation():
    assert in_step(np.array([1.0, 2.0, 3.0]), np.array([0.1, 9.0, 8.0]))
    assert not in_step(np.array([1.0, 2.0, 3.0]), np.array([2.0, 9.0, 1.0]))
