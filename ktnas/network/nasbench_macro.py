"""Networks of NAS-Bench-Macro: 8 mobile blocks that may be left out."""

from dataclasses import dataclass

from torch import nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError, unknown
from ktnas.network.base import NetworkBuilder
from ktnas.network.layers import ChainNetwork
from ktnas.network.mobile_layers import InvertedResidual, chosen, conv_norm
from ktnas.network.task import NetworkTask, check_task
from ktnas.space.base import SearchSpace

STAGES = (2, 3, 3)
FEATURES_PER_CHANNEL = 40
IDENTITY = "0"
KERNEL_AND_EXPANSION = {"1": (3, 3), "2": (5, 6)}


@dataclass
class NASBenchMacro(NetworkBuilder):
    """Networks of NAS-Bench-Macro (Su et al., Prioritized Architecture Sampling, CVPR 2021).

    Three stages of 2, 3 and 3 blocks. The first block of each doubles the channels and halves the size, and
    is a 1x1 convolution with batch norm where the identity is chosen. Weights are drawn as torch does by
    default.

    Attributes:
        channels: of the stem; a pooled 1x1 convolution gives the head 40 features for each.
    """

    channels: int = 32

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise UserError(f"channels={self.channels}: the stem needs at least 1.")

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        check_task(task, space.name)
        return self.network(chosen(space, genotype, [f"block_{i + 1}" for i in range(sum(STAGES))]), task)

    def network(self, blocks: list[str], task: NetworkTask) -> ChainNetwork:
        """Network of the 8 ``blocks``: ``0`` identity, ``1`` kernel 3 and expansion 3, ``2`` kernel 5 and 6.

        Raises:
            UserError: another block.
        """
        layers = []
        width = self.channels
        names = iter(blocks)
        for n in STAGES:
            layers.append(_block(next(names), width, 2 * width, stride=2))
            width *= 2
            layers += [_block(next(names), width, width, stride=1) for _ in range(n - 1)]
        features = FEATURES_PER_CHANNEL * self.channels
        return ChainNetwork(
            conv_norm(task.channels, self.channels, 3, activation=nn.ReLU()),
            layers,
            [*conv_norm(width, features, activation=nn.ReLU()), nn.AdaptiveAvgPool2d(1)],
            nn.Linear(features, task.outputs),
        )


def _block(name: str, taken: int, given: int, stride: int) -> nn.Module:
    if name == IDENTITY:
        return nn.Identity() if taken == given else nn.Sequential(*conv_norm(taken, given, stride=stride))
    if name not in KERNEL_AND_EXPANSION:
        raise unknown("block of NAS-Bench-Macro's networks", name, (IDENTITY, *KERNEL_AND_EXPANSION))
    kernel, expansion = KERNEL_AND_EXPANSION[name]
    return InvertedResidual(taken, given, taken * expansion, kernel, stride)
