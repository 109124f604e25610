"""Networks of NAS-Bench-Graph, and their layers and tasks."""

from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.count import count_parameters
from ktnas.network.graph_layers import graph_layer
from ktnas.network.graph_task import GRAPH_TASKS, GraphTask
from ktnas.network.nasbench_graph import Frame, GraphNetwork, NASBenchGraph
from ktnas.space import load_space
from ktnas.tables.nas_bench_graph import OPERATIONS, read_nas_bench_graph
from tests.network.contract import CLASSES, MAP, NetworkContract

SMALL_GRAPH = GraphTask("small graph", 3, 10, 5)
LARGER_GRAPH = GraphTask("larger graph", 4, 17, 8, degree=2.0)
NARROW = Frame(4, before=False, after=False)
LAYERS = [name for name in OPERATIONS if name != "skip"]
TRIANGLE_AND_TAIL = torch.tensor([[[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]]]).float()


class TestNASBenchGraph(NetworkContract):
    name = "nasbench_graph"
    space_name = "nasbench_graph"
    small = MappingProxyType({"width": 4})
    tasks = (LARGER_GRAPH,)
    refused = (CLASSES, MAP)

    def output_shape(self, task, batch=2):
        return (batch, task.size, task.outputs)

    def test_proxies_find_what_they_need(self):
        network = self.network(SMALL_GRAPH)
        assert any(isinstance(layer, nn.Linear) for layer in network.layers.modules())
        assert not any(getattr(layer, "inplace", False) for layer in network.modules())
        assert isinstance(network.head, nn.Linear)

    @pytest.mark.parametrize("task", ["cora", "photo", "computers"])
    def test_published_counts(self, task):
        table = published(task, self.space)
        rows = np.random.default_rng(0).choice(len(table), 15, replace=False)
        expected = table.column("params")[rows]
        np.testing.assert_array_equal([self.count(table.genotypes[row], task) for row in rows], expected)

    def test_published_counts_of_physics_are_means_of_three_runs(self):
        table = published("physics", self.space)
        rows = np.random.default_rng(0).choice(len(table), 60, replace=False)
        others = 0
        for genotype, mean in zip(table.genotypes[rows], table.column("params")[rows], strict=True):
            usual = self.count(genotype, "physics")
            other = self.count(genotype, "physics", width=128, before=False)
            assert mean in (usual, round((2 * usual + other) / 3))
            others += mean != usual
        assert 0 < others < 15

    def count(self, genotype, task, **settings):
        with torch.device("meta"):
            return count_parameters(
                NASBenchGraph(**settings).build(self.space, genotype, GRAPH_TASKS[task], 0)
            )


def published(task, space):
    package = find_spec("nas_bench_graph").submodule_search_locations[0]
    return read_nas_bench_graph(Path(package) / "light" / f"{task}.bench", space)


def neighbour_by_neighbour(name, layer, x):
    """What ``layer`` makes of one graph, each node by its definition."""
    adjacency = TRIANGLE_AND_TAIL[0]
    degree = adjacency.sum(dim=1)
    rows = []
    for node in range(len(x)):
        near = [int(other) for other in adjacency[node].nonzero()]
        looped = [*near, node]
        if name == "gcn":
            sums = sum(x[j] / ((degree[node] + 1) * (degree[j] + 1)).sqrt() for j in looped)
            rows.append(layer.neighbours(sums) + layer.bias)
        if name == "gin":
            rows.append(layer.neighbours(sum(x[j] for j in looped)) + layer.bias)
        if name == "sage":
            mean = sum(x[j] for j in near) / len(near)
            rows.append(layer.neighbours(mean) + layer.own(x[node]) + layer.bias)
        if name == "graph":
            rows.append(layer.neighbours(sum(x[j] for j in near)) + layer.own(x[node]) + layer.bias)
        if name in ("cheb", "arma"):
            inner = layer.convolution if name == "arma" else layer
            sums = sum(x[j] / (degree[node] * degree[j]).sqrt() for j in near)
            sign = 1 if name == "arma" else -1
            value = sign * inner.neighbours(sums) + inner.own(x[node]) + inner.bias
            rows.append(value.relu() if name == "arma" else value)
        if name == "gat":
            values = layer.weights(x).unflatten(1, (2, -1))
            asks, asked = (values[node] * layer.asking).sum(1), (values * layer.asked).sum(2)
            scores = nn.functional.leaky_relu(asks + asked[looped], 0.2)
            rows.append((scores.softmax(0)[..., None] * values[looped]).sum(0).flatten() + layer.bias)
        if name == "fc":
            rows.append(layer.linear(x[node]))
    return torch.stack(rows)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_follow_their_definitions(name):
    torch.manual_seed(0)
    layer, x = graph_layer(name, 3, 4), torch.randn(4, 3)
    for weight in layer.parameters():
        nn.init.normal_(weight)
    with torch.no_grad():
        result = layer(x[None], TRIANGLE_AND_TAIL)[0]
        torch.testing.assert_close(result, neighbour_by_neighbour(name, layer, x))


@pytest.mark.parametrize("name", LAYERS)
def test_a_node_without_neighbours_is_no_trouble(name):
    layer = graph_layer(name, 3, 4)
    result = layer(torch.randn(1, 2, 3), torch.zeros(1, 2, 2))
    result.sum().backward()
    assert result.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in layer.parameters() if weight.grad is not None)


def test_graphs_of_other_sizes_than_the_task_says():
    network = GraphNetwork([(0, "gcn"), (1, "gat")], SMALL_GRAPH, NARROW)
    assert network(torch.zeros(1, 6, 5 + 6)).shape == (1, 6, 3)


def test_the_number_of_a_node_does_not_count():
    network = GraphNetwork([(0, name) for name in LAYERS], SMALL_GRAPH, NARROW).eval()
    x = SMALL_GRAPH.inputs(1)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    moved = torch.cat([x[:, order, :5], x[:, order, 5:][:, :, order]], dim=2)
    torch.testing.assert_close(network(moved), network(x)[:, order])


def test_skips_pass_on_what_they_take():
    torch.manual_seed(0)
    plain = GraphNetwork([(0, "gcn"), (1, "fc")], SMALL_GRAPH, NARROW).eval()
    torch.manual_seed(0)
    skipping = GraphNetwork([(0, "skip"), (1, "gcn"), (2, "skip"), (3, "fc")], SMALL_GRAPH, NARROW).eval()
    torch.testing.assert_close(skipping(SMALL_GRAPH.inputs(2)), plain(SMALL_GRAPH.inputs(2)))


def test_isomorphic_architectures_have_one_count():
    space = load_space("nasbench_graph")
    genotypes = np.random.default_rng(0).integers(space.n_choices, size=(30, space.n_variables))
    genotypes = genotypes[space.valid(genotypes)]
    for genotype, other in zip(genotypes, space.representative(genotypes), strict=True):
        builds = [NASBenchGraph(width=4).build(space, row, SMALL_GRAPH, 0) for row in (genotype, other)]
        assert count_parameters(builds[0]) == count_parameters(builds[1])


def test_tasks_of_other_names_have_settings_of_their_own():
    def count(**settings):
        space = load_space("nasbench_graph")
        genotype = space.parse(["Arch([0, 1, 2, 3], ['fc', 'fc', 'fc', 'fc'])"])[0]
        return count_parameters(NASBenchGraph(width=2, **settings).build(space, genotype, SMALL_GRAPH, 0))

    layers = (5 * 2 + 2) + 3 * (2 * 2 + 2) + 4 * 2 * 2 + (2 * 3 + 3)
    assert count(before=False, after=False) == layers
    assert count() == count(before=False, after=True) == layers + 2 * 2 + 2
    assert count(before=True, after=False) == layers + 2 * 2 + 2


def test_random_graphs():
    inputs = GraphTask("many", 2, 50, 3, degree=6.0).inputs(4, seed=1)
    features, adjacency = inputs[:, :, :3], inputs[:, :, 3:]
    assert inputs.shape == (4, 50, 53)
    assert torch.equal(inputs, GraphTask("many", 2, 50, 3, degree=6.0).inputs(4, seed=1))
    assert torch.equal(adjacency, adjacency.transpose(1, 2))
    assert set(adjacency.unique().tolist()) == {0.0, 1.0}
    assert adjacency.diagonal(dim1=1, dim2=2).sum() == 0
    assert abs(adjacency.sum(dim=2).mean() - 6) < 1
    assert abs(features.mean()) < 0.2


def test_what_cannot_be_built_is_refused():
    with pytest.raises(UserError, match="width=0"):
        NASBenchGraph(width=0)
    with pytest.raises(UserError, match="width=3"):
        graph_layer("gat", 3, 3)
    with pytest.raises(UserError, match=r"'gcm'\. Did you mean gcn"):
        graph_layer("gcm", 3, 4)
    with pytest.raises(UserError, match="no skip"):
        GraphNetwork([(0, "skip"), (1, "skip")], SMALL_GRAPH, NARROW)
    darts = load_space("darts")
    with pytest.raises(UserError, match="darts has no networks of NAS-Bench-Graph"):
        NASBenchGraph().build(darts, darts.parse([darts.example])[0], SMALL_GRAPH, 0)
