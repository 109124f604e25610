"""Networks of NAS-Bench-101: three stacks of one cell, whose nodes share its channels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ktnas.arrays import BoolArray, IntArray
from ktnas.errors import UserError, unknown
from ktnas.network.base import NetworkBuilder
from ktnas.network.layers import init_fan_out
from ktnas.network.task import NetworkTask, check_task
from ktnas.space.base import SearchSpace

STACKS = 3
KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}
POOLING = "maxpool3x3"


@dataclass
class NASBench101(NetworkBuilder):
    """Networks of NAS-Bench-101 (Ying et al., ICML 2019, section 2.1).

    A 3x3 convolution and three stacks of cells; the second and third begin with a 2x2 max pooling and have
    twice the channels. Nodes that do not lie between input and output are no part of the network, as in the
    benchmark. The channels of a cell are divided among the nodes that feed its output; see
    ``vertex_channels``. Convolutions are drawn by He's rule for their outputs, the head's weights with a
    standard deviation of 0.01.

    Attributes:
        channels: of the first stack.
        cells: number of cells per stack.
    """

    channels: int = 128
    cells: int = 3

    def __post_init__(self) -> None:
        if self.cells < 1:
            raise UserError(f"cells={self.cells}: must be 1 or more.")

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        check_task(task, "NAS-Bench-101")
        graph = space.pruned(genotype[None])
        present = graph.operations[0] >= 0
        names = [graph.vocabulary[operation] for operation in graph.operations[0][present].tolist()]
        return self.network(graph.adjacency[0][np.ix_(present, present)] > 0, names[1:-1], task)

    def network(
        self, adjacency: BoolArray, operations: Sequence[str], task: NetworkTask
    ) -> "NASBench101Network":
        """Network of one cell.

        Args:
            adjacency: (M, M), entry (i, j) where node i feeds node j > i, each on a path from node 0, the
                input, to node M-1, the output.
            operations: names of the M-2 nodes between.
            task: images to vectors.

        Raises:
            UserError: an unknown operation, or fewer channels than nodes that feed the output.
        """
        fed = int(adjacency[1:, -1].sum())
        if self.channels < max(fed, 1):
            raise UserError(f"channels={self.channels}: the output of this cell joins {fed} nodes; use more.")
        layers: list[nn.Module] = []
        taken = self.channels
        for stack in range(STACKS):
            if stack:
                layers.append(nn.MaxPool2d(2))
            for _ in range(self.cells):
                layers.append(Cell(adjacency, operations, taken, self.channels * 2**stack))
                taken = self.channels * 2**stack
        return NASBench101Network(task, self.channels, layers, taken)


def vertex_channels(adjacency: BoolArray, taken: int, given: int) -> list[int]:
    """Channels of each node of a cell that takes ``taken`` and gives ``given`` channels.

    The nodes that feed the output share ``given`` equally, the first of them one more each where it does not
    come out even. Every other node has as many as the widest node it feeds.
    """
    last = len(adjacency) - 1
    channels = [taken, *[0] * (last - 1), given]
    sharing = 1 + np.flatnonzero(adjacency[1:last, last])
    for position, node in enumerate(sharing.tolist()):
        channels[node] = given // len(sharing) + (position < given % len(sharing))
    for node in range(last - 1, 0, -1):
        if not adjacency[node, last]:
            channels[node] = max(
                channels[target] for target in np.flatnonzero(adjacency[node, :last]).tolist()
            )
    return channels


class Cell(nn.Module):
    """A node adds up its inputs, cut to its channels; the cell's input comes through 1x1 convolutions.

    The output joins the nodes that feed it one after another, and adds the projected input where that feeds
    it, too.
    """

    def __init__(self, adjacency: BoolArray, operations: Sequence[str], taken: int, given: int) -> None:
        super().__init__()
        last = len(adjacency) - 1
        self.channels = vertex_channels(adjacency, taken, given)
        self.sources = [np.flatnonzero(adjacency[:, node]).tolist() for node in range(last + 1)]
        self.projections = nn.ModuleDict(
            {
                str(node): _conv_norm_relu(taken, self.channels[node], 1)
                for node in range(1, last + 1)
                if adjacency[0, node]
            }
        )
        self.operations = nn.ModuleList(
            _operation(name, channels)
            for name, channels in zip(operations, self.channels[1:last], strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, taken, H, W) to (B, given, H, W)."""
        states = [x]
        for node, operation in enumerate(self.operations, start=1):
            width = self.channels[node]
            parts = [states[source][:, :width] for source in self.sources[node] if source]
            states.append(operation(self._with_input(parts, node, x)))
        joined = [states[source] for source in self.sources[-1] if source]
        return self._with_input([torch.cat(joined, dim=1)] if joined else [], len(self.sources) - 1, x)

    def _with_input(self, parts: list[Tensor], node: int, x: Tensor) -> Tensor:
        """Sum of ``parts`` and, where ``node`` has one, of its projection of the cell's input ``x``."""
        if str(node) in self.projections:
            parts = [*parts, self.projections[str(node)](x)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


class NASBench101Network(nn.Module):
    """A stem, cells and poolings, the mean of each channel and a linear head."""

    def __init__(self, task: NetworkTask, stem: int, layers: Sequence[nn.Module], features: int) -> None:
        super().__init__()
        self.stem = _conv_norm_relu(task.channels, stem, 3)
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(features, task.outputs)
        init_fan_out(self)
        nn.init.normal_(self.head.weight, std=0.01)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features (B, F) of images (B, C, H, W): what the head takes."""
        maps: Tensor = self.layers(self.stem(x))
        return maps.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, outputs) of images (B, C, H, W)."""
        outputs: Tensor = self.head(self.features(x))
        return outputs


def _conv_norm_relu(taken: int, given: int, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(taken, given, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(given), nn.ReLU())


def _operation(name: str, channels: int) -> nn.Module:
    if name == POOLING:
        return nn.MaxPool2d(3, stride=1, padding=1)
    if name not in KERNELS:
        raise unknown("operation of NAS-Bench-101:", name, (*KERNELS, POOLING))
    return _conv_norm_relu(channels, channels, KERNELS[name])
