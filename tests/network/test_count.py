"""Counts of parameters and operations."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ktnas.errors import UserError
from ktnas.network.count import CONVENTIONS, count_flops, count_parameters


def count(layer, *shape, convention="suite_zero"):
    return count_flops(layer, torch.zeros(*shape), convention)


def every_layer():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=1, padding=1),
        nn.Conv2d(8, 8, 3, groups=4, dilation=2, bias=False),
        nn.ConvTranspose2d(8, 6, 3, stride=2, groups=2),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(54, 7),
    )


class Twice(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(self.layer(x))


def test_shared_parameters_count_once():
    layer = nn.Linear(4, 4)
    assert count_parameters(nn.Sequential(layer, layer)) == 20
    assert count_parameters(nn.Sequential(nn.BatchNorm2d(5), nn.Conv2d(2, 3, 1))) == 10 + 9


def test_a_convolution_takes_a_kernel_of_products_per_output():
    assert count(nn.Conv2d(3, 8, 3, stride=2, padding=1), 1, 3, 10, 10, convention="macs") == 25 * 8 * 27
    assert count(nn.Conv2d(6, 8, (1, 5), groups=2), 2, 6, 9, 9, convention="macs") == 2 * 45 * 8 * 15
    assert count(nn.Linear(10, 4), 3, 10, convention="macs") == 120


def test_flops_are_those_of_torch():
    inputs = torch.randn(2, 3, 17, 17)
    with FlopCounterMode(display=False) as counter:
        every_layer()(inputs)
    assert count_flops(every_layer(), inputs, "flops") == counter.get_total_flops()
    assert count_flops(every_layer(), inputs) == counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(4, 6, 3), 16 * 6 * 36 + 16 * 6),
        (nn.Conv2d(4, 6, 3, bias=False), 16 * 6 * 36),
        (nn.BatchNorm2d(4), 2 * 144),
        (nn.BatchNorm2d(4, affine=False), 144),
        (nn.ReLU(), 144),
        (nn.ReLU6(), 144),
        (nn.Sigmoid(), 0),
        (nn.AvgPool2d(3, stride=1, padding=1), 9 * 144),
        (nn.MaxPool2d((2, 3), stride=2), 6 * 4 * 3 * 2),
        (nn.AdaptiveAvgPool2d(1), 4 * 49),
        (nn.AdaptiveAvgPool2d((2, 4)), 4 * (4 + 4) * 4 * 3),
        (nn.AdaptiveAvgPool2d((4, 1)), 4 * (3 + 3 + 3 + 3) * 7),
        (nn.ConvTranspose2d(4, 4, 3), 0),
    ],
)
def test_what_suite_zero_counts(layer, expected):
    assert count(layer, 1, 4, 6, 6) == expected


def test_suite_zero_does_not_count_the_bias_of_a_linear_layer():
    assert count(nn.Linear(10, 4), 1, 10) == 40


def test_a_repeated_layer_counts_every_call_but_for_suite_zero():
    assert count(Twice(nn.Conv2d(4, 4, 3)), 1, 4, 6, 6, convention="macs") == (16 + 4) * 4 * 36
    assert count(Twice(nn.ReLU()), 1, 4, 6, 6) == 144


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_counting_needs_no_computing(convention):
    with torch.device("meta"):
        network = every_layer()
    inputs = torch.zeros(1, 3, 33, 33)
    assert count_flops(network, inputs, convention) == count_flops(every_layer(), inputs, convention)


def test_counting_leaves_no_trace():
    network = every_layer().train()
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count(network, 2, 3, 17, 17)
    assert [part.training for part in network] == [True, False] + [True] * 7
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(part._forward_hooks for part in network.modules())


def test_a_failing_network_leaves_no_trace_either():
    network = every_layer().train()
    with pytest.raises(RuntimeError):
        count(network, 1, 3, 2, 2)
    assert all(part.training for part in network)
    assert not any(part._forward_hooks for part in network.modules())


def test_an_unknown_convention_is_refused():
    with pytest.raises(UserError, match="macs"):
        count_flops(nn.ReLU(), torch.zeros(1), "mac")


@pytest.mark.parametrize(
    "layer", [nn.AvgPool2d(3, stride=2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(4)]
)
def test_flopth_counts_what_a_pooling_reads(layer):
    assert count(layer, 1, 4, 6, 6, convention="flopth") == 144


def test_flopth_counts_other_layers_as_suite_zero():
    unpooled = nn.Sequential(*[layer for layer in every_layer() if "Pool" not in type(layer).__name__][:-2])
    assert count(unpooled, 1, 3, 17, 17, convention="flopth") == count(unpooled, 1, 3, 17, 17)
    assert count(Twice(nn.ReLU()), 1, 4, 6, 6, convention="flopth") == 144


def test_once_for_all_rounds_sums_to_single_precision():
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(1, 1, 4096), nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 6))
    assert count(network, 1, 1, 4096, 4096, convention="macs") == 2**24 + 8
    assert count(network, 1, 1, 4096, 4096, convention="once_for_all") == 2**24 + 6
