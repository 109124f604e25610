"""Networks of TransNAS-Bench-101's macro space: searched modules of residual blocks."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ktnas.arrays import IntArray
from ktnas.network.layers import Residual, relu_conv_norm
from ktnas.network.task import NetworkTask
from ktnas.network.transnas import TransNASBuilder
from ktnas.space.base import SearchSpace


@dataclass
class TransNASMacro(TransNASBuilder):
    """Networks of the macro space, written ``64-<digits>-basic``.

    The digits, what the space's variables are written as, are those of ``TransNASBuilder.network``.
    """

    blocks_alike: ClassVar[bool] = True

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        return self.network(task, "".join(space.choices(genotype).values()), residual_block)


def residual_block(taken: int, given: int, stride: int) -> nn.Module:
    """Two 3x3 convolutions and a shortcut, a 1x1 convolution with batch norm where the shape changes.

    That batch norm has ``eps`` and ``momentum`` of 1, as in the networks that the benchmark trained: its code
    hands over two flags in their place.
    """
    body = nn.Sequential(relu_conv_norm(taken, given, 3, stride), relu_conv_norm(given, given, 3))
    if stride == 1 and taken == given:
        return Residual(body, nn.Identity())
    projection = nn.Conv2d(taken, given, 1, stride, bias=False)
    return Residual(body, nn.Sequential(projection, nn.BatchNorm2d(given, eps=1.0, momentum=1.0)))
