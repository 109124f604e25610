"""Networks of Once-for-All's MobileNetV3 space: kernel, expansion, depth and resolution are chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.layers import ChainNetwork, init_fan_out
from ktnas.network.mobile_layers import Activation, InvertedResidual, chosen, conv_norm, round_width
from ktnas.network.task import NetworkTask, check_task
from ktnas.space.base import SearchSpace


@dataclass(frozen=True)
class Stage:
    """What the blocks of a stage have in common; the first takes the stride."""

    width: int
    stride: int
    squeeze: bool
    activation: Activation


STAGES = (
    Stage(24, 2, False, nn.ReLU),
    Stage(40, 2, True, nn.ReLU),
    Stage(80, 2, False, nn.Hardswish),
    Stage(112, 1, True, nn.Hardswish),
    Stage(160, 2, True, nn.Hardswish),
)
STEM, EXPANDED, FEATURES = 16, 960, 1280
MAX_DEPTH = 4
NATIVE_SIZE = 224


@dataclass
class MobileNetV3(NetworkBuilder):
    """Subnetworks of Once-for-All's MobileNetV3 (Cai et al., ICLR 2020, Section 3; Howard et al., ICCV 2019).

    The variables are ``ks_1`` … ``ks_20`` and ``e_1`` … ``e_20`` (kernel and expansion of 4 blocks in each
    of 5 stages), ``d_1`` … ``d_5`` (how many blocks a stage has; what is chosen for the others has no
    effect) and ``r``. Weights are drawn anew, not taken from the supernetwork: convolutions by He's rule
    for their outputs, the head uniformly within ±1/√features, biases zero.

    The genotype chooses the size of the images: ``r`` pixels where the task has 224, as ImageNet. A task of
    another size is scaled by the same factor, ``r`` / 224, and rounded to whole pixels.

    Attributes:
        width: factor on all widths: 1.2 in the supernetwork that MTLP-JR measured, 1.0 in the other one.
    """

    width: float = 1.2

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise UserError(f"width={self.width}: the factor on the widths must be positive.")

    def task_of(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> NetworkTask:
        """``task`` with images of the size that the genotype chooses."""
        [resolution] = chosen(space, genotype, ["r"])
        return replace(task, size=max(1, round(task.size * int(resolution) / NATIVE_SIZE)))

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        check_task(task, space.name)

        def numbers(kind: str, n: int) -> list[int]:
            return [int(text) for text in chosen(space, genotype, [f"{kind}_{i + 1}" for i in range(n)])]

        positions = len(STAGES) * MAX_DEPTH
        kernels, expansions = numbers("ks", positions), numbers("e", positions)
        return self.network(kernels, expansions, numbers("d", len(STAGES)), task)

    def network(
        self, kernels: Sequence[int], expansions: Sequence[int], depths: Sequence[int], task: NetworkTask
    ) -> ChainNetwork:
        """Network of 20 ``kernels`` and ``expansions``, four per stage, and 5 ``depths`` of at most 4."""
        stem = width = self._width(STEM)
        layers: list[nn.Module] = [InvertedResidual(stem, stem, stem, 3, expand=False)]
        for number, (stage, depth) in enumerate(zip(STAGES, depths, strict=True)):
            for position in range(depth):
                index = number * MAX_DEPTH + position
                taken, width = width, self._width(stage.width)
                block = InvertedResidual(
                    taken,
                    width,
                    round_width(taken * expansions[index]),
                    kernels[index],
                    stage.stride if position == 0 else 1,
                    squeeze=stage.squeeze,
                    activation=stage.activation,
                )
                layers.append(block)
        expanded, features = self._width(EXPANDED), self._width(FEATURES)
        network = ChainNetwork(
            conv_norm(task.channels, stem, 3, stride=2, activation=nn.Hardswish()),
            layers,
            [
                *conv_norm(width, expanded, activation=nn.Hardswish()),
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(expanded, features, 1, bias=False),
                nn.Hardswish(),
            ],
            nn.Linear(features, task.outputs),
        )
        init_fan_out(network)
        nn.init.uniform_(network.head.weight, -(features**-0.5), features**-0.5)
        return network

    def _width(self, width: int) -> int:
        return round_width(width * self.width)
