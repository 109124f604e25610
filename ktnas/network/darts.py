"""Networks of DARTS: a chain of normal cells, and reduction cells at one and two thirds of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.darts_operations import factorized_reduce, operation
from ktnas.network.layers import relu_conv_norm
from ktnas.network.task import NetworkTask, check_task
from ktnas.space.base import SearchSpace
from ktnas.space.node_cell import NodeCell

NORMAL, REDUCTION = "normal", "reduce"
STEM_MULTIPLIER = 3

Nodes = Sequence[Sequence[tuple[int, str]]]


@dataclass
class DARTS(NetworkBuilder):
    """Networks of DARTS (Liu et al., ICLR 2019, section 3.1.1) from cells ``normal`` and ``reduce``.

    A 3x3 convolution to three times ``channels`` and ``layers`` cells, each on the outputs of the last two.
    The cells at one and two thirds halve the size and double the channels. A node adds up its operations;
    a cell puts out the nodes that its space says, one after another. Convolutions of the stem and of the
    cells' inputs have batch norms with weights. Drop-path and auxiliary heads belong to training.

    The defaults are those of NAS-Bench-301 (Zela et al., ICLR 2022), with the cells of NASLib, which the
    counts in NAS-Bench-Suite-Zero are of.

    Attributes:
        channels: of a node in the first cells.
        layers: number of cells, at least 3.
        affine: whether batch norms in the operations of cells have weights.
        pool_norm: whether a pooling is followed by a batch norm.
    """

    channels: int = 32
    layers: int = 8
    affine: bool = False
    pool_norm: bool = True

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise UserError(f"channels={self.channels}: must be 1 or more.")
        if self.layers < 3:
            raise UserError(f"layers={self.layers}: a network needs at least 3 cells, 2 of which reduce.")

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        check_task(task, "DARTS")
        if not isinstance(space, NodeCell) or set(space.cells) != {NORMAL, REDUCTION}:
            raise UserError(
                f"Space {space.name} has no networks of DARTS: they need family node_cell with "
                f"cells: [{NORMAL}, {REDUCTION}], cell_inputs: 2."
            )
        return self.network(space.cell_nodes(genotype), space.output == "all", task)

    def network(self, cells: Mapping[str, Nodes], output_all: bool, task: NetworkTask) -> "DARTSNetwork":
        """Network of the cells ``normal`` and ``reduce``.

        Args:
            cells: for each node of a cell its operations and the numbers of their inputs: 0 the output of the
                cell before the last, 1 that of the last, 2 the first node.
            output_all: whether a cell puts out all of its nodes, or those that no other takes.
            task: images to vectors.
        """
        plans = {name: CellPlan.of(nodes, output_all) for name, nodes in cells.items()}
        reductions = (self.layers // 3, 2 * self.layers // 3)
        stem = STEM_MULTIPLIER * self.channels
        channels, older, newer = self.channels, stem, stem
        chain = []
        for layer in range(self.layers):
            stride, plan = (2, plans[REDUCTION]) if layer in reductions else (1, plans[NORMAL])
            channels *= stride
            halved = layer - 1 in reductions
            before_last = factorized_reduce(older, channels) if halved else relu_conv_norm(older, channels, 1)
            nodes = self._nodes(plan, channels, stride)
            chain.append(Cell(before_last, relu_conv_norm(newer, channels, 1), nodes, plan))
            older, newer = newer, channels * len(plan.outputs)
        return DARTSNetwork(task, stem, chain, newer)

    def _nodes(self, plan: "CellPlan", channels: int, stride: int) -> list[list[nn.Module]]:
        """Operations of each node; those on the inputs of the cell have ``stride``."""
        return [
            [
                operation(name, channels, stride if number < 2 else 1, self.affine, self.pool_norm)
                for number, name in node
            ]
            for node in plan.nodes
        ]


@dataclass(frozen=True)
class CellPlan:
    """A cell without its widths.

    Attributes:
        nodes: for each node its operations and the numbers of their inputs.
        outputs: numbers of the nodes that the cell puts out.
    """

    nodes: Nodes
    outputs: tuple[int, ...]

    @classmethod
    def of(cls, nodes: Nodes, output_all: bool) -> "CellPlan":
        """The plan of a cell that puts out all nodes, or those that no other takes."""
        taken = set() if output_all else {number for node in nodes for number, _ in node}
        return cls(nodes, tuple(number for number in range(2, 2 + len(nodes)) if number not in taken))


class Cell(nn.Module):
    """Nodes on the outputs of the last two cells, each brought to the width and size of the cell before."""

    def __init__(
        self, before_last: nn.Module, last: nn.Module, nodes: Sequence[Sequence[nn.Module]], plan: CellPlan
    ) -> None:
        super().__init__()
        self.before_last = before_last
        self.last = last
        self.nodes = nn.ModuleList(nn.ModuleList(operations) for operations in nodes)
        self.plan = plan

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        """Outputs of the nodes, one after another, from those of the cell before the last and the last."""
        states = [self.before_last(older), self.last(newer)]
        for operations, node in zip(self.nodes, self.plan.nodes, strict=True):
            assert isinstance(operations, nn.ModuleList)
            parts = [layer(states[number]) for layer, (number, _) in zip(operations, node, strict=True)]
            states.append(sum(parts[1:], start=parts[0]))
        return torch.cat([states[number] for number in self.plan.outputs], dim=1)


class DARTSNetwork(nn.Module):
    """A stem, a chain of cells, the mean of each channel and a linear head."""

    def __init__(self, task: NetworkTask, stem: int, cells: Sequence[Cell], features: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(task.channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        self.cells = nn.ModuleList(cells)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(features, task.outputs)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (B, F) of images (B, C, H, W): what the head takes."""
        older = newer = self.stem(x)
        for cell in self.cells:
            older, newer = newer, cell(older, newer)
        pooled: Tensor = self.pool(newer)
        return pooled.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, outputs) of images (B, C, H, W)."""
        outputs: Tensor = self.head(self.features(x))
        return outputs
