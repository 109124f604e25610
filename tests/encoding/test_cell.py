import numpy as np
import pytest

from ktnas.encoding.cell import DISTANCE, CellFeatures
from ktnas.space import load_space
from tests.encoding.contract import EncodingContract


class TestCellContract(EncodingContract):
    name = "cell"


@pytest.mark.parametrize("name", ["nasbench201", "transnas_micro", "nasbench_graph"])
def test_shape_and_pairs_are_equal_for_cells_that_compute_the_same(name: str) -> None:
    space = load_space(name)
    cells = space.sample(300, np.random.default_rng(3))
    rows = np.vstack([cells, space.neighbours(cells[:2])])
    encoding = CellFeatures().fit(space, 0)
    vectors = encoding.transform(rows)[:, : encoding.groups["pairs"].stop]
    keys = space.keys(rows)
    for key in np.unique(keys):
        alike = vectors[keys == key]
        np.testing.assert_array_equal(alike, np.repeat(alike[:1], len(alike), axis=0))
    assert len(np.unique(vectors, axis=0)) > 0.9 * len(np.unique(keys))


def test_features_of_known_cells() -> None:
    space = load_space("nasbench201")
    encoding = CellFeatures().fit(space, 0)
    texts = [
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|",
        "|none~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_1x1~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    ]
    blocks = encoding._blocks(space.parse(texts))
    chain, branched, empty = blocks["shape"]
    none, skip, conv1, conv3, pool = range(5)
    assert chain[:6].tolist() == [2, 3, np.log1p(1), 3, 3, 3]
    assert branched[:6].tolist() == [3, 5, np.log1p(2), 2.5, 2, 3]
    counts, most = branched[6 + 5 :], branched[6 : 6 + 5]
    assert counts[[none, skip, conv1, conv3, pool]].tolist() == [0, 0, 2, 1, 0]
    assert most[[none, skip, conv1, conv3, pool]].tolist() == [0, 0, 1, 1, 0]
    assert not empty.any()
    words = {word: i for i, word in enumerate(space.vocabulary)}
    pairs = np.expm1(blocks["pairs"]).reshape(3, len(words), len(words)).round(9)
    assert pairs[1, words["input"], words["nor_conv_3x3"]] == 1
    assert pairs[1, words["nor_conv_1x1"], words["output"]] == 2
    assert pairs[1].sum() == 5
    assert not pairs[2].any()
    assert blocks["places"].sum(axis=1).tolist() == [2, 3, 0]


def test_random_architectures_are_at_the_stated_distance_in_every_group() -> None:
    space = load_space("nasbench_graph")
    encoding = CellFeatures().fit(space, 0)
    first, second = (encoding.transform(space.sample(3000, np.random.default_rng(seed))) for seed in (1, 2))
    for name, columns in encoding.groups.items():
        squared = ((first[:, columns] - second[:, columns]) ** 2).sum(axis=1)
        assert squared.mean() == pytest.approx(DISTANCE[name], rel=0.1)
    assert sum(encoding.relevance.values()) == pytest.approx(1)
    assert list(encoding.relevance) == list(encoding.groups)
