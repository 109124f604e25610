"""Cells of the family edge cell as torch modules."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add

from torch import Tensor, nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError, unknown
from ktnas.space.base import SearchSpace
from ktnas.space.edge_cell import EdgeCell

Edge = tuple[int, int]


class SumCell(nn.Module):
    """A cell whose nodes are the sum of one operation of every earlier node; the last one is its output."""

    def __init__(self, operations: Mapping[Edge, nn.Module]) -> None:
        super().__init__()
        self.nodes = 1 + max(target for _, target in operations)
        self.operations = nn.ModuleDict({_name(edge): layer for edge, layer in operations.items()})

    def forward(self, x: Tensor) -> Tensor:
        """Last node of the cell with ``x`` as its first one."""
        nodes = [x]
        for target in range(1, self.nodes):
            terms = [self.operations[_name((source, target))](nodes[source]) for source in range(target)]
            nodes.append(reduce(add, terms))
        return nodes[-1]


def edge_operations(space: SearchSpace, genotype: IntArray, known: Iterable[str]) -> dict[Edge, str]:
    """Name of the operation on each edge (source, target) of a genotype (V,).

    Raises:
        UserError: a space of another family, or with an operation that is not among the ``known`` ones.
    """
    if not isinstance(space, EdgeCell):
        raise UserError(
            f"Space {space.name} is of family {space.family}; these networks are made of cells of family "
            f"{EdgeCell.family}. Name another network in its YAML file."
        )
    for operation in space.operations:
        if operation not in known:
            raise unknown(f"operation of space {space.name} for its networks:", operation, known)
    return {
        edge: space.operations[choice] for edge, choice in zip(space.edges, genotype.tolist(), strict=True)
    }


def _name(edge: Edge) -> str:
    return f"{edge[0]}_{edge[1]}"
