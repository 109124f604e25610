"""Kernels on architectures: what they are made of, how it is wired, and what stands around what."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ktnas.arrays import FloatArray, IntArray, KeyArray
from ktnas.encoding.cell import CellFeatures
from ktnas.encoding.onehot import one_hot
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch, mix, word

SAMPLE = 2000
ROUNDS = 2
DISTANCE = 2.0
REWIRED = 0.4
"""Likeness of two architectures that differ in whether one place is a zero operation."""


@dataclass(frozen=True, eq=False)
class Description:
    """What kernels know of N architectures.

    Attributes:
        groups: vectors (N, D) by group; over random architectures their mean is 0 and their mean squared
            norm 1.
        colours: for each round (N, M) colours of the nodes of the pruned graph, 0 where there is none.
        zero: (N, M) whether each place holds a zero operation.
    """

    groups: dict[str, FloatArray]
    colours: list[KeyArray]
    zero: FloatArray

    def __len__(self) -> int:
        return len(self.zero)

    def __getitem__(self, rows: IntArray | slice) -> "Description":
        groups = {name: block[rows] for name, block in self.groups.items()}
        return Description(groups, [colours[rows] for colours in self.colours], self.zero[rows])


@lru_cache(maxsize=8)
def graph_kernels(space: SearchSpace) -> "GraphKernels":
    """The kernels of a space, kept within a process."""
    return GraphKernels(space)


@dataclass(eq=False)
class GraphKernels:
    """Kernels of a space, of whatever family; each is 1 on average where an architecture meets itself.

    - ``choices`` (one-hot variables), ``counts`` of operations, and ``shape``, ``pairs`` and ``places`` of
      the pruned cell (see ``CellFeatures``): linear kernels, and all but ``counts`` Gaussian ones;
    - ``surroundings``: for one and two rounds, the cosine of the counts of operations in their surroundings
      in the pruned graph (Shervashidze et al. 2011, "Weisfeiler-Lehman graph kernels");
    - ``wiring``, where there is a zero operation: the linear kernel of ``choices`` times the likeness of
      which places hold one.

    Attributes:
        space: of the architectures.
    """

    space: SearchSpace
    _cell: CellFeatures = field(init=False, repr=False)
    _units: dict[str, tuple[FloatArray, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._cell = CellFeatures().fit(self.space, 0)
        self._units = {}
        drawn = self._blocks(self.space.sample(SAMPLE, np.random.default_rng(0)))
        for name, block in drawn.items():
            spread = float(np.sqrt(block.var(axis=0).sum()))
            self._units[name] = (block.mean(axis=0), spread if spread > 0 else 1.0)

    def __len__(self) -> int:
        return 2 * len(self._units) - 1 + ROUNDS + (self.space.zero is not None)

    def describe(self, genotypes: IntArray) -> Description:
        """Description of genotypes (N, V)."""
        blocks = self._blocks(genotypes)
        groups = {
            name: (block - self._units[name][0]) / self._units[name][1] for name, block in blocks.items()
        }
        zero = self._operations(genotypes) == self._place(self.space.zero)
        return Description(groups, surroundings(self.space.pruned(genotypes)), zero.astype(np.float64))

    def between(self, first: Description, second: Description) -> FloatArray:
        """Every kernel (K, N, M) between N and M architectures."""
        linear = {name: block @ second.groups[name].T for name, block in first.groups.items()}
        kernels = list(linear.values())
        for name, block in first.groups.items():
            if name != "counts":
                squared = (block**2).sum(axis=1)[:, None] + (second.groups[name] ** 2).sum(axis=1)
                kernels.append(np.exp(np.minimum(2 * linear[name] - squared, 0) / DISTANCE))
        kernels += [_cosine(*pair) for pair in zip(first.colours, second.colours, strict=True)]
        if self.space.zero is not None:
            differing = first.zero @ (1 - second.zero).T + (1 - first.zero) @ second.zero.T
            kernels.append(REWIRED**differing * linear["choices"])
        return np.array(kernels)

    def alone(self, description: Description) -> FloatArray:
        """Every kernel (K, N) of each of N architectures with itself."""
        linear = {name: (block**2).sum(axis=1) for name, block in description.groups.items()}
        others = len(self) - len(linear) - (self.space.zero is not None)
        wiring = [linear["choices"]] if self.space.zero is not None else []
        return np.array([*linear.values(), *[np.ones(len(description))] * others, *wiring])

    def _blocks(self, genotypes: IntArray) -> dict[str, FloatArray]:
        operations = self._operations(genotypes)
        words = range(2, 2 + len(self.space.operations))
        cell = self._cell.transform(genotypes)
        return {
            "choices": one_hot(genotypes, self.space.n_choices),
            "counts": np.stack([(operations == place).sum(axis=1) for place in words], axis=1).astype(float),
            **{name: cell[:, columns] for name, columns in self._cell.groups.items()},
        }

    def _operations(self, genotypes: IntArray) -> IntArray:
        return self.space.graphs(genotypes).operations

    def _place(self, operation: str | None) -> int:
        """Number of an operation in the vocabulary, one that no graph has where there is none."""
        vocabulary = self.space.vocabulary
        return len(vocabulary) if operation is None else vocabulary.index(operation)


def surroundings(graphs: GraphBatch) -> list[KeyArray]:
    """Colours (N, M) of nodes after each round: the operation, and the colours before and behind it."""
    words = np.array([word(name) for name in graphs.vocabulary] + [0], dtype=np.uint64)
    alive = graphs.operations >= 0
    adjacency = graphs.adjacency.astype(np.uint64)
    colours, rounds = words[graphs.operations], []
    for _ in range(ROUNDS):
        before = np.matmul(mix(colours)[:, None, :], adjacency)[:, 0, :]
        behind = np.matmul(adjacency, mix(~colours)[:, :, None])[:, :, 0]
        colours = np.where(alive, mix(colours ^ mix(before ^ mix(behind))), np.uint64(0))
        rounds.append(colours)
    return rounds


def _cosine(first: KeyArray, second: KeyArray) -> FloatArray:
    """Cosine (N, K) of the counts of colours in graphs (N, M) and (K, M)."""
    known = np.unique(second[second > 0])
    counts = [_counts(colours, known) / _norm(colours)[:, None] for colours in (first, second)]
    return np.asarray(counts[0] @ counts[1].T)


def _counts(colours: KeyArray, known: KeyArray) -> FloatArray:
    """How often (N, C) each of the sorted ``known`` colours is in each graph."""
    place = np.minimum(np.searchsorted(known, colours), len(known) - 1)
    graph, node = np.nonzero(known[place] == colours)
    counts = np.zeros((len(colours), len(known)))
    np.add.at(counts, (graph, place[graph, node]), 1)
    return counts


def _norm(colours: KeyArray) -> FloatArray:
    """Norm (N,) of the counts of colours of each graph; input and output are always there."""
    alike = (colours[:, :, None] == colours[:, None, :]) & (colours > 0)[:, :, None]
    return np.asarray(np.sqrt(alike.sum(axis=(1, 2))))
