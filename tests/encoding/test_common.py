import numpy as np
import pytest

from ktnas.encoding.common import GRAPH, graph_columns
from ktnas.space import load_space

CHAIN = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|"


def test_an_architecture_of_two_spaces_has_the_same_counts():
    """TransNAS micro cells are NAS-Bench-201 cells without pooling; only the scales differ."""
    micro, nasbench = load_space("transnas_micro"), load_space("nasbench201")
    drawn = micro.sample(40, np.random.default_rng(0))
    ours, theirs = graph_columns(micro, drawn), graph_columns(nasbench, drawn)
    assert theirs.keys() - ours.keys() == {"avg_pool_3x3, count", "avg_pool_3x3, most on a path"}
    for name in ours:
        varies = ours[name].std() > 0
        assert varies == (theirs[name].std() > 0), name
        if varies:
            assert np.corrcoef(ours[name], theirs[name])[0, 1] == pytest.approx(1.0), name


def test_columns_say_what_they_are_called():
    space = load_space("nasbench201")
    nothing = CHAIN.replace("nor_conv_3x3", "none").replace("nor_conv_1x1", "none")
    shorter = CHAIN.replace("nor_conv_3x3~2", "skip_connect~2")
    columns = graph_columns(space, space.parse([CHAIN, shorter, nothing]))
    for name, there in (("operations", 3), ("nor_conv_3x3, count", 2), ("nor_conv_3x3, most on a path", 2)):
        longer, short, empty = columns[name]
        assert longer - short == pytest.approx((longer - empty) / there), name
    assert np.ptp(columns["avg_pool_3x3, count"]) == 0


@pytest.mark.parametrize("name", ["darts", "nasbench101", "transnas_macro", "fbnet", "nasbench_graph"])
def test_every_space_has_those_of_its_graph(name):
    space = load_space(name)
    genotypes = space.sample(20, np.random.default_rng(0))
    columns = graph_columns(space, genotypes)
    assert list(columns)[: len(GRAPH)] == list(GRAPH)
    assert len(columns) == len(GRAPH) + 2 * len(space.operations)
    assert all(column.shape == (20,) and np.isfinite(column).all() for column in columns.values())
