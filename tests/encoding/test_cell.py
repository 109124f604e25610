import numpy as np
import pytest

from ktnas.encoding.cell import CellFeatures
from ktnas.space import load_space
from tests.encoding.contract import EncodingContract


class TestCellContract(EncodingContract):
    name = "cell"


@pytest.mark.parametrize("name", ["nasbench201", "transnas_micro", "nasbench_graph"])
def test_paths_and_shape_are_equal_exactly_for_cells_that_compute_the_same(name: str) -> None:
    space = load_space(name)
    cells = space.sample(300, np.random.default_rng(3))
    rows = np.vstack([cells, space.neighbours(cells[0]), space.neighbours(cells[1])])
    encoding = CellFeatures().fit(space, 0)
    groups = encoding.groups
    start = groups["paths"].start
    vectors = encoding.transform(rows)[:, start:]
    keys = space.keys(rows)
    for key in np.unique(keys):
        alike = vectors[keys == key]
        np.testing.assert_array_equal(alike, np.repeat(alike[:1], len(alike), axis=0))
    assert len(np.unique(vectors, axis=0)) > 0.9 * len(np.unique(keys))


def test_paths_of_a_known_cell() -> None:
    space = load_space("nasbench201")
    encoding = CellFeatures().fit(space, 0)
    texts = [
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|",
        "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    ]
    blocks = encoding._blocks(space.parse(texts))
    np.testing.assert_array_equal(blocks["paths"][0], blocks["paths"][1])
    assert np.count_nonzero(blocks["paths"][0]) == 1
    assert blocks["shape"][0, :6].tolist() == [2, 3, np.log1p(1), 3, 3, 3]
    assert not blocks["shape"][2].any()
    assert not blocks["paths"][2].any()


def test_random_architectures_are_at_squared_distance_one_in_every_group() -> None:
    space = load_space("nasbench_graph")
    encoding = CellFeatures().fit(space, 0)
    first, second = (encoding.transform(space.sample(3000, np.random.default_rng(seed))) for seed in (1, 2))
    for columns in encoding.groups.values():
        squared = ((first[:, columns] - second[:, columns]) ** 2).sum(axis=1)
        assert squared.mean() == pytest.approx(1, rel=0.1)
