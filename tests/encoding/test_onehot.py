import numpy as np

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


def test_distance_counts_the_differing_variables():
    space = load_space("nasbench_graph")
    encoding = OneHot().fit(space, seed=0)
    rng = np.random.default_rng(0)
    first, second = space.sample(40, rng), space.sample(40, rng)
    distance = ((encoding.transform(first) - encoding.transform(second)) ** 2).sum(axis=1)
    np.testing.assert_array_equal(distance, 2 * (first != second).sum(axis=1))
