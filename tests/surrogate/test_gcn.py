import numpy as np
import pytest
import torch

from ktnas.arrays import IntArray
from ktnas.space import load_space
from ktnas.space.graph import GraphBatch
from ktnas.surrogate.gcn import GLOBAL, GlobalGraphs, embed, initial_layers
from tests.surrogate.contract import draw

SPACE = load_space("transnas_micro")
GRAPHS = SPACE.pruned(draw(50))


def embedded(graphs: GraphBatch, layers: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    weights = initial_layers(2, layers, 8, len(graphs.vocabulary), generator)
    weights = {name: weight.double() for name, weight in weights.items()}
    return embed(weights, GlobalGraphs.of(graphs, torch.float64))


def rearranged(graphs: GraphBatch, order: IntArray) -> GraphBatch:
    return GraphBatch(graphs.operations[:, order], graphs.adjacency[:, order][:, :, order], graphs.vocabulary)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_names_of_nodes_do_not_matter(layers):
    order = np.random.default_rng(1).permutation(GRAPHS.n_nodes)

    torch.testing.assert_close(embedded(rearranged(GRAPHS, order), layers), embedded(GRAPHS, layers))


def test_padding_does_not_matter():
    n, m = GRAPHS.operations.shape
    operations = np.full((n, m + 3), -1)
    operations[:, :m] = GRAPHS.operations
    adjacency = np.zeros((n, m + 3, m + 3), dtype=np.uint8)
    adjacency[:, :m, :m] = GRAPHS.adjacency
    padded = GraphBatch(operations, adjacency, GRAPHS.vocabulary)

    torch.testing.assert_close(embedded(padded), embedded(GRAPHS))
    one = GraphBatch(operations[:1], adjacency[:1], GRAPHS.vocabulary)
    torch.testing.assert_close(embedded(one), embedded(GRAPHS)[:, :1])


def test_global_node_hears_all_and_is_heard_by_none():
    graphs = GlobalGraphs.of(GRAPHS, torch.float64)
    present = torch.from_numpy((GRAPHS.operations >= 0).sum(axis=1) + 1.0)

    assert (graphs.adjacency[:, GLOBAL].sum(dim=1) == present).all()
    assert (graphs.adjacency[:, 1:, GLOBAL] == 0).all()
    assert (graphs.heard[:, GLOBAL].sum(dim=1) == present).all()


def test_every_operation_tells_in_one_layer():
    operations = GRAPHS.operations[:1].copy()
    before = embedded(GraphBatch(operations, GRAPHS.adjacency[:1], GRAPHS.vocabulary), layers=1)
    for node in np.flatnonzero(operations[0] >= 0):
        changed = operations.copy()
        changed[0, node] = (changed[0, node] + 1) % len(GRAPHS.vocabulary)
        after = embedded(GraphBatch(changed, GRAPHS.adjacency[:1], GRAPHS.vocabulary), layers=1)
        assert not torch.allclose(before, after)


def test_members_are_networks_of_their_own():
    first, second = embedded(GRAPHS)

    assert first.shape == (50, 8)
    assert not torch.allclose(first, second)


def test_dropout_keeps_the_mean_and_its_share():
    generator = torch.Generator().manual_seed(0)
    weights = initial_layers(1, 1, 2000, len(GRAPHS.vocabulary), generator)
    graphs = GlobalGraphs.of(GRAPHS, torch.float32)
    plain, dropped = embed(weights, graphs), embed(weights, graphs, 0.25, generator)

    assert float((dropped[plain > 0] > 0).double().mean()) == pytest.approx(0.75, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(float(plain.mean()), rel=0.02)
