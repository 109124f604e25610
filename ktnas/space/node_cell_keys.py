"""Keys of cells whose nodes pick inputs and operations, without making their graphs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ktnas.arrays import BoolArray, IntArray, KeyArray
from ktnas.space.graph import mix, word

SWEEPS = 3
ROWS = 16_384
_FORWARD, _BACKWARD, _PORT = (
    np.uint64(0x452821E638D01377),
    np.uint64(0xBE5466CF34E90C6C),
    np.uint64(0xC0AC29B7C97C50DD),
)


@dataclass(frozen=True)
class PickedNodes:
    """One cell of N genotypes.

    Attributes:
        inputs: (N, nodes, slots) int64: inputs of the cell from 0, then nodes.
        operations: (N, nodes, slots) int64, the operation on each input.
        ends: (N, nodes), whether a node goes to the output.
        n_ports: number of inputs of the cell.
    """

    inputs: IntArray
    operations: IntArray
    ends: BoolArray
    n_ports: int

    def part(self, rows: slice) -> "PickedNodes":
        """The cell of some of the genotypes."""
        return PickedNodes(self.inputs[rows], self.operations[rows], self.ends[rows], self.n_ports)


def structural_keys(cells: Sequence[PickedNodes], operations: Sequence[str], zero: int) -> KeyArray:
    """Keys (N,) uint64 that isomorphic genotypes share: not the order of nodes counts but what they compute.

    Each node hears the operations and colours of its inputs in one forward sweep, and is told those of its
    consumers in one backward sweep; ``SWEEPS`` of both refine the colours to where colour refinement ends in
    cells of this size. A node is a sum, so that the order of its inputs does not count.

    Args:
        cells: the cells of the genotypes, of one shape; they do not share nodes.
        operations: names of the operations.
        zero: index of the operation that passes nothing on, or -1.
    """
    words = np.array([word(name) for name in operations], dtype=np.uint64)
    count = len(cells[0].inputs)
    keys = np.zeros(count, dtype=np.uint64)
    for start in range(0, count, ROWS):
        rows = slice(start, start + ROWS)
        for of_cell in _cell_keys([cell.part(rows) for cell in cells], words, zero):
            keys[rows] = mix(keys[rows] ^ of_cell)
    return keys


def _cell_keys(cells: Sequence[PickedNodes], words: KeyArray, zero: int) -> KeyArray:
    """Key (cells, N) of each cell; the cells, which are of one shape, go through the sweeps side by side."""
    cell = PickedNodes(
        np.concatenate([one.inputs for one in cells]),
        np.concatenate([one.operations for one in cells]),
        np.concatenate([one.ends for one in cells]),
        cells[0].n_ports,
    )
    seed = np.repeat(np.arange(1, len(cells) + 1, dtype=np.uint64), len(cells[0].inputs))
    count, n_nodes, n_slots = cell.inputs.shape
    places = n_nodes + cell.n_ports
    rows = np.arange(count)
    inputs = np.ascontiguousarray(cell.inputs.transpose(1, 2, 0))
    labels = words[cell.operations.transpose(1, 2, 0)]
    passed = cell.operations.transpose(1, 2, 0) != zero
    alive = _alive(inputs, passed, cell)
    colours = np.zeros((places, count), dtype=np.uint64)
    colours[: cell.n_ports] = mix(
        _PORT * (np.arange(cell.n_ports, dtype=np.uint64)[:, None] + np.uint64(1)) + seed
    )
    colours[cell.n_ports :] = mix(np.where(cell.ends.T, _FORWARD, _BACKWARD))
    for _ in range(SWEEPS):
        for node in range(n_nodes):
            heard = np.zeros(count, dtype=np.uint64)
            for slot in range(n_slots):
                source = inputs[node, slot]
                counts = passed[node, slot] & alive[source, rows]
                heard += np.where(counts, mix(colours[source, rows] ^ labels[node, slot]), 0)
            colours[cell.n_ports + node] = mix(colours[cell.n_ports + node] ^ mix(heard ^ _FORWARD))
        told = np.zeros((places, count), dtype=np.uint64)
        for node in reversed(range(n_nodes)):
            place = cell.n_ports + node
            colours[place] = mix(colours[place] ^ mix(told[place] ^ _BACKWARD))
            for slot in range(n_slots):
                counts = passed[node, slot] & alive[place]
                message = mix(colours[place] + mix(labels[node, slot] ^ _BACKWARD))
                told[inputs[node, slot], rows] += np.where(counts, message, 0)
        colours[: cell.n_ports] = mix(colours[: cell.n_ports] ^ mix(told[: cell.n_ports] ^ _BACKWARD))
    found: KeyArray = np.where(alive, mix(colours), 0).sum(axis=0, dtype=np.uint64)
    return found.reshape(len(cells), -1)


def _alive(inputs: IntArray, passed: BoolArray, cell: PickedNodes) -> BoolArray:
    """Mask (places, N) of the inputs and nodes on a path from an input of the cell to its output."""
    n_nodes, n_slots, count = inputs.shape
    rows = np.arange(count)
    reached = np.zeros((cell.n_ports + n_nodes, count), dtype=np.bool_)
    reached[: cell.n_ports] = True
    needed = np.zeros_like(reached)
    needed[cell.n_ports :] = cell.ends.T
    for node in range(n_nodes):
        for slot in range(n_slots):
            reached[cell.n_ports + node] |= passed[node, slot] & reached[inputs[node, slot], rows]
    for node in reversed(range(n_nodes)):
        for slot in range(n_slots):
            needed[inputs[node, slot], rows] |= passed[node, slot] & needed[cell.n_ports + node]
    return reached & needed
