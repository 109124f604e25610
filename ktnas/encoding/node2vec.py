"""node2vec: an architecture as the mean of its nodes and edges, embedded once for the whole space."""

import json
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from threadpoolctl import threadpool_limits

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.cache import cache_dir, load_arrays, save_arrays
from ktnas.encoding.node2vec_skipgram import pair_counts, skip_gram
from ktnas.encoding.node2vec_walks import biased_walks
from ktnas.errors import UserError
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch

FORMAT = 1
CHUNK = 2048
DECIMALS = 10
SCALE_SAMPLE = 1000
GROUPS = ("operations", "edges", "depths")


@dataclass
class Node2Vec(Encoding):
    """Words of the pruned cell, embedded by biased walks and skip-gram (Grover and Leskovec, KDD 2016).

    Walks go over the pruned graphs of ``architectures`` sampled from the space, each on a graph of its own
    whose output leads back to its input. What a node is called is shared by all of them: its operation, and
    its operation with its depth (most edges from the input). Both kinds of words are embedded, by the same
    walks. An architecture is

    - ``operations``: the mean over its nodes of their operations' embeddings;
    - ``edges``: the mean over its edges of the product, element by element, of both ends' embeddings
      (Grover and Leskovec, table 1); zero without an edge;
    - ``depths``: the mean over its nodes of the embeddings of operation and depth.

    So isomorphic architectures have equal vectors. KTNAS embeds the nodes of each architecture apart, from
    random walks of its own, so that even two vectors of the same architecture cannot be compared. Groups are
    scaled so that two random architectures of the space are at squared distance 1 in each, on average.

    ``fit`` learns once per space, settings and seed, some seconds on one core, and keeps the embeddings in
    the cache directory (``KTNAS_CACHE``, else the user's). A word that no sampled architecture has adds
    nothing.

    Attributes:
        width: length of a word's embedding, a third of a vector.
        p: a step back weighs 1 / p of one onwards.
        q: a step to where the node before does not lead weighs 1 / q.
        length: nodes of a walk at most.
        walks: from each node of each architecture.
        window: greatest distance of two nodes of a walk that are paired.
        negatives: words drawn against each pair.
        architectures: sampled to walk on.
    """

    width: int = 128
    p: float = 1.0
    q: float = 1.0
    length: int = 80
    walks: int = 10
    window: int = 10
    negatives: int = 5
    architectures: int = 200
    _words: dict[str, FloatArray] = field(default_factory=dict, init=False, repr=False, compare=False)
    _centre: FloatArray = field(init=False, repr=False, compare=False)
    _scale: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, value in self._settings().items():
            if not 0 < value < np.inf:
                raise UserError(f"encoding.{name}={value}: must be positive and finite.")

    @property
    def dim(self) -> int:
        """Length D of a vector, three times ``width``."""
        return len(GROUPS) * self.width

    @property
    def groups(self) -> dict[str, slice]:
        """Columns of operations, edges and depths."""
        return {
            name: slice(place * self.width, (place + 1) * self.width) for place, name in enumerate(GROUPS)
        }

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Learn from architectures of ``space``, or load what was learned from them before."""
        super().fit(space, seed)
        rng = np.random.default_rng(seed)
        graphs = space.pruned(space.sample(self.architectures, rng))
        n_words = len(graphs.vocabulary)
        shapes = {"operations": (n_words, self.width), "depths": (graphs.n_nodes * n_words, self.width)}
        path = cache_dir() / "node2vec" / f"{space.name}-{self._fingerprint(graphs, seed)}.npz"
        words = load_arrays(path, shapes)
        if words is None:
            with Console(stderr=True).status(f"Training node2vec on {space.name} (once) …"):
                words = self._learn(graphs, rng)
            save_arrays(path, words)
        self._words = {name: words[name].astype(np.float64) for name in shapes}
        self._centre, self._scale = np.zeros(self.dim), np.ones(self.dim)
        vectors = self._vectors(space.sample(SCALE_SAMPLE, np.random.default_rng(0)))
        self._centre = vectors.mean(axis=0)
        for columns in self.groups.values():
            spread = 2 * vectors[:, columns].var(axis=0).sum()
            self._scale[columns] = 1 / np.sqrt(spread) if spread > 0 else 1.0
        return self

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64, rounded to ``DECIMALS`` places lest a row depend on its batch."""
        vectors = self._vectors(self.checked(genotypes))
        return np.asarray(((vectors - self._centre) * self._scale).round(DECIMALS))

    def _vectors(self, genotypes: IntArray) -> FloatArray:
        vectors = np.empty((len(genotypes), self.dim))
        for start in range(0, len(genotypes), CHUNK):
            rows = slice(start, start + CHUNK)
            vectors[rows] = self._pool(self.space.pruned(genotypes[rows]))
        return vectors

    def _pool(self, graphs: GraphBatch) -> FloatArray:
        """Groups side by side (N, D), neither centred nor scaled."""
        nodes, depths = (self._embedded(name, graphs) for name in ("operations", "depths"))
        edges = graphs.adjacency.astype(np.float64)
        n_nodes = (graphs.operations >= 0).sum(axis=1)[:, None]
        n_edges = np.maximum(edges.sum(axis=(1, 2)), 1)[:, None]
        return np.hstack(
            [
                nodes.sum(axis=1) / n_nodes,
                (nodes * (edges @ nodes)).sum(axis=1) / n_edges,
                depths.sum(axis=1) / n_nodes,
            ]
        )

    def _embedded(self, kind: str, graphs: GraphBatch) -> FloatArray:
        """Embedding of each node's word (N, M, width); zero where there is no node."""
        words = WORDS[kind](graphs)
        return np.where((words >= 0)[:, :, None], self._words[kind][words], 0.0)

    def _learn(self, graphs: GraphBatch, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        graph, visited = biased_walks(graphs, self.walks, self.length, self.p, self.q, rng)
        n_words = len(graphs.vocabulary)
        learned = {}
        for kind, count in (("operations", n_words), ("depths", graphs.n_nodes * n_words)):
            sentences = np.where(visited >= 0, WORDS[kind](graphs)[graph[:, None], visited], -1)
            with threadpool_limits(1):
                pairs = pair_counts(sentences, count, self.window)
                embeddings = skip_gram(pairs, self.width, self.negatives, rng)
            learned[kind] = embeddings.astype(np.float32)
        return learned

    def _settings(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}

    def _fingerprint(self, graphs: GraphBatch, seed: int) -> str:
        """Hash of all that decides the embeddings; the sampled graphs stand for the space."""
        settings = json.dumps([FORMAT, seed, self._settings(), graphs.vocabulary, graphs.operations.shape])
        digest = blake2b(settings.encode(), digest_size=8)
        digest.update(graphs.operations.tobytes())
        digest.update(graphs.adjacency.tobytes())
        return digest.hexdigest()


def operation_words(graphs: GraphBatch) -> IntArray:
    """Operation of each node place (N, M); -1 where there is no node."""
    return graphs.operations


def depth_words(graphs: GraphBatch) -> IntArray:
    """Depth and operation of each node place (N, M), below M times the vocabulary; -1 without a node."""
    edges = graphs.adjacency > 0
    depth = np.zeros(graphs.operations.shape, dtype=np.int64)
    for node in range(1, graphs.n_nodes):
        depth[:, node] = np.where(edges[:, :node, node], depth[:, :node] + 1, 0).max(axis=1)
    words = depth * len(graphs.vocabulary) + graphs.operations
    return np.where(graphs.operations >= 0, words, -1)


WORDS = {"operations": operation_words, "depths": depth_words}
