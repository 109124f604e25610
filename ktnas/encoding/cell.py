"""What a cell computes, as numbers: isomorphism-aware features taken from its graph."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch

SAMPLE = 2000
RELEVANCE = {"shape": 0.8, "pairs": 0.1, "places": 0.1}
DISTANCE = {"shape": 1 / 2, "pairs": 1 / 8, "places": 1 / 8}


@dataclass
class CellFeatures(Encoding):
    """Feature groups of the pruned cell, from the coarse to the fine, for any space's graphs.

    - ``shape``: number of operations, edges and paths from input to output, mean, shortest and longest path,
      and for each operation its count and the most of it on one path;
    - ``pairs``: log(1 + count) of each pair of operations that follow one another on a path, with input and
      output as operations;
    - ``places``: which operation is left at each node place.

    The first two are taken of each cell where a space has several, and equal for isomorphic cells. A Gaussian
    process gets a prior that explains most by the coarse group and lets the finer ones correct it smoothly:
    ``relevance`` is 0.8, 0.1 and 0.1, and two random architectures of the space are at squared distance 1/2,
    1/8 and 1/8 on average (over 2,000 of them, drawn once with a fixed seed).
    """

    _unit: dict[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict, init=False, repr=False)
    _groups: dict[str, slice] = field(default_factory=dict, init=False, repr=False)

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Bind ``space`` and learn the scales of its groups; ``seed`` plays no part."""
        super().fit(space, seed)
        self._unit, self._groups = {}, {}
        start = 0
        for name, block in self._blocks(space.sample(SAMPLE, np.random.default_rng(0))).items():
            spread = block.std(axis=0)
            unit = np.where(spread > 0, spread, 1.0) if name == "shape" else np.ones_like(spread)
            distance = 2 * ((spread / unit) ** 2).sum()
            unit = unit * np.sqrt((distance if distance > 0 else 1.0) / DISTANCE[name])
            self._unit[name] = (block.mean(axis=0), unit)
            self._groups[name] = slice(start, start + block.shape[1])
            start += block.shape[1]
        return self

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        return max((part.stop for part in self._groups.values()), default=0)

    @property
    def groups(self) -> dict[str, slice]:
        """Columns of shape, pairs and places."""
        return dict(self._groups)

    @property
    def relevance(self) -> dict[str, float]:
        """Prior share of what each group explains."""
        return dict(RELEVANCE)

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 of genotypes (N, V)."""
        blocks = self._blocks(self.checked(genotypes))
        return np.hstack(
            [(block - self._unit[name][0]) / self._unit[name][1] for name, block in blocks.items()]
        )

    def _blocks(self, genotypes: IntArray) -> dict[str, FloatArray]:
        graphs = self.space.pruned(genotypes)
        labels = _labels(graphs)
        edges = graphs.adjacency.astype(np.float64)
        shapes, pairs = [], []
        for cell in np.unique(self.space.cell_of_places).tolist():
            own = self.space.cell_of_places == cell
            own[[0, -1]] = True
            within, labelled = edges[:, own][:, :, own], labels[:, own]
            shapes.append(_shape(within, labelled[:, 1:-1, 2:]))
            follow = np.matmul(labelled.transpose(0, 2, 1), np.matmul(within, labelled))
            pairs.append(np.log1p(follow).reshape(len(genotypes), follow.shape[1] ** 2))
        places = labels[:, 1:-1, 2:]
        return {
            "shape": np.hstack(shapes),
            "pairs": np.hstack(pairs),
            "places": places.reshape(len(genotypes), places.shape[1] * places.shape[2]),
        }


def _labels(graphs: GraphBatch) -> FloatArray:
    """One-hot operation of each node place, (N, M, number of words); zero where there is no node."""
    words = np.arange(len(graphs.vocabulary))
    return np.asarray(graphs.operations[:, :, None] == words, dtype=np.float64)


def _shape(edges: FloatArray, present: FloatArray) -> FloatArray:
    """Counts and depths of pruned graphs (N, 6 + 2 O); zero for the empty graph.

    Args:
        edges: (N, M, M) multiplicities.
        present: (N, M - 2, O) one-hot operation of each inner node.
    """
    n_graphs, n_nodes = edges.shape[:2]
    n_paths, length = np.zeros((2, n_graphs, n_nodes))
    n_paths[:, 0] = 1
    for node in range(1, n_nodes):
        incoming = edges[:, :node, node]
        n_paths[:, node] = (incoming * n_paths[:, :node]).sum(axis=1)
        length[:, node] = (incoming * (length[:, :node] + n_paths[:, :node])).sum(axis=1)
    every = np.ones((n_graphs, n_nodes, 1))
    inner = np.pad(present, ((0, 0), (1, 1), (0, 0)))
    longest = _heaviest(edges > 0, np.concatenate([every, inner], axis=2))
    shortest = -_heaviest(edges > 0, -every)[:, 0]
    connected = (n_paths[:, -1] > 0)[:, None]
    columns = np.column_stack(
        [
            present.sum(axis=(1, 2)),
            edges.sum(axis=(1, 2)),
            np.log1p(n_paths[:, -1]),
            length[:, -1] / np.maximum(n_paths[:, -1], 1),
            shortest,
            longest,
            present.sum(axis=1),
        ]
    )
    return np.where(connected, columns, 0.0)


def _heaviest(edges: BoolArray, weights: FloatArray) -> FloatArray:
    """Greatest sum of node ``weights`` (N, M, W) along a path from the input to the output, (N, W)."""
    best = np.full(weights.shape, -np.inf)
    best[:, 0] = 0.0
    for node in range(1, weights.shape[1]):
        before = np.where(edges[:, :node, node, None], best[:, :node], -np.inf).max(axis=1)
        best[:, node] = before + weights[:, node]
    return best[:, -1]
