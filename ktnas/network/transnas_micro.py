"""Networks of TransNAS-Bench-101's micro space: fixed modules of searched cells."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ktnas.arrays import IntArray
from ktnas.network.edge_cell import SumCell, edge_operations
from ktnas.network.layers import FactorizedReduce, Zero, relu_conv_norm
from ktnas.network.task import NetworkTask
from ktnas.network.transnas import TransNASBuilder
from ktnas.space.base import SearchSpace


def _skip(taken: int, given: int, stride: int) -> nn.Module:
    same_shape = stride == 1 and taken == given
    return nn.Identity() if same_shape else FactorizedReduce(taken, given, stride)


OPERATIONS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "none": lambda taken, given, stride: Zero(given, stride),
    "skip_connect": _skip,
    "nor_conv_1x1": lambda taken, given, stride: relu_conv_norm(taken, given, 1, stride),
    "nor_conv_3x3": lambda taken, given, stride: relu_conv_norm(taken, given, 3, stride),
}


@dataclass
class TransNASMicro(TransNASBuilder):
    """Networks of the micro space, written ``64-41414-<cell>``.

    In a cell that changes the shape, the edges from its input do so.

    Attributes:
        modules: digits as ``TransNASBuilder.network`` takes them.
    """

    modules: str = "41414"

    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> nn.Module:
        operations = edge_operations(space, genotype, OPERATIONS)

        def cell(taken: int, given: int, stride: int) -> nn.Module:
            return SumCell(
                {
                    edge: OPERATIONS[name](*((taken, given, stride) if edge[0] == 0 else (given, given, 1)))
                    for edge, name in operations.items()
                }
            )

        return self.network(task, self.modules, cell)
