"""Networks of FBNet."""

from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.fbnet import FBNet
from ktnas.network.task import NetworkTask, network_task
from ktnas.registry import build
from ktnas.space import load_space
from tests.network.contract import CLASSES, GREY_DIGITS, MAP, NetworkContract

JIGSAW = NetworkTask("jigsaw", "classification", 9, 16, pieces=4)
CIFAR, IMAGENET = network_task("cifar100"), network_task("imagenet")


class TestFBNet(NetworkContract):
    name = "fbnet"
    space_name = "fbnet"
    small: ClassVar = {"channels": 4}
    tasks = (GREY_DIGITS,)
    refused = (MAP, JIGSAW)

    @cached_property
    def genotypes(self):
        every_block_once = "|".join([*self.space.operations, *["skip"] * 13])
        sample = self.space.sample(2, np.random.default_rng(0))
        return np.concatenate([self.space.parse([every_block_once]), sample])


def network(block, task, **settings):
    with torch.device("meta"):
        return FBNet(**settings).network([block] * 22, task)


def test_counts_are_those_of_the_table(data_dir):
    rows = pd.read_csv(data_dir / "fbnet_zero_cost.csv.gz").sample(15, random_state=0)
    inputs = torch.empty(1, *CIFAR.input_shape, device="meta")
    for row in rows.itertuples():
        with torch.device("meta"):
            built = load_space("fbnet").build(row.arch, CIFAR)
        assert (count_parameters(built), count_flops(built, inputs, "flopth")) == (row.params, row.flops)


@pytest.mark.parametrize(("task", "size", "features"), [(CIFAR, 4, 1504), (IMAGENET, 7, 1984)])
def test_the_layout_depends_on_the_size_of_the_images(task, size, features):
    built = network("skip", task)
    images = torch.empty(1, *task.input_shape, device="meta")
    assert built.blocks(built.stem(images)).shape == (1, 352, size, size)
    assert built.head.in_features == features


def test_skips_are_convolutions_where_the_shape_changes():
    built = network("skip", CIFAR)
    changes = [index for index, block in enumerate(built.blocks) if not isinstance(block, nn.Identity)]
    assert changes == [1, 5, 9, 13, 17, 21]
    assert [type(part) for part in built.blocks[1]] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]


def test_other_blocks_of_the_same_form_are_built():
    expanding, *_, projecting, _ = network("k7_e2_g4", CIFAR).blocks[0].layers
    assert (expanding.groups, expanding.out_channels, projecting.groups) == (4, 32, 4)


@pytest.mark.parametrize("block", ["k3", "k3_e", "k3_e1_g", "k0_e1", "none", "", "k3_e1 "])
def test_an_unknown_block_is_refused(block):
    with pytest.raises(UserError, match=f"'{block}'.*k<kernel>_e<expansion>"):
        network(block, CIFAR)


def test_widths_follow_the_stem():
    built = network("k3_e1_g2", CLASSES, channels=2)
    assert built.stem[0].out_channels == 2
    assert built.blocks[1].layers[-2].out_channels == 4
    assert built.head.in_features == 188
    with pytest.raises(UserError, match="channels=0"):
        build("network", {"name": "fbnet", "channels": 0})


def test_the_head_starts_small():
    built = FBNet().network(["skip"] * 22, CIFAR)
    assert built.head.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert not built.head.bias.any()
