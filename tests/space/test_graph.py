from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.space import GraphBatch, canonical_keys, hash_rows, prune

VOCABULARY = ("input", "output", "zero", "identity", "a", "b")
SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)


def graph(operations, edges):
    """One graph of named operations and ``{(source, target): multiplicity}``."""
    adjacency = np.zeros((1, len(operations), len(operations)), dtype=np.uint8)
    for (source, target), count in edges.items():
        adjacency[0, source, target] = count
    return GraphBatch(np.array([[VOCABULARY.index(name) for name in operations]]), adjacency, VOCABULARY)


def random_graphs(rng, n, n_nodes):
    operations = rng.integers(2, len(VOCABULARY), size=(n, n_nodes))
    operations[:, 0], operations[:, -1] = 0, 1
    adjacency = rng.choice(3, p=(0.6, 0.3, 0.1), size=(n, n_nodes, n_nodes))
    return GraphBatch(operations, np.triu(adjacency, 1).astype(np.uint8), VOCABULARY)


def relabelled(batch, rng, n_places):
    """The first graph of ``batch`` in another topological order, with empty places between the nodes."""
    left = list(np.flatnonzero(batch.operations[0] >= 0)[1:-1])
    order = [0]
    while left:
        ready = [node for node in left if not batch.adjacency[0][left, node].any()]
        order.append(rng.choice(ready))
        left.remove(order[-1])
    order.append(batch.operations.shape[1] - 1)
    inner = np.sort(rng.choice(np.arange(1, n_places - 1), size=len(order) - 2, replace=False))
    places = [0, *inner, n_places - 1]
    operations = np.full((1, n_places), -1)
    operations[0, places] = batch.operations[0, order]
    adjacency = np.zeros((1, n_places, n_places), dtype=np.uint8)
    adjacency[0][np.ix_(places, places)] = batch.adjacency[0][np.ix_(order, order)]
    return GraphBatch(operations, adjacency, batch.vocabulary)


def pruned_by_paths(batch):
    """The edges and nodes of the first graph's pruned form, from its paths."""
    names = [VOCABULARY[operation] for operation in batch.operations[0]]
    last = len(names) - 1
    whole = nx.DiGraph(batch.adjacency[0].astype(int))
    whole.remove_nodes_from([node for node, name in enumerate(names) if name == "zero"])
    kept = [node for node in whole if names[node] != "identity"]
    edges = {}
    for source in kept:
        for target in kept[kept.index(source) + 1 :]:
            through = whole.subgraph([source, target] + [n for n in whole if names[n] == "identity"])
            for path in nx.all_simple_paths(through, source, target):
                count = np.prod([whole[a][b]["weight"] for a, b in pairwise(path)])
                edges[source, target] = edges.get((source, target), 0) + count
    reduced = nx.DiGraph(list(edges))
    reduced.add_nodes_from([0, last])
    alive = ({0} | nx.descendants(reduced, 0)) & ({last} | nx.ancestors(reduced, last))
    return {pair: n for pair, n in edges.items() if set(pair) <= alive}, alive | {0, last}


class TestPrune:
    def test_zero_operations_and_dead_ends_go(self):
        batch = graph(
            ("input", "a", "zero", "b", "a", "output"),
            {(0, 1): 1, (0, 2): 1, (2, 3): 1, (1, 4): 1, (3, 5): 1, (1, 5): 1},
        )
        pruned = prune(batch, "zero", "identity")
        assert pruned.operations.tolist() == [[0, 4, -1, -1, -1, 1]]
        assert np.argwhere(pruned.adjacency[0]).tolist() == [[0, 1], [1, 5]]

    def test_parallel_identities_become_multi_edges(self):
        batch = graph(
            ("input", "identity", "identity", "a", "output"),
            {(0, 1): 1, (0, 2): 1, (1, 3): 1, (2, 3): 1, (0, 3): 1, (3, 4): 1},
        )
        pruned = prune(batch, None, "identity")
        assert pruned.adjacency[0, 0, 3] == 3
        assert pruned.operations.tolist() == [[0, -1, -1, 4, 1]]

    def test_multi_edges_saturate(self):
        n = 12
        batch = graph(
            ("input", *["identity"] * (n - 2), "output"), {(node, node + 1): 2 for node in range(n - 1)}
        )
        assert prune(batch, None, "identity").adjacency[0, 0, -1] == 255

    def test_without_a_path_input_and_output_are_left(self):
        batch = graph(("input", "a", "zero", "output"), {(0, 1): 1, (1, 2): 1, (2, 3): 1})
        pruned = prune(batch, "zero", None)
        assert pruned.operations.tolist() == [[0, -1, -1, 1]]
        assert not pruned.adjacency.any()
        assert canonical_keys(pruned) == canonical_keys(graph(("input", "output"), {}))

    def test_the_batch_given_is_left_alone(self):
        batch = random_graphs(np.random.default_rng(0), 50, 7)
        before = batch.operations.copy(), batch.adjacency.copy()
        prune(batch, "zero", "identity")
        np.testing.assert_array_equal(batch.operations, before[0])
        np.testing.assert_array_equal(batch.adjacency, before[1])

    @given(seed=SEEDS, n_nodes=st.integers(2, 8))
    @SETTINGS
    def test_agrees_with_the_paths_of_the_graph(self, seed, n_nodes):
        batch = random_graphs(np.random.default_rng(seed), 1, n_nodes)
        pruned = prune(batch, "zero", "identity")
        edges, alive = pruned_by_paths(batch)
        found = {
            (int(i), int(j)): int(pruned.adjacency[0, i, j]) for i, j in np.argwhere(pruned.adjacency[0])
        }
        assert found == edges
        assert set(np.flatnonzero(pruned.operations[0] >= 0).tolist()) == alive

    @given(seed=SEEDS)
    @SETTINGS
    def test_pruning_twice_is_pruning_once(self, seed):
        once = prune(random_graphs(np.random.default_rng(seed), 20, 8), "zero", "identity")
        twice = prune(once, "zero", "identity")
        np.testing.assert_array_equal(once.adjacency, twice.adjacency)
        np.testing.assert_array_equal(once.operations, twice.operations)


class TestCanonicalKeys:
    @given(seed=SEEDS, n_nodes=st.integers(2, 10), extra=st.integers(0, 4))
    @SETTINGS
    def test_isomorphic_graphs_share_their_key(self, seed, n_nodes, extra):
        rng = np.random.default_rng(seed)
        for batch in (random_graphs(rng, 1, n_nodes), prune(random_graphs(rng, 1, n_nodes), "zero", None)):
            other = relabelled(batch, rng, n_nodes + extra)
            assert canonical_keys(other) == canonical_keys(batch)

    def test_keys_are_equal_exactly_for_isomorphic_graphs(self):
        batch = prune(random_graphs(np.random.default_rng(1), 400, 5), "zero", "identity")
        keys = canonical_keys(batch)
        graphs = []
        for operations, adjacency in zip(batch.operations, batch.adjacency, strict=True):
            found = nx.MultiDiGraph()
            found.add_nodes_from((node, {"o": o}) for node, o in enumerate(operations) if o >= 0)
            found.add_edges_from(
                edge for i, j in np.argwhere(adjacency) for edge in [(i, j)] * int(adjacency[i, j])
            )
            graphs.append(found)
        equal = 0
        for a in range(0, 400, 2):
            for b in range(a):
                if graphs[a].size() == graphs[b].size() and len(graphs[a]) == len(graphs[b]):
                    same = nx.is_isomorphic(graphs[a], graphs[b], node_match=lambda x, y: x == y)
                    assert same == (keys[a] == keys[b])
                    equal += same
        assert equal > 100

    @pytest.mark.parametrize(
        ("operations", "edges", "key"),
        [
            (("input", "a", "b", "output"), {(0, 1): 1, (1, 2): 1, (2, 3): 1}, 0x2727C7D35059FA0F),
            (("input", "b", "a", "output"), {(0, 1): 1, (1, 2): 1, (2, 3): 1}, 0x545DB322CE812543),
            (("input", "a", "b", "output"), {(0, 1): 1, (0, 2): 1, (1, 3): 1, (2, 3): 1}, 0x2B7858D83A1B3302),
            (("input", "a", "b", "output"), {(0, 1): 2, (1, 2): 1, (2, 3): 1}, 0x8E2D2757C01CD42E),
            (("input", "a", "b", "output"), {(0, 1): 1, (1, 2): 2, (2, 3): 1}, 0x27D9F3975433728C),
            (("input", "a", "output"), {(0, 1): 1, (1, 2): 1}, 0xF5614EBE58841A2F),
            (("input", "output"), {(0, 1): 1}, 0x9897E4D4D1197DFE),
            (("input", "output"), {}, 0x208D8D76A4BADF79),
        ],
    )
    def test_known_keys(self, operations, edges, key):
        """Each graph has its own key, the same for ever: ledgers keep them."""
        assert canonical_keys(graph(operations, edges))[0] == key

    def test_an_empty_batch_has_no_keys(self):
        batch = random_graphs(np.random.default_rng(0), 0, 5)
        assert canonical_keys(batch).shape == (0,)
        assert len(prune(batch, "zero", "identity")) == 0


class TestHashRows:
    def test_rows_are_equal_exactly_where_hashes_are(self):
        rows = np.random.default_rng(0).integers(-3, 4, size=(5000, 5))
        _, first = np.unique(hash_rows(rows), return_inverse=True)
        _, second = np.unique(rows, axis=0, return_inverse=True)
        assert len(set(zip(first.tolist(), second.ravel().tolist(), strict=True))) == first.max() + 1
        assert first.max() == second.max()

    def test_known_hashes(self):
        assert hash_rows(np.array([[0, 0], [0, 1], [1, 0], [-1, 0]])).tolist() == [
            0x9DDE9E1366E9AC98,
            0xBFD03CF91BD44303,
            0x87688175A6486D62,
            0x64DFEBDA500F1E5A,
        ]

    def test_the_empty_batch(self):
        assert hash_rows(np.empty((0, 3), dtype=np.int64)).shape == (0,)
