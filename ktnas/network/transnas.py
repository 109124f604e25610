"""What all networks of TransNAS-Bench-101 share: stem, modules of blocks, and a head for each task."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.heads import image_decoder, segmentation_decoder
from ktnas.network.layers import init_fan_out, relu_conv_norm
from ktnas.network.task import NetworkTask

STEM_LAYERS = 3
STEM_REDUCTION = 4
STRIDES = {"1": 1, "2": 1, "3": 2, "4": 2}
WIDENINGS = {"1": 1, "2": 2, "3": 1, "4": 2}
DECODERS = {"values": image_decoder, "logits": segmentation_decoder}

Block = Callable[[int, int, int], nn.Module]
"""A block, made from the channels it takes, those it gives, and its stride."""


class TransNASNetwork(nn.Module):
    """An encoder, what makes features of its maps, and a head.

    The maps of several pieces are laid on one another. Each piece goes through the encoder by itself, so that
    in training a batch norm sees one piece of every sample at a time.
    """

    def __init__(self, encoder: nn.Sequential, pool: nn.Module, head: nn.Module, pieces: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.pool = pool
        self.head = head
        self.pieces = pieces

    @property
    def blocks(self) -> list[nn.Module]:
        """The modules that are searched, in their order."""
        return list(self.encoder)[STEM_LAYERS:]

    def features(self, x: Tensor) -> Tensor:
        """What the head takes: pooled features (B, F), the encoder's map (B, F, H, W) for a dense task."""
        maps = self.encoder(x) if self.pieces == 1 else self._maps_of_pieces(x)
        features: Tensor = self.pool(maps)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of inputs (B, C, H, W), or (B, pieces, C, H, W)."""
        outputs: Tensor = self.head(self.features(x))
        return outputs

    def _maps_of_pieces(self, x: Tensor) -> Tensor:
        return torch.cat([self.encoder(x[:, piece]) for piece in range(self.pieces)], dim=1)


@dataclass
class TransNASBuilder(NetworkBuilder):
    """Networks of TransNAS-Bench-101 (Duan et al., CVPR 2021, Sec. 3.2), in general.

    Two 3x3 convolutions of stride 2, modules of ``blocks`` blocks, the first of which changes the shape, and
    a head: global average pooling and a linear layer, for dense tasks a decoder. The convolutions before the
    head are drawn by He's rule for their outputs (ICCV 2015), the head as torch does by default.

    Attributes:
        channels: of the stem's output.
        blocks: per module.
        decoder_channels: of the widest layers of the head of dense tasks, a multiple of 64.
    """

    channels: int = 64
    blocks: int = 2
    decoder_channels: int = 1024

    def __post_init__(self) -> None:
        if self.channels < 2 or self.blocks < 1:
            raise UserError(
                f"channels={self.channels}, blocks={self.blocks}: must be 2 or more and 1 or more."
            )

    def network(self, task: NetworkTask, modules: str, block: Block) -> TransNASNetwork:
        """Network of ``modules`` for ``task``.

        Args:
            task: of any kind; several pieces per sample where it is not dense.
            modules: a digit for each module: 1 keeps the shape, 2 doubles the channels, 3 halves height and
                width, 4 does both.
            block: what the modules are made of.

        Raises:
            UserError: no or other digits, or a dense task that the network has no head for.
        """
        if not modules or set(modules) - set(STRIDES):
            raise UserError(f"modules={modules!r}: expected one or more digits from {', '.join(STRIDES)}.")
        layers = _stem(task.channels, self.channels)
        width, reduction = self.channels, STEM_REDUCTION
        for module in modules:
            first = block(width, width * WIDENINGS[module], STRIDES[module])
            width, reduction = width * WIDENINGS[module], reduction * STRIDES[module]
            layers.append(nn.Sequential(first, *(block(width, width, 1) for _ in range(self.blocks - 1))))
        encoder = nn.Sequential(*layers)
        init_fan_out(encoder)
        if task.kind == "dense":
            return TransNASNetwork(encoder, nn.Identity(), self._decoder(task, width, reduction), 1)
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        head = nn.Linear(width * task.pieces, task.outputs)
        return TransNASNetwork(encoder, pool, head, task.pieces)

    def _decoder(self, task: NetworkTask, width: int, reduction: int) -> nn.Module:
        if task.pieces > 1:
            raise UserError(f"Task {task.name}: a dense task has one image per sample, not {task.pieces}.")
        if task.size % reduction:
            raise UserError(
                f"Task {task.name}: images of {task.size} pixels cannot be restored by this network, which "
                f"makes them {reduction} times smaller. Use a multiple of {reduction}."
            )
        decoder = DECODERS[task.pixels]
        return decoder(width, reduction.bit_length() - 1, task.outputs, self.decoder_channels)


def _stem(taken: int, given: int) -> list[nn.Module]:
    half = given // 2
    first = nn.Conv2d(taken, half, 3, 2, 1, bias=False)
    return [first, nn.BatchNorm2d(half), relu_conv_norm(half, given, 3, stride=2)]
