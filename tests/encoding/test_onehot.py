import numpy as np
import pytest

from ktnas.encoding.onehot import OneHot
from ktnas.space import load_space
from tests.encoding.contract import EncodingContract


class TestOneHotContract(EncodingContract):
    name = "onehot"


def test_one_column_per_choice():
    encoding = OneHot().fit(load_space("transnas_micro"), seed=0)
    assert encoding.dim == 24
    vector = encoding.transform(np.array([[0, 1, 2, 3, 0, 1]]))[0]
    assert np.flatnonzero(vector).tolist() == [0, 5, 10, 15, 16, 21]


def test_distance_counts_the_differing_variables_and_is_one_half_on_average():
    space = load_space("nasbench_graph")
    encoding = OneHot().fit(space, seed=0)
    rng = np.random.default_rng(0)
    first, second = rng.integers(space.n_choices, size=(2, 4000, space.n_variables))
    distance = ((encoding.transform(first) - encoding.transform(second)) ** 2).sum(axis=1)
    different = (first != second).sum(axis=1)
    np.testing.assert_allclose(distance * different.mean(), distance.mean() * different)
    assert distance.mean() == pytest.approx(0.5, rel=0.02)
