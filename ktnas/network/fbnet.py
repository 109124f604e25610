"""Networks of FBNet: 22 mobile blocks in stages of fixed width."""

import re
from dataclasses import dataclass

from torch import nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.layers import ChainNetwork, init_fan_out
from ktnas.network.mobile_layers import InvertedResidual, chosen, conv_norm, round_width
from ktnas.network.task import NetworkTask, check_task
from ktnas.space.base import SearchSpace

STEM = 16
STAGES = ((1, 16), (4, 24), (4, 32), (4, 64), (4, 112), (4, 184), (1, 352))
POSITIONS = sum(blocks for blocks, _ in STAGES)
BLOCK = re.compile(r"k(?P<kernel>[1-9]\d*)_e(?P<expansion>[1-9]\d*)(_g(?P<groups>[1-9]\d*))?")


@dataclass(frozen=True)
class Layout:
    """What depends on the size of the images: strides of the stem and the stages, features of the head."""

    stem: int
    stages: tuple[int, ...]
    features: int


SMALL_IMAGES = Layout(stem=1, stages=(1, 1, 2, 2, 1, 2, 1), features=1504)
LARGE_IMAGES = Layout(stem=2, stages=(1, 2, 2, 2, 1, 2, 1), features=1984)
LARGEST_SMALL_SIZE = 64


@dataclass
class FBNet(NetworkBuilder):
    """Networks of FBNet (Wu et al., CVPR 2019, Table 1) as HW-NAS-Bench has them (Li et al., ICLR 2021).

    A block is written ``k<kernel>_e<expansion>``, with ``_g<groups>`` where its 1x1 convolutions have
    groups, or ``skip``: the identity, and a 1x1 convolution with batch norm and ReLU where the shape
    changes. Images of up to 64 pixels get the layout for CIFAR (reduced 8-fold, 1,504 features), larger
    ones that for ImageNet (reduced 32-fold, 1,984 features). Convolutions are drawn by He's rule for their
    outputs, the head's weights with a standard deviation of 0.001.

    Attributes:
        channels: of the stem; all other widths in proportion, to even numbers.
    """

    channels: int = STEM

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise UserError(f"channels={self.channels}: the stem needs at least 1.")

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        check_task(task, space.name)
        return self.network(chosen(space, genotype, [f"block_{i + 1}" for i in range(POSITIONS)]), task)

    def network(self, blocks: list[str], task: NetworkTask) -> ChainNetwork:
        """Network of the 22 ``blocks``, as they are written.

        Raises:
            UserError: a block that is not written as the class says.
        """
        layout = SMALL_IMAGES if task.size <= LARGEST_SMALL_SIZE else LARGE_IMAGES
        layers = []
        width = self._width(STEM)
        names = iter(blocks)
        for (n, stage_width), stage_stride in zip(STAGES, layout.stages, strict=True):
            taken, width = width, self._width(stage_width)
            layers.append(_block(next(names), taken, width, stage_stride))
            layers += [_block(next(names), width, width, 1) for _ in range(n - 1)]
        features = self._width(layout.features)
        network = ChainNetwork(
            conv_norm(task.channels, self._width(STEM), 3, layout.stem, activation=nn.ReLU()),
            layers,
            [*conv_norm(width, features, activation=nn.ReLU()), nn.AdaptiveAvgPool2d(1)],
            nn.Linear(features, task.outputs),
        )
        init_fan_out(network)
        nn.init.normal_(network.head.weight, std=0.001)
        return network

    def _width(self, width: int) -> int:
        return round_width(width * self.channels / STEM, divisor=2)


def _block(name: str, taken: int, given: int, stride: int) -> nn.Module:
    if name == "skip":
        if stride == 1 and taken == given:
            return nn.Identity()
        return nn.Sequential(*conv_norm(taken, given, stride=stride, activation=nn.ReLU()))
    match = BLOCK.fullmatch(name)
    if match is None:
        raise UserError(f"Unknown block '{name}' of FBNet. Valid: skip, k<kernel>_e<expansion>[_g<groups>].")
    return InvertedResidual(
        taken,
        given,
        taken * int(match["expansion"]),
        int(match["kernel"]),
        stride,
        groups=int(match["groups"] or 1),
    )
