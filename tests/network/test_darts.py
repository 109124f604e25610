"""Networks of DARTS."""

from types import MappingProxyType

import pandas as pd
import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.darts import DARTS
from ktnas.network.darts_operations import operation
from ktnas.network.task import NetworkTask, network_task
from ktnas.space import load_space
from tests.network.contract import CLASSES, GREY_DIGITS, MAP, NetworkContract

PUZZLE = NetworkTask("puzzle", "classification", 4, 16, pieces=2)
NODES_ON_THE_INPUTS = [[(0, "skip_connect"), (1, "skip_connect")]] * 2
CHAIN = [[(0, "skip_connect"), (1, "skip_connect")], [(2, "skip_connect"), (0, "skip_connect")]]
KTNAS_CIFAR10 = (
    "Genotype(normal=[('Identity', 1), ('AVG', 1), ('MAX', 1), ('DW3', 1), ('DW3', 1), ('DC7', 2), "
    "('DC5', 0), ('MAX', 4), ('DW3', 0), ('DW7', 4)], normal_concat=[3, 5, 6], "
    "reduce=[('MAX', 1), ('DC7', 1), ('Identity', 0), ('DC5', 1), ('DW5', 0), ('AVG', 0), ('AVG', 4), "
    "('MAX', 3), ('DC3', 3), ('MAX', 0)], reduce_concat=[2, 5, 6])"
)


class TestDARTS(NetworkContract):
    name = "darts"
    space_name = "darts"
    small = MappingProxyType({"channels": 4, "layers": 3})
    tasks = (GREY_DIGITS,)
    refused = (MAP, PUZZLE)

    def test_published_counts(self, data_dir):
        task = network_task("cifar10")
        published = pd.read_csv(data_dir / "darts_nasbench301_sample.csv.gz").sample(6, random_state=0)
        for row in published.itertuples():
            with torch.device("meta"):
                network = self.space.build(row.arch, task)
            assert count_parameters(network) == round(row.params * 1e6)
            assert count_flops(network, task.inputs(1), "suite_zero") == round(row.flops * 1e6)


def test_a_published_architecture_joins_the_nodes_its_text_lists():
    network = load_space("darts_emtnas").build(KTNAS_CIFAR10, CLASSES, channels=4, layers=3)
    assert [part.plan.outputs for part in network.cells] == [(3, 5, 6), (2, 5, 6), (2, 5, 6)]


def cell(nodes, output_all, **settings):
    network = DARTS(channels=2, layers=3, **settings).network(
        {"normal": nodes, "reduce": nodes}, output_all, CLASSES
    )
    return network.cells[0].eval()


def test_a_cell_adds_up_and_joins_its_nodes():
    inputs = torch.randn(2, 1, 6, 4, 4)
    whole = cell(CHAIN, output_all=True)
    before_last, last = whole.before_last(inputs[0]), whole.last(inputs[1])
    first = before_last + last
    torch.testing.assert_close(whole(*inputs), torch.cat([first, first + before_last], dim=1))


@pytest.mark.parametrize(
    ("nodes", "output_all", "outputs"),
    [(CHAIN, True, (2, 3)), (CHAIN, False, (3,)), (NODES_ON_THE_INPUTS, False, (2, 3))],
)
def test_which_nodes_a_cell_puts_out(nodes, output_all, outputs):
    assert cell(nodes, output_all).plan.outputs == outputs


def test_cells_at_one_and_two_thirds_reduce():
    network = DARTS(channels=2, layers=8).network(
        {"normal": CHAIN, "reduce": CHAIN}, True, network_task("cifar10")
    )
    shapes = []
    for part in network.cells:
        part.register_forward_hook(lambda module, taken, given: shapes.append(tuple(given.shape[1:])))
    network.eval()(torch.zeros(1, 3, 32, 32))
    assert shapes == [(4, 32, 32)] * 2 + [(8, 16, 16)] * 3 + [(16, 8, 8)] * 3


@pytest.mark.parametrize("size", [1, 7, 10, 28])
def test_images_of_any_size(size):
    space = load_space("darts_emtnas")
    task = NetworkTask("digits", "classification", 10, size, channels=1)
    assert space.build(KTNAS_CIFAR10, task, channels=4, layers=3)(task.inputs(2)).shape == (2, 10)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("name", "convolutions"),
    [
        ("skip_connect", 0),
        ("max_pool_3x3", 0),
        ("avg_pool_3x3", 0),
        ("sep_conv_3x3", 2 * (9 * 4 + 16)),
        ("sep_conv_5x5", 2 * (25 * 4 + 16)),
        ("sep_conv_7x7", 2 * (49 * 4 + 16)),
        ("dil_conv_3x3", 9 * 4 + 16),
        ("dil_conv_5x5", 25 * 4 + 16),
        ("dil_conv_7x7", 49 * 4 + 16),
    ],
)
def test_weights_and_shapes_of_operations(name, convolutions, stride):
    layer = operation(name, 4, stride, affine=False, pool_norm=True)
    reduction = 16 if name == "skip_connect" and stride == 2 else 0
    assert count_parameters(layer) == convolutions + reduction
    assert layer(torch.randn(2, 4, 9, 8)).shape == (2, 4, -(-9 // stride), 8 // stride)


def test_norms_of_operations_are_as_asked():
    def norms(name, affine, pool_norm):
        layers = operation(name, 4, 1, affine, pool_norm).modules()
        return [layer.affine for layer in layers if isinstance(layer, nn.BatchNorm2d)]

    assert norms("sep_conv_3x3", True, False) == [True, True]
    assert norms("max_pool_3x3", False, True) == [False]
    assert norms("max_pool_3x3", False, False) == []


def test_an_average_does_not_count_the_border():
    pooled = operation("avg_pool_3x3", 2, 1, affine=False, pool_norm=False)(torch.ones(1, 2, 3, 3))
    torch.testing.assert_close(pooled, torch.ones(1, 2, 3, 3))


@pytest.mark.parametrize("name", ["conv_3x3", "sep_conv_4x4", "sep_conv_3x5", "none", "max_pool_3x3 "])
def test_an_unknown_operation_is_refused(name):
    with pytest.raises(UserError, match=f"'{name}' of DARTS"):
        operation(name, 4, 1, affine=False, pool_norm=False)


@pytest.mark.parametrize(
    ("settings", "message"), [({"channels": 0}, "channels=0"), ({"layers": 2}, "layers=2")]
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        DARTS(**settings)


def test_a_space_of_other_cells_is_refused():
    space = load_space("nasbench_graph")
    with pytest.raises(UserError, match="nasbench_graph has no networks of DARTS"):
        DARTS().build(space, space.parse([space.example])[0], CLASSES, 0)
