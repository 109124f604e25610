"""Mobile blocks, and networks that are a chain of them."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn
from torch.nn import functional

from ktnas.arrays import IntArray
from ktnas.errors import unknown
from ktnas.space.base import SearchSpace

Activation = Callable[[], nn.Module]


def round_width(width: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` nearest to ``width``, at least one, and not below 90 % of it.

    The rule of the MobileNets (Sandler et al., MobileNetV2, CVPR 2018, in their implementation).
    """
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded


def conv_norm(
    taken: int,
    given: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: nn.Module | None = None,
) -> list[nn.Module]:
    """Convolution without bias, padded by half its kernel, batch norm and, where given, an activation."""
    convolution = nn.Conv2d(taken, given, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(given)]
    return layers if activation is None else [*layers, activation]


class HardSigmoid(nn.Module):
    """The sigmoid in three straight pieces, which unlike torch's own can be differentiated twice."""

    def forward(self, x: Tensor) -> Tensor:
        """Map values of any shape to [0, 1]."""
        return functional.relu6(x + 3) / 6


class SqueezeExcitation(nn.Module):
    """Each channel scaled by what all channels' means say of it (Hu et al., CVPR 2018), as in MobileNetV3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = round_width(channels // 4)
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
            HardSigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale (B, channels, H, W)."""
        scaled: Tensor = x * self.scale(x)
        return scaled


class InvertedResidual(nn.Module):
    """Expanding 1x1, depthwise and projecting 1x1 convolution, added to the input where the shapes agree.

    The block of Sandler et al., MobileNetV2, CVPR 2018, and its variants: with a squeeze-excitation before
    the projection (Howard et al., MobileNetV3, ICCV 2019); with 1x1 convolutions in groups and the channels
    shuffled after the first of them (Wu et al., FBNet, CVPR 2019). Both activations are one module, as
    HW-NAS-Bench has it: some counters of operations count a module once.

    Args:
        taken: channels of the input.
        given: channels of the output.
        hidden: channels of the depthwise convolution.
        kernel: of the depthwise convolution.
        stride: of the depthwise convolution.
        groups: of the 1x1 convolutions.
        expand: False leaves out the expanding convolution; ``hidden`` is ``taken`` then.
        squeeze: whether there is a squeeze-excitation.
        activation: what follows the first two convolutions.
    """

    def __init__(
        self,
        taken: int,
        given: int,
        hidden: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        expand: bool = True,
        squeeze: bool = False,
        activation: Activation = nn.ReLU,
    ) -> None:
        super().__init__()
        activate = activation()
        layers = conv_norm(taken, hidden, groups=groups, activation=activate) if expand else []
        if groups > 1:
            layers.append(nn.ChannelShuffle(groups))
        layers += conv_norm(hidden, hidden, kernel, stride, groups=hidden, activation=activate)
        if squeeze:
            layers.append(SqueezeExcitation(hidden))
        layers += conv_norm(hidden, given, groups=groups)
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and taken == given

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, taken, H, W) to (B, given, H / stride, W / stride), rounded up."""
        result: Tensor = self.layers(x)
        return result + x if self.residual else result


def chosen(space: SearchSpace, genotype: IntArray, variables: Iterable[str]) -> list[str]:
    """What ``variables`` of a genotype (V,) are written as.

    Raises:
        UserError: a variable that the space lacks.
    """
    choices = space.choices(genotype)
    for variable in variables:
        if variable not in choices:
            raise unknown(f"variable of space {space.name}, which its networks need:", variable, choices)
    return [choices[variable] for variable in variables]
