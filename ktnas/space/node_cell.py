"""Cells whose nodes pick their inputs and operations."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ktnas.arrays import BoolArray, IntArray, KeyArray, Rng
from ktnas.errors import UserError, unknown
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch
from ktnas.space.node_cell_keys import PickedNodes, structural_keys
from ktnas.space.text import TextForm

OPERATION_PER = ("node", "input")
OUTPUTS = ("loose", "all")
SUM = "sum"


@dataclass(frozen=True, kw_only=True, eq=False)
class NodeCell(SearchSpace):
    """One or more cells of nodes that pick their inputs (NAS-Bench-Graph, DARTS).

    With ``operation_per`` node, a node is one operation on the sum of its inputs; with input, it is the sum
    of one operation on each of its inputs, and a ``sum`` in the graph. Variable ``input_j`` (``input_j_1``,
    ``input_j_2``, … where a node has several) is the number of an input of the cell or of an earlier node,
    numbered after the inputs; then ``operation_j`` (``operation_j_1``, …), for j from 1. With several cells
    each name begins with that of its cell and ``_``.

    Attributes:
        nodes: number of nodes of a cell beside its inputs and its output.
        inputs_per_node: number of inputs a node picks.
        distinct_inputs: whether they must differ.
        operation_per: ``node`` or ``input``.
        output: nodes that a cell puts out: ``loose`` those that no other picks, ``all`` all of them.
        cells: names of the cells; empty for one cell without a name.
        cell_inputs: number of inputs of a cell. With more than one they are nodes of the graph, named after
            cell and number.
        bypass: whether the input counts where it is passed on unchanged to the output, or is ignored there.
    """

    family: ClassVar[str] = "node_cell"

    nodes: int
    inputs_per_node: int = 1
    distinct_inputs: bool = False
    operation_per: str = "node"
    output: str = "loose"
    cells: tuple[str, ...] = ()
    cell_inputs: int = 1
    bypass: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", tuple(self.cells))
        for key in ("nodes", "inputs_per_node", "cell_inputs"):
            if getattr(self, key) < 1:
                raise UserError(f"{key}: {getattr(self, key)} must be 1 or more.")
        for key, options in (("operation_per", OPERATION_PER), ("output", OUTPUTS)):
            if getattr(self, key) not in options:
                raise unknown(f"value of {key}:", getattr(self, key), options)
        if self.distinct_inputs and self.inputs_per_node > self.cell_inputs:
            raise UserError(
                f"distinct_inputs: the first node picks {self.inputs_per_node} inputs of {self.cell_inputs}."
            )
        super().__post_init__()

    @property
    def _operations_per_node(self) -> int:
        return self.inputs_per_node if self.operation_per == "input" else 1

    @property
    def _variables_per_cell(self) -> int:
        return self.nodes * (self.inputs_per_node + self._operations_per_node)

    @property
    def _n_cells(self) -> int:
        return len(self.cells) or 1

    def _variables(self, symbols: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        variables: dict[str, tuple[str, ...]] = {}
        for prefix in [f"{cell}_" for cell in self.cells] or [""]:
            for node in range(1, self.nodes + 1):
                earlier = tuple(map(str, range(self.cell_inputs + node - 1)))
                for slot in _slots(self.inputs_per_node):
                    variables[f"{prefix}input_{node}{slot}"] = earlier
            for node in range(1, self.nodes + 1):
                for slot in _slots(self._operations_per_node):
                    variables[f"{prefix}operation_{node}{slot}"] = symbols
        return variables

    @cached_property
    def _forms(self) -> tuple[TextForm, ...]:
        others = [(other.text, tuple(other.symbols) or self.symbols) for other in self.also]
        return tuple(
            TextForm(self.name, text, self._variables(symbols), self._derived)
            for text, symbols in [(self.text, self.symbols), *others]
        )

    @property
    def _derived(self) -> dict[str, Callable[[IntArray], list[str]]]:
        """Lists of the nodes that each cell puts out."""

        def derive(cell: int) -> Callable[[IntArray], list[str]]:
            return lambda genotypes: [str(row) for row in self._put_out(genotypes, cell)]

        return {f"{cell}_concat": derive(number) for number, cell in enumerate(self.cells)}

    def _put_out(self, genotypes: IntArray, cell: int) -> list[list[int] | range]:
        first = self.cell_inputs
        if self.output == "all":
            return [range(first, first + self.nodes)] * len(genotypes)
        loose = self._loose(self._split(genotypes)[cell][0])
        return [(first + np.flatnonzero(row)).tolist() for row in loose]

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Operations of the graphs' nodes: input, output, operations, then inputs of cells and sums."""
        ports = [
            f"{cell or 'cell'}_{number}" for cell in self.cells or ("",) for number in range(self.cell_inputs)
        ]
        return (
            *("input", "output", *self.operations),
            *(ports if self.cell_inputs > 1 else ()),
            *((SUM,) if self.operation_per == "input" else ()),
        )

    def cell_nodes(self, genotype: IntArray) -> dict[str, list[list[tuple[int, str]]]]:
        """For each cell and node of one genotype (V,) its inputs and their operations.

        Inputs of the cell count from 0, nodes follow. Where an operation belongs to a node, it is repeated
        for each of its inputs.
        """
        cells = {}
        for name, (inputs, operations) in zip(
            self.cells or ("",), self._split(np.asarray(genotype)[None]), strict=True
        ):
            labels = np.broadcast_to(operations[0], inputs[0].shape).tolist()
            cells[name] = [
                [(number, self.operations[label]) for number, label in zip(*node, strict=True)]
                for node in zip(inputs[0].tolist(), labels, strict=True)
            ]
        return cells

    @cached_property
    def cell_of_places(self) -> IntArray:
        """As in ``SearchSpace``; cells lie one after the other."""
        places = np.repeat(np.arange(self._n_cells), self._places_per_cell)
        return np.pad(places, 1, constant_values=0)

    @property
    def _places_per_cell(self) -> int:
        ports = self.cell_inputs if self.cell_inputs > 1 else 0
        return ports + self.nodes * (1 + (self.inputs_per_node if self.operation_per == "input" else 0))

    def _split(self, genotypes: IntArray) -> list[tuple[IntArray, IntArray]]:
        """Inputs (N, nodes, inputs_per_node) and operations (N, nodes, 1 or inputs_per_node) of each cell."""
        count = len(genotypes)
        parts = []
        for start in range(0, self._n_cells * self._variables_per_cell, self._variables_per_cell):
            middle = start + self.nodes * self.inputs_per_node
            inputs = genotypes[:, start:middle].reshape(count, self.nodes, self.inputs_per_node)
            operations = genotypes[:, middle : start + self._variables_per_cell]
            parts.append((inputs, operations.reshape(count, self.nodes, self._operations_per_node)))
        return parts

    def _loose(self, inputs: IntArray) -> BoolArray:
        """Mask (N, nodes) of the nodes that no other picks, of inputs (N, nodes, inputs_per_node)."""
        numbers = self.cell_inputs + np.arange(self.nodes)
        picked: BoolArray = (inputs[:, :, :, None] == numbers).any(axis=(1, 2))
        return ~picked

    def _ends(self, inputs: IntArray) -> BoolArray:
        return np.ones(inputs.shape[:2], dtype=np.bool_) if self.output == "all" else self._loose(inputs)

    def _admitted(self, genotypes: IntArray) -> BoolArray:
        mask = super()._admitted(genotypes)
        if self.distinct_inputs:
            for inputs, _ in self._split(genotypes):
                ordered = np.sort(inputs, axis=2)
                mask = mask & (ordered[:, :, 1:] != ordered[:, :, :-1]).all(axis=(1, 2))
        return mask

    @property
    def _rule(self) -> str:
        rules = [] if self.allow_empty else [super()._rule]
        return " and ".join(
            [*rules, *(["have nodes that pick different inputs"] if self.distinct_inputs else [])]
        )

    def _draw(self, n: int, rng: Rng) -> IntArray:
        genotypes = super()._draw(n, rng)
        if self.distinct_inputs:
            for inputs, _ in self._split(genotypes):
                for node in range(self.nodes):
                    order = rng.random((n, self.cell_inputs + node)).argsort(axis=1)
                    inputs[:, node] = order[:, : self.inputs_per_node]
        return genotypes

    @cached_property
    def _linked(self) -> IntArray:
        groups = np.arange(self.n_variables)
        if self.distinct_inputs:
            for inputs, _ in self._split(groups[None]):
                inputs[:] = inputs[:, :, :1]
        return groups

    def _graphs(self, genotypes: IntArray) -> GraphBatch:
        count = len(genotypes)
        ports = self.cell_inputs if self.cell_inputs > 1 else 0
        extra = self.inputs_per_node if self.operation_per == "input" else 0
        per_cell = self._places_per_cell
        n_places = 2 + self._n_cells * per_cell
        operations = np.zeros((count, n_places), dtype=np.int64)
        adjacency = np.zeros((count, n_places, n_places), dtype=np.uint8)
        operations[:, -1] = 1
        rows = np.arange(count)
        for cell, (inputs, labels) in enumerate(self._split(genotypes)):
            first = 1 + cell * per_cell
            for port in range(ports):
                operations[:, first + port] = self.vocabulary.index(
                    f"{(self.cells or ('cell',))[cell]}_{port}"
                )
                adjacency[:, 0, first + port] = 1
            places = np.zeros(self.cell_inputs + self.nodes, dtype=np.int64)
            places[:ports] = first + np.arange(ports)
            ends = self._ends(inputs)
            for node in range(self.nodes):
                place = first + ports + node * (1 + extra)
                for slot in range(extra):
                    operations[:, place + slot] = labels[:, node, slot] + 2
                    adjacency[rows, places[inputs[:, node, slot]], place + slot] = 1
                    adjacency[:, place + slot, place + extra] = 1
                operations[:, place + extra] = self.vocabulary.index(SUM) if extra else labels[:, node, 0] + 2
                if not extra:
                    for slot in range(self.inputs_per_node):
                        adjacency[rows, places[inputs[:, node, slot]], place] += 1
                places[self.cell_inputs + node] = place + extra
                adjacency[:, place + extra, -1] = ends[:, node]
        return GraphBatch(operations, adjacency, self.vocabulary)

    def pruned(self, genotypes: IntArray) -> GraphBatch:
        """Graphs with zero operations gone, identities contracted, dead ends and ignored bypasses dropped."""
        batch = super().pruned(genotypes)
        if not self.bypass:
            batch.adjacency[:, 0, -1] = 0
        return batch

    def keys(self, genotypes: IntArray) -> KeyArray:
        """Canonical keys (N,) uint64: equal for genotypes whose pruned graphs are isomorphic."""
        if self.operation_per == "node":
            return super().keys(genotypes)
        zero = -1 if self.zero is None else self.operations.index(self.zero)
        cells = [
            PickedNodes(inputs, operations, self._ends(inputs), self.cell_inputs)
            for inputs, operations in self._split(self._in_range(genotypes))
        ]
        return structural_keys(cells, self.operations, zero)


def _slots(count: int) -> list[str]:
    return [""] if count == 1 else [f"_{slot}" for slot in range(1, count + 1)]
