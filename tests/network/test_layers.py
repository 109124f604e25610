"""Layers that several networks share."""

import pytest
import torch
from torch import nn

from ktnas.network.layers import FactorizedReduce, Residual, Zero, init_fan_out, relu_conv_norm


@pytest.mark.parametrize("size", [1, 5, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_all_ways_from_one_shape_to_another_end_in_the_same(size, stride):
    images = torch.randn(2, 3, size, size)
    expected = (2, 6, -(-size // stride), -(-size // stride))
    layers = [Zero(6, stride), FactorizedReduce(3, 6, stride)]
    layers += [relu_conv_norm(3, 6, kernel, stride) for kernel in (1, 3)]
    assert all(layer(images).shape == expected for layer in layers)


def test_zeros_have_zero_gradients():
    images = torch.randn(2, 3, 4, 4, requires_grad=True)
    zeros = Zero(5, 2)(images)
    zeros.sum().backward()
    assert not zeros.any()
    assert not images.grad.any()


def test_a_factorized_reduction_reads_pixels_on_both_diagonals():
    reduction = FactorizedReduce(1, 2, 2).eval()
    nn.init.ones_(reduction.here.weight)
    nn.init.ones_(reduction.beside.weight)
    image = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    here, beside = reduction(image)[0]
    torch.testing.assert_close(here, torch.tensor([[1.0, 3.0], [7.0, 9.0]]), rtol=1e-4, atol=0)
    torch.testing.assert_close(beside, torch.tensor([[5.0, 0.0], [0.0, 0.0]]), rtol=1e-4, atol=0)


def test_a_factorized_reduction_gives_an_odd_number_of_channels_too():
    assert FactorizedReduce(4, 5, 2)(torch.randn(2, 4, 4, 4)).shape == (2, 5, 2, 2)


def test_a_residual_is_a_sum():
    x = torch.randn(2, 3)
    torch.testing.assert_close(Residual(nn.ReLU(), nn.Identity())(x), x.clamp(min=0) + x)


def test_fan_out_is_the_variance_of_the_convolutions():
    convolution = nn.Conv2d(64, 100, 3)
    depthwise = nn.Conv2d(400, 400, 5, groups=400)
    init_fan_out(nn.Sequential(convolution, depthwise))
    assert convolution.weight.std().item() == pytest.approx((2 / 900) ** 0.5, rel=0.02)
    assert depthwise.weight.std().item() == pytest.approx((2 / 10000) ** 0.5, rel=0.05)
    assert not convolution.bias.any()
