import numpy as np
import pytest

from ktnas.encoding.auto import Auto
from ktnas.encoding.cell import CellFeatures
from ktnas.encoding.layers import LayerFeatures
from ktnas.space import load_space
from tests.encoding.contract import EncodingContract


class TestAuto(EncodingContract):
    name = "auto"


@pytest.mark.parametrize(
    ("space", "expected"),
    [("nasbench_macro", LayerFeatures), ("transnas_micro", CellFeatures), ("nasbench_graph", CellFeatures)],
)
def test_is_what_suits_the_space(space, expected):
    known = load_space(space)
    auto, alone = Auto().fit(known, 0), expected().fit(known, 0)
    genotypes = known.sample(20, np.random.default_rng(0))
    np.testing.assert_array_equal(auto.transform(genotypes), alone.transform(genotypes))
    assert auto.groups == alone.groups
    assert auto.relevance == alone.relevance
