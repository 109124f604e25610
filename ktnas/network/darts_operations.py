"""Operations of the cells of DARTS."""

import re

from torch import nn

from ktnas.errors import UserError
from ktnas.network.layers import FactorizedReduce

CONVOLUTION = re.compile(r"(?P<kind>sep|dil)_conv_(?P<kernel>[1-9]\d*)x(?P=kernel)")
POOLING = re.compile(r"(?P<kind>max|avg)_pool_(?P<kernel>[1-9]\d*)x(?P=kernel)")


def operation(name: str, channels: int, stride: int, affine: bool, pool_norm: bool) -> nn.Module:
    """The operation ``name`` on maps (B, channels, H, W), which it makes ``stride`` times smaller.

    ``skip_connect``, a factorised reduction where the stride is 2; ``max_pool_KxK`` and ``avg_pool_KxK``, the
    average taken over pixels of the map alone; ``sep_conv_KxK``, two depthwise separable convolutions;
    ``dil_conv_KxK``, one with a dilation of 2. K is odd. As in the code of Liu et al., DARTS, ICLR 2019.

    Args:
        name: of the operation.
        channels: of its inputs and outputs.
        stride: 1 or 2.
        affine: whether its batch norms have weights.
        pool_norm: whether a pooling is followed by a batch norm.

    Raises:
        UserError: an unknown operation.
    """
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else factorized_reduce(channels, channels, affine)
    convolution, pooling = CONVOLUTION.fullmatch(name), POOLING.fullmatch(name)
    kernel = int((convolution or pooling or {"kernel": 0})["kernel"])
    if kernel % 2 == 0:
        raise UserError(
            f"Unknown operation '{name}' of DARTS. Valid: skip_connect and, with an odd K, max_pool_KxK, "
            "avg_pool_KxK, sep_conv_KxK and dil_conv_KxK."
        )
    if convolution is None:
        return _pooling(name, kernel, channels, stride, affine, pool_norm)
    if convolution["kind"] == "dil":
        return nn.Sequential(*_separable(channels, kernel, stride, 2, affine))
    return nn.Sequential(
        *_separable(channels, kernel, stride, 1, affine), *_separable(channels, kernel, 1, 1, affine)
    )


def factorized_reduce(taken: int, given: int, affine: bool = True) -> FactorizedReduce:
    """Maps of half the size by two 1x1 convolutions, and a batch norm, with weights where ``affine``."""
    reduction = FactorizedReduce(taken, given, stride=2)
    reduction.norm = nn.BatchNorm2d(given, affine=affine)
    return reduction


def _pooling(name: str, kernel: int, channels: int, stride: int, affine: bool, norm: bool) -> nn.Module:
    padding = kernel // 2
    pooling = (
        nn.MaxPool2d(kernel, stride, padding)
        if name.startswith("max")
        else nn.AvgPool2d(kernel, stride, padding, count_include_pad=False)
    )
    return nn.Sequential(pooling, nn.BatchNorm2d(channels, affine=affine)) if norm else pooling


def _separable(channels: int, kernel: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]
