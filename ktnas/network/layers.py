"""Layers that the networks of several spaces share."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional


def relu_conv_norm(taken: int, given: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Rectifier, convolution without bias padded by half its kernel, and batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(taken, given, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(given),
    )


class Zero(nn.Module):
    """Nothing but zeros, through which gradients are zero too, not missing."""

    def __init__(self, given: int, stride: int = 1) -> None:
        super().__init__()
        self.given = given
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros (B, given, H / stride, W / stride), rounded up, for a map (B, C, H, W)."""
        zeros = x[:, :1, :: self.stride, :: self.stride] * 0.0
        return zeros.expand(-1, self.given, -1, -1)


class FactorizedReduce(nn.Module):
    """Rectifier, two 1x1 convolutions for half of the channels each, one a pixel off, and batch norm.

    What stands for an identity between maps of different shapes. At the lower and right edge the second
    convolution reads zeros, as TransNAS-Bench-101 has it, so that any size will do.
    """

    def __init__(self, taken: int, given: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.here = nn.Conv2d(taken, given // 2, 1, stride, bias=False)
        self.beside = nn.Conv2d(taken, given - given // 2, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(given)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, taken, H, W) to (B, given, H / stride, W / stride), rounded up."""
        x = self.relu(x)
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        reduced: Tensor = self.norm(torch.cat([self.here(x), self.beside(shifted)], dim=1))
        return reduced


class Residual(nn.Module):
    """The sum of a body and a shortcut."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Sum of what both make of ``x``."""
        total: Tensor = self.shortcut(x) + self.body(x)
        return total


class ChainNetwork(nn.Module):
    """A stem, blocks one after another, a tail that ends in one value per feature, and a linear head."""

    def __init__(
        self,
        stem: Iterable[nn.Module],
        blocks: Iterable[nn.Module],
        tail: Iterable[nn.Module],
        head: nn.Linear,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem)
        self.blocks = nn.Sequential(*blocks)
        self.tail = nn.Sequential(*tail, nn.Flatten())
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (B, F) of images (B, C, H, W): what the head takes."""
        pooled: Tensor = self.tail(self.blocks(self.stem(x)))
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, outputs) of images (B, C, H, W)."""
        outputs: Tensor = self.head(self.features(x))
        return outputs


def init_fan_out(network: nn.Module) -> None:
    """Draw convolutions by He et al.'s rule for their outputs (ICCV 2015), biases zero."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(part, nn.Conv2d | nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
