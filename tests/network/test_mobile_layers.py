"""Mobile blocks and what networks of them share."""

import numpy as np
import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.count import count_parameters
from ktnas.network.layers import ChainNetwork
from ktnas.network.mobile_layers import (
    HardSigmoid,
    InvertedResidual,
    SqueezeExcitation,
    chosen,
    conv_norm,
    round_width,
)
from ktnas.space import load_space


@pytest.mark.parametrize(
    ("width", "divisor", "rounded"),
    [
        (16, 8, 16),
        (19.2, 8, 24),
        (28.8, 8, 32),
        (134.4, 8, 136),
        (20, 8, 24),
        (1, 8, 8),
        (3.4, 2, 4),
        (8, 2, 8),
    ],
)
def test_widths_are_rounded_as_in_the_mobilenets(width, divisor, rounded):
    assert round_width(width, divisor) == rounded


def test_a_block_expands_filters_and_projects():
    block = InvertedResidual(4, 6, 12, kernel=5, stride=2)
    expanding, filtering, projecting = 4 * 12 + 24, 12 * 25 + 24, 12 * 6 + 12
    assert count_parameters(block) == expanding + filtering + projecting
    assert block(torch.zeros(2, 4, 7, 9)).shape == (2, 6, 4, 5)


def test_groups_divide_the_pointwise_convolutions_and_mix_their_channels():
    block = InvertedResidual(4, 4, 4, kernel=1, groups=2).eval()
    assert count_parameters(block) == count_parameters(InvertedResidual(4, 4, 4, kernel=1)) - 2 * 8
    for convolution in (part for part in block.modules() if isinstance(part, nn.Conv2d)):
        nn.init.ones_(convolution.weight)
    with torch.no_grad():
        answers = [(block(image) - image).flatten().bool() for image in torch.eye(4).view(4, 1, 4, 1, 1)]
    assert all(answer.all() for answer in answers)


def test_a_block_adds_its_input_where_the_shapes_agree():
    x = torch.randn(2, 4, 5, 5)
    for given, stride, residual in ((4, 1, True), (4, 2, False), (6, 1, False)):
        block = InvertedResidual(4, given, 8, kernel=3, stride=stride).eval()
        nn.init.zeros_(block.layers[-1].weight)
        expected = x if residual else torch.zeros(1)
        torch.testing.assert_close(block(x), expected.expand_as(block(x)))


def test_a_block_without_expansion_starts_with_its_depthwise_convolution():
    block = InvertedResidual(4, 4, 4, kernel=3, expand=False)
    assert block.layers[0].groups == 4
    assert count_parameters(block) == 4 * 9 + 8 + 16 + 8


def test_the_hard_sigmoid_is_torchs():
    x = torch.linspace(-5, 5, 101)
    torch.testing.assert_close(HardSigmoid()(x), nn.Hardsigmoid()(x))


@pytest.mark.parametrize(
    "block",
    [
        InvertedResidual(8, 8, 16, kernel=3, groups=2),
        InvertedResidual(8, 8, 16, kernel=3, squeeze=True, activation=nn.Hardswish),
    ],
)
def test_blocks_can_be_differentiated_twice(block):
    x = torch.randn(2, 8, 3, 3)
    slopes = torch.autograd.grad(block(x).square().mean(), list(block.parameters()), create_graph=True)
    sum(slope.square().sum() for slope in slopes).backward()
    assert all(weight.grad.isfinite().all() for weight in block.parameters())
    assert block.layers[0].weight.grad.any()


def test_squeeze_excitation_scales_whole_channels():
    layer = SqueezeExcitation(32).eval()
    assert count_parameters(layer) == 32 * 8 + 8 + 8 * 32 + 32
    x = torch.rand(2, 32, 3, 3) + 1
    scale = layer(x) / x
    torch.testing.assert_close(scale, scale[..., :1, :1].expand_as(scale))
    assert scale.min() >= 0
    assert scale.max() <= 1


def test_a_block_has_the_layers_that_were_asked_for():
    block = InvertedResidual(8, 8, 16, kernel=3, squeeze=True, activation=nn.Hardswish)
    kinds = [type(part) for part in block.layers]
    assert kinds[2] is kinds[5] is nn.Hardswish
    assert kinds[6] is SqueezeExcitation


def test_a_chain_is_its_parts_in_a_row():
    network = ChainNetwork(
        conv_norm(3, 4, 3, activation=nn.ReLU()),
        [InvertedResidual(4, 6, 8, 3, 2)],
        [nn.AdaptiveAvgPool2d(1)],
        nn.Linear(6, 5),
    ).eval()
    x = torch.randn(2, 3, 8, 8)
    maps = network.blocks(network.stem(x))
    torch.testing.assert_close(network.features(x), maps.mean((2, 3)))
    torch.testing.assert_close(network(x), network.head(maps.mean((2, 3))))


def test_a_variable_that_the_space_lacks_is_named():
    space = load_space("nasbench_macro")
    genotype = np.arange(8) % 3
    assert chosen(space, genotype, ["block_2", "block_6"]) == ["1", "2"]
    with pytest.raises(UserError, match=r"'block_9'.*block_1"):
        chosen(space, genotype, ["block_8", "block_9"])
