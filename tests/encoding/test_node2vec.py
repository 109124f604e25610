from dataclasses import replace

import numpy as np
import pytest

from ktnas.encoding.node2vec import Node2Vec, depth_words
from ktnas.encoding.node2vec_skipgram import pair_counts, skip_gram
from ktnas.encoding.node2vec_walks import END, biased_walks
from ktnas.errors import UserError
from ktnas.space import GraphBatch, load_space
from tests.encoding.contract import EncodingContract

QUICK = {"architectures": 60, "walks": 3, "width": 32}
WORDS = ("input", "output", "a", "b", "c")


class TestNode2VecContract(EncodingContract):
    name = "node2vec"
    parameters = QUICK


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path))
    return tmp_path / "node2vec"


def quick(name="nasbench201", seed=0, **changes):
    return Node2Vec(**{**QUICK, **changes}).fit(load_space(name), seed)


def one_graph(*edges):
    """Input, nodes a, b and c, output."""
    adjacency = np.zeros((1, 5, 5), dtype=np.uint8)
    for source, target in edges:
        adjacency[0, source, target] += 1
    operations = np.array([[0, 2, 3, 4, 1]])
    return GraphBatch(operations, adjacency, WORDS)


def test_an_architecture_is_nearer_to_its_neighbours_than_to_others():
    encoding, rng = quick(), np.random.default_rng(1)
    start = encoding.space.sample(300, rng)
    vectors = encoding.transform(start)
    mutated = encoding.transform(encoding.space.mutate(start, rng, rate=0.0))
    others = encoding.transform(encoding.space.sample(300, rng))
    near, far = (np.linalg.norm(vectors - x, axis=1) for x in (mutated, others))
    assert near.mean() < 0.7 * far.mean()


def test_isomorphic_cells_have_equal_vectors():
    encoding = quick()
    space = encoding.space
    genotypes = space.enumerate()[::7]
    _, first, inverse = np.unique(space.keys(genotypes), return_index=True, return_inverse=True)
    assert len(first) < len(genotypes)
    vectors = encoding.transform(genotypes)
    np.testing.assert_allclose(vectors, vectors[first[inverse]], atol=1e-9)


def test_groups_are_at_squared_distance_one_on_average():
    encoding = quick()
    vectors = encoding.transform(encoding.space.sample(2000, np.random.default_rng(5)))
    for columns in encoding.groups.values():
        assert 2 * vectors[:, columns].var(axis=0).sum() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("name", ["fbnet", "darts", "nasbench101"])
def test_spaces_too_large_to_enumerate(cache, name):
    encoding = quick(name, architectures=20, walks=1, width=8)
    genotypes = encoding.space.sample(50, np.random.default_rng(0))
    vectors = encoding.transform(genotypes)
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors, axis=0)) >= 0.9 * len(np.unique(encoding.space.keys(genotypes)))


def test_cached_and_fresh_words_give_the_same_bits(cache):
    genotypes = load_space("nasbench201").sample(40, np.random.default_rng(5))
    fresh = quick().transform(genotypes)
    (file,) = cache.iterdir()
    written = file.stat().st_mtime_ns
    np.testing.assert_array_equal(quick().transform(genotypes), fresh)
    assert file.stat().st_mtime_ns == written
    file.unlink()
    np.testing.assert_array_equal(quick().transform(genotypes), fresh)


def test_each_space_setting_and_seed_has_its_own_file(cache):
    quick()
    quick(seed=1)
    quick(window=3)
    quick("transnas_micro")
    Node2Vec(**QUICK).fit(replace(load_space("nasbench201"), name="transnas_micro"), 0)
    assert len(list(cache.iterdir())) == 5


@pytest.mark.parametrize(
    "setting", ["width", "p", "q", "length", "walks", "window", "negatives", "architectures"]
)
def test_parameters_must_be_positive(setting):
    with pytest.raises(UserError, match=f"encoding.{setting}=0"):
        Node2Vec(**{setting: 0})


def test_walks_follow_edges_and_return_from_output_to_input():
    graphs = one_graph((0, 1), (1, 2), (2, 4))
    graph, visited = biased_walks(graphs, 1, 6, 1.0, 1.0, np.random.default_rng(0))
    assert graph.tolist() == [0] * 5
    assert visited.tolist() == [
        [0, 1, 2, 4, 0, 1],
        [1, 2, 4, 0, 1, 2],
        [2, 4, 0, 1, 2, 4],
        [3, END, END, END, END, END],
        [4, 0, 1, 2, 4, 0],
    ]


def test_edges_weigh_as_often_as_they_are_there():
    graphs = one_graph((0, 1), (0, 2), (0, 2), (0, 2), (1, 4), (2, 4))
    _, visited = biased_walks(graphs, 4000, 2, 1.0, 1.0, np.random.default_rng(0))
    after_input = visited[visited[:, 0] == 0, 1]
    assert (after_input == 2).mean() == pytest.approx(0.75, abs=0.03)


def test_p_weighs_the_way_back():
    graphs = one_graph((0, 4), (0, 1), (1, 4))
    back = {}
    for p in (0.25, 4.0):
        _, visited = biased_walks(graphs, 4000, 3, p, 1.0, np.random.default_rng(0))
        around = visited[(visited[:, 0] == 4) & (visited[:, 1] == 0), 2]
        back[p] = (around == 4).mean()
    assert back[0.25] == pytest.approx(4 / (4 + 1), abs=0.03)
    assert back[4.0] == pytest.approx(0.25 / (0.25 + 1), abs=0.03)


def test_q_weighs_what_the_node_before_does_not_lead_to():
    graphs = one_graph((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 4))
    _, visited = biased_walks(graphs, 4000, 3, 1.0, 4.0, np.random.default_rng(0))
    third = visited[(visited[:, 0] == 0) & (visited[:, 1] == 1), 2]
    assert (third == 3).mean() == pytest.approx(0.25 / (0.25 + 1), abs=0.03)


def test_pairs_are_counted_by_their_distance():
    counts = pair_counts(np.array([[0, 1, 2, -1]]), 4, window=2)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = expected[1, 2] = expected[2, 1] = 1.0
    expected[0, 2] = expected[2, 0] = 0.5
    np.testing.assert_array_equal(counts, expected)


def test_words_of_the_same_company_are_alike():
    counts = np.zeros((5, 5))
    for first, second in ((0, 2), (1, 2), (0, 0), (3, 3)):
        counts[first, second] = counts[second, first] = 10
    words = skip_gram(counts, 8, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(words[4], 0.0)
    np.testing.assert_allclose(words[:4].mean(axis=0), 0.0, atol=1e-12)
    assert words[0] @ words[2] > words[0] @ words[3]


def test_depth_is_the_longest_way_from_the_input():
    words = depth_words(one_graph((0, 1), (0, 2), (1, 2), (2, 4), (0, 4)))
    assert (words[0] // len(WORDS)).tolist() == [0, 1, 2, 0, 3]
    assert (words[0] % len(WORDS)).tolist() == [0, 2, 3, 4, 1]
