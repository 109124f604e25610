"""Networks of NAS-Bench-Graph: up to 4 layers on a graph's nodes, in a tree."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.graph_layers import graph_layer
from ktnas.network.graph_task import GraphTask
from ktnas.network.task import NetworkTask
from ktnas.space.base import SearchSpace
from ktnas.space.node_cell import NodeCell

SKIP = "skip"


@dataclass(frozen=True)
class Frame:
    """What surrounds the layers.

    Attributes:
        width: features of a node in the layers.
        before: whether a linear layer comes before them.
        after: whether one comes after them, before the head.
    """

    width: int
    before: bool
    after: bool


FRAMES = {
    "cora": Frame(256, before=False, after=True),
    "citeseer": Frame(256, before=False, after=True),
    "pubmed": Frame(128, before=False, after=False),
    "cs": Frame(128, before=True, after=False),
    "physics": Frame(256, before=True, after=False),
    "photo": Frame(128, before=False, after=False),
    "computers": Frame(64, before=True, after=True),
    "arxiv": Frame(128, before=False, after=True),
    "proteins": Frame(256, before=True, after=True),
}
OTHER_TASKS = Frame(128, before=False, after=True)


@dataclass
class NASBenchGraph(NetworkBuilder):
    """Networks of NAS-Bench-Graph (Qin et al., NeurIPS 2022, section 3) for a ``GraphTask``.

    A layer is followed by a batch norm and a ReLU. A skip passes on what it takes, so that isomorphic
    architectures are one; it holds a batch norm nevertheless, which takes no part and is counted, as in the
    benchmark. Layers that no other takes are joined for the head. Dropout belongs to training.

    What is None is as the authors chose it for the data set of the task's name, and for a task of another
    name as ``OTHER_TASKS`` says. Widths and linear layers are read off the benchmark's parameter counts,
    which leave open what follows a layer in which order. The counts are means of three runs. In 6 % of the
    rows of physics they are not this network's: one of the runs had a width of 128 and no linear layer
    before, or has the count of another architecture.

    Attributes:
        width: features of a node in the layers, even.
        before: whether a linear layer comes before them.
        after: whether one comes after them, before the head.
    """

    width: int | None = None
    before: bool | None = None
    after: bool | None = None

    def __post_init__(self) -> None:
        if self.width is not None and self.width < 1:
            raise UserError(f"width={self.width}: must be 1 or more.")

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        if not isinstance(task, GraphTask):
            raise UserError(
                f"Task {task.name}: NAS-Bench-Graph networks take graphs, not images of a {task.kind} task. "
                "Use a GraphTask, cora say."
            )
        if (
            not isinstance(space, NodeCell)
            or space.inputs_per_node > 1
            or space.cells
            or space.cell_inputs > 1
        ):
            raise UserError(
                f"Space {space.name} has no networks of NAS-Bench-Graph: they need family node_cell with one "
                "cell of one input and one input per node."
            )
        (nodes,) = space.cell_nodes(genotype).values()
        return GraphNetwork([inputs[0] for inputs in nodes], task, self._frame(task.name))

    def _frame(self, task: str) -> Frame:
        usual = FRAMES.get(task, OTHER_TASKS)
        return Frame(
            usual.width if self.width is None else self.width,
            usual.before if self.before is None else self.before,
            usual.after if self.after is None else self.after,
        )


class GraphNetwork(nn.Module):
    """Layers on the nodes of a graph, each on the input or an earlier layer, and a linear head.

    Args:
        layers: for each layer the number of its input, 0 the network's or that of an earlier layer, and its
            name.
        task: graphs to values of their nodes.
        frame: what surrounds the layers.

    Raises:
        UserError: nothing but skips, or an unknown layer.
    """

    def __init__(self, layers: Sequence[tuple[int, str]], task: GraphTask, frame: Frame) -> None:
        super().__init__()
        self.n_features = task.channels
        self.inputs = [number for number, _ in layers]
        self.before = _linear_relu(task.channels, frame.width) if frame.before else nn.Identity()
        first = frame.width if frame.before else task.channels
        unchanged = _unchanged(layers)
        self.layers = nn.ModuleList(
            nn.Identity()
            if name == SKIP
            else graph_layer(name, first if unchanged[number] else frame.width, frame.width)
            for number, name in layers
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(frame.width) for _ in layers)
        self.relu = nn.ModuleList(nn.Identity() if name == SKIP else nn.ReLU() for _, name in layers)
        self.outputs = [
            number
            for number in range(1, len(layers) + 1)
            if number not in self.inputs and not unchanged[number]
        ]
        if not self.outputs:
            raise UserError("A network of NAS-Bench-Graph needs a layer that is no skip.")
        joined = len(self.outputs) * frame.width
        self.after = _linear_relu(joined, frame.width) if frame.after else nn.Identity()
        self.head = nn.Linear(frame.width if frame.after else joined, task.outputs)

    def features(self, x: Tensor) -> Tensor:
        """Features (B, N, F) of the nodes of graphs (B, N, channels + N): what the head takes."""
        adjacency = x[:, :, self.n_features :]
        states = [self.before(x[:, :, : self.n_features])]
        for number, layer, norm, relu in zip(self.inputs, self.layers, self.norms, self.relu, strict=True):
            taken = states[number]
            if isinstance(layer, nn.Identity):
                states.append(taken)
            else:
                states.append(relu(norm(layer(taken, adjacency).transpose(1, 2)).transpose(1, 2)))
        joined: Tensor = self.after(torch.cat([states[number] for number in self.outputs], dim=2))
        return joined

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, N, outputs) of the nodes of graphs (B, N, channels + N)."""
        outputs: Tensor = self.head(self.features(x))
        return outputs


def _unchanged(layers: Sequence[tuple[int, str]]) -> list[bool]:
    """Whether the network's input, and then each layer, is that input unchanged."""
    unchanged = [True]
    for number, name in layers:
        unchanged.append(name == SKIP and unchanged[number])
    return unchanged


def _linear_relu(taken: int, given: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(taken, given), nn.ReLU())
