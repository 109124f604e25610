"""Networks of NAS-Bench-Macro."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.nasbench_macro import NASBenchMacro
from ktnas.network.task import NetworkTask, network_task
from ktnas.registry import build
from ktnas.space import load_space
from tests.network.contract import GREY_DIGITS, MAP, NetworkContract

JIGSAW = NetworkTask("jigsaw", "classification", 9, 16, pieces=4)
CIFAR = network_task("cifar10")


class TestNASBenchMacro(NetworkContract):
    name = "nasbench_macro"
    space_name = "nasbench_macro"
    small: ClassVar = {"channels": 4}
    tasks = (GREY_DIGITS,)
    refused = (MAP, JIGSAW)


@pytest.mark.parametrize(
    ("arch", "parameters", "flops"),
    [
        ("02012100", 890_666, 47_327_744),
        ("11111221", 2_181_386, 65_012_224),
        ("00011110", 1_118_378, 31_390_208),
        ("10000222", 2_343_690, 47_743_488),
        ("22222200", 1_269_610, 79_266_304),
        ("22220212", 2_285_674, 85_053_952),
    ],
)
def test_counts_are_those_that_the_authors_publish(arch, parameters, flops):
    with torch.device("meta"):
        built = load_space("nasbench_macro").build(arch, CIFAR)
    assert count_parameters(built) == parameters
    assert count_flops(built, torch.empty(1, *CIFAR.input_shape), "macs") == flops


def test_identities_are_convolutions_where_the_shape_changes():
    built = NASBenchMacro(channels=4).network(["0"] * 8, CIFAR)
    changes = [index for index, block in enumerate(built.blocks) if not isinstance(block, nn.Identity)]
    assert changes == [0, 2, 5]
    assert [type(part) for part in built.blocks[0]] == [nn.Conv2d, nn.BatchNorm2d]
    assert built.blocks(built.stem(torch.zeros(1, 3, 32, 32))).shape == (1, 32, 4, 4)


def test_widths_follow_the_stem():
    built = NASBenchMacro(channels=3).network(["1"] * 8, CIFAR)
    assert built.head.in_features == 120
    with pytest.raises(UserError, match="channels=0"):
        build("network", {"name": "nasbench_macro", "channels": 0})


def test_an_unknown_block_is_refused():
    with pytest.raises(UserError, match="'3'"):
        NASBenchMacro().network(["3"] * 8, CIFAR)
