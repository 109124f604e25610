"""What a cell computes, as numbers: isomorphism-aware features taken from its graph."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.onehot import OneHot
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch, hash_rows

SAMPLE = 2000
BUCKETS = 512


@dataclass
class CellFeatures(Encoding):
    """Feature groups of the cell as written and as pruned, from any space's graphs.

    - ``raw``: one-hot genotype;
    - ``pruned``: operation of each node place that is left after pruning;
    - ``paths``: log(1 + count) of each sequence of operations along a path from input to output;
    - ``shape``: number of operations, edges and paths, longest, shortest and mean path, and for each
      operation its count and the most of it on one path.

    All but ``raw`` are equal for isomorphic cells up to the order of node places (``pruned``) or entirely.
    Each group is scaled so that two random architectures of the space are at squared distance 1 on average
    (over 2,000 of them, drawn once with a fixed seed).

    Attributes:
        max_paths: node sequences followed at most; the shortest are kept.
    """

    max_paths: int = 256
    _raw: OneHot = field(default_factory=OneHot, init=False, repr=False)
    _paths: list[IntArray] = field(default_factory=list, init=False, repr=False)
    _moments: dict[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict, init=False, repr=False)
    _slices: dict[str, slice] = field(default_factory=dict, init=False, repr=False)

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Bind ``space`` and learn the scales of its groups; ``seed`` plays no part."""
        super().fit(space, seed)
        self._raw.fit(space, seed)
        sample = space.sample(SAMPLE, np.random.default_rng(0))
        self._paths = _template_paths(space.graphs(sample), self.max_paths)
        start = 0
        for name, block in self._blocks(sample).items():
            shift = block.mean(axis=0)
            spread = block.std(axis=0)
            unit = np.where(spread > 0, spread, 1.0) if name == "shape" else np.ones_like(spread)
            squared = 2 * ((block / unit).var(axis=0)).sum()
            self._moments[name] = (shift, unit * np.sqrt(squared if squared > 0 else 1.0))
            self._slices[name] = slice(start, start + block.shape[1])
            start += block.shape[1]
        return self

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        return max(part.stop for part in self._slices.values())

    @property
    def groups(self) -> dict[str, slice]:
        """Columns of raw, pruned, paths and shape."""
        return dict(self._slices)

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 of genotypes (N, V)."""
        blocks = self._blocks(self.checked(genotypes))
        return np.hstack([(block - self._moments[n][0]) / self._moments[n][1] for n, block in blocks.items()])

    def _blocks(self, genotypes: IntArray) -> dict[str, FloatArray]:
        written, pruned = self.space.graphs(genotypes), self.space.pruned(genotypes)
        present = _labels(pruned)[:, 1:-1, 2:]
        return {
            "raw": self._raw.transform(genotypes),
            "pruned": present.reshape(len(genotypes), int(np.prod(present.shape[1:]))),
            "paths": np.log1p(self._path_counts(written)),
            "shape": _shape(pruned, present),
        }

    def _path_counts(self, graphs: GraphBatch) -> FloatArray:
        """How often each sequence of real operations leads from input to output, (N, buckets).

        A sequence is numbered in bijective base (number of real operations); where not all numbers fit, they
        are hashed into the columns.
        """
        space = self.space
        real = np.array([name not in (space.zero, space.identity) for name in space.operations])
        base = int(real.sum())
        digit = np.concatenate([[0, 0], np.where(real, np.cumsum(real), 0)])
        alive = np.array([True, True, *(name != space.zero for name in space.operations)])
        longest = max(map(len, self._paths), default=2) - 2
        sequences = sum(base**length for length in range(longest + 1))
        counts = np.zeros((len(graphs), min(sequences, BUCKETS)))
        rows = np.arange(len(graphs))
        for path in self._paths:
            weight = graphs.adjacency[:, path[:-1], path[1:]].astype(np.float64).prod(axis=1)
            weight *= alive[graphs.operations[:, path]].all(axis=1)
            code = np.zeros(len(graphs), dtype=np.int64)
            for node in path[1:-1]:
                step = digit[graphs.operations[:, node]]
                code = np.where(step > 0, code * base + step, code)
            columns = code if sequences <= BUCKETS else _hashed(code)
            counts[rows, columns] += weight
        return counts


def _hashed(code: IntArray) -> IntArray:
    return np.asarray(hash_rows(code[:, None]) % np.uint64(BUCKETS), dtype=np.int64)


def _template_paths(graphs: GraphBatch, limit: int) -> list[IntArray]:
    """Node sequences from input to output that occur in some graph, the ``limit`` shortest."""
    edges = graphs.adjacency.any(axis=0)
    output = graphs.n_nodes - 1
    found: list[IntArray] = []
    growing: list[list[int]] = [[0]]
    while growing and len(found) < limit:
        longer: list[list[int]] = []
        for path in growing:
            for node in np.flatnonzero(edges[path[-1]]).tolist():
                if node == output:
                    found.append(np.array([*path, node]))
                else:
                    longer.append([*path, node])
        growing = longer[: limit * graphs.n_nodes]
    return found[:limit]


def _labels(graphs: GraphBatch) -> FloatArray:
    """One-hot operation of each node place, (N, M, number of words); zero where there is no node."""
    words = np.arange(len(graphs.vocabulary))
    return (graphs.operations[:, :, None] == words).astype(np.float64)


def _shape(graphs: GraphBatch, present: FloatArray) -> FloatArray:
    """Counts and depths of pruned graphs (N, 6 + 2 O); zero for the empty graph."""
    edges = graphs.adjacency.astype(np.float64)
    n_nodes = graphs.n_nodes
    n_paths, length = np.zeros((2, len(graphs), n_nodes))
    n_paths[:, 0] = 1
    for node in range(1, n_nodes):
        incoming = edges[:, :node, node]
        n_paths[:, node] = (incoming * n_paths[:, :node]).sum(axis=1)
        length[:, node] = (incoming * (length[:, :node] + n_paths[:, :node])).sum(axis=1)
    every = np.ones((len(graphs), n_nodes, 1))
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
    """Greatest sum of node ``weights`` (N, M, W) along a path that leaves the input, at the output, (N, W)."""
    best = np.full(weights.shape, -np.inf)
    best[:, 0] = 0.0
    for node in range(1, weights.shape[1]):
        before = np.where(edges[:, :node, node, None], best[:, :node], -np.inf).max(axis=1)
        best[:, node] = before + weights[:, node]
    return best[:, -1]
