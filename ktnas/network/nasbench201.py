"""Networks of NAS-Bench-201: three stages of cells of the family edge cell."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.edge_cell import SumCell, edge_operations
from ktnas.network.layers import ChainNetwork, Residual, Zero, relu_conv_norm
from ktnas.network.task import NetworkTask, check_task
from ktnas.space.base import SearchSpace

STAGES = 3

OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": Zero,
    "skip_connect": lambda width: nn.Identity(),
    "nor_conv_1x1": lambda width: relu_conv_norm(width, width, 1),
    "nor_conv_3x3": lambda width: relu_conv_norm(width, width, 3),
    "avg_pool_3x3": lambda width: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}


@dataclass
class NASBench201(NetworkBuilder):
    """Networks of NAS-Bench-201 (Dong and Yang, ICLR 2020, Fig. 1 and Sec. 2.1).

    A 3x3 convolution with batch norm; three stages of ``cells`` equal cells, each stage half as high and wide
    and with twice the channels of the one before, by a residual block between them; batch norm, rectifier,
    global average pooling and a linear layer. Weights are drawn as torch does by default.

    Attributes:
        channels: of the first stage.
        cells: per stage.
    """

    channels: int = 16
    cells: int = 5

    def __post_init__(self) -> None:
        if self.channels < 1 or self.cells < 1:
            raise UserError(f"channels={self.channels}, cells={self.cells}: both must be 1 or more.")

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        check_task(task, space.name)
        operations = edge_operations(space, genotype, OPERATIONS)
        widths = [self.channels << stage for stage in range(STAGES)]
        blocks: list[nn.Module] = []
        for stage, width in enumerate(widths):
            if stage:
                blocks.append(_reduction(widths[stage - 1], width))
            blocks += [
                SumCell({edge: OPERATIONS[name](width) for edge, name in operations.items()})
                for _ in range(self.cells)
            ]
        stem = nn.Conv2d(task.channels, self.channels, 3, padding=1, bias=False)
        return ChainNetwork(
            stem=(stem, nn.BatchNorm2d(self.channels)),
            blocks=blocks,
            tail=(nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
            head=nn.Linear(widths[-1], task.outputs),
        )


def _reduction(taken: int, given: int) -> nn.Module:
    """Residual block of stride 2; its shortcut is a 2x2 average pooling and a 1x1 convolution."""
    body = nn.Sequential(relu_conv_norm(taken, given, 3, stride=2), relu_conv_norm(given, given, 3))
    pooling = nn.AvgPool2d(2, ceil_mode=True)  # the benchmark's sizes are even; this takes odd ones too
    return Residual(body, nn.Sequential(pooling, nn.Conv2d(taken, given, 1, bias=False)))
