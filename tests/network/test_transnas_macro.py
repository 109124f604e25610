"""Networks of TransNAS-Bench-101's macro space."""

from types import MappingProxyType

import torch
from torch import nn

from ktnas.network.task import NetworkTask
from ktnas.network.transnas_macro import residual_block
from ktnas.space import load_space
from tests.network.contract import CLASSES, GREY_DIGITS, VALUES, NetworkContract
from tests.network.table import check_counts

IMAGE = NetworkTask("image", "dense", 3, 64, channels=1)


class TestTransNASMacro(NetworkContract):
    name = "transnas_macro"
    space_name = "transnas_macro"
    small = MappingProxyType({"channels": 2, "blocks": 1, "decoder_channels": 64})
    tasks = (CLASSES, GREY_DIGITS, VALUES, IMAGE)
    refused = (NetworkTask("maps", "dense", 2, 64, pieces=2),)

    def test_published_counts(self, data_dir):
        table = data_dir / "transnas_macro_zero_cost.csv.gz"
        check_counts(self.space, table, 6, {"class_scene": 63})


def test_the_digits_are_the_modules():
    network = load_space("transnas_macro").build("64-1234-basic", "class_scene", channels=4)
    assert [len(module) for module in network.blocks] == [2] * 4
    assert network.encoder(torch.zeros(1, 3, 64, 64)).shape == (1, 16, 4, 4)


def test_a_shortcut_is_projected_where_the_shape_changes():
    assert isinstance(residual_block(4, 4, 1).shortcut, nn.Identity)
    for given, stride in ((8, 1), (4, 2), (8, 2)):
        projection, norm = residual_block(4, given, stride).shortcut
        assert projection.kernel_size == (1, 1)
        assert (norm.eps, norm.momentum) == (1.0, 1.0)
