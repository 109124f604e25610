"""Batches of cell graphs, their pruning, and keys that isomorphic graphs share."""

from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import IntArray, KeyArray

MAX_MULTIPLICITY = 255


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """N directed acyclic multigraphs of at most M nodes with operations on the nodes.

    Node 0 is the input and node M-1 the output of every graph, also of an empty one. Nodes are in topological
    order.

    Attributes:
        operations: (N, M) int64, index into ``vocabulary``; -1 where there is no node.
        adjacency: (N, M, M) uint8, ``adjacency[n, i, j]`` edges i→j, strictly upper triangular.
        vocabulary: ``("input", "output", *operations of the space)``.
    """

    operations: IntArray
    adjacency: NDArray[np.uint8]
    vocabulary: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.operations)

    @property
    def n_nodes(self) -> int:
        """Number of node places M."""
        return int(self.operations.shape[1])


def edges_by_target(nodes: int) -> list[tuple[int, int]]:
    """Source and target of each edge of the complete acyclic graph: 0→1, 0→2, 1→2, 0→3, …"""
    return [(source, target) for target in range(1, nodes) for source in range(target)]


def prune(batch: GraphBatch, zero: str | None, identity: str | None) -> GraphBatch:
    """Reduce each graph to what it computes.

    Nodes of operation ``zero`` go with their edges; nodes of operation ``identity`` are contracted, parallel
    paths becoming multi-edges (at most 255); nodes not on a path from the input to the output go. Node places
    stay: a removed node has operation -1 and no edges. Without such a path only input and output are left.
    """
    operations = batch.operations
    adjacency = batch.adjacency.copy()
    if zero is not None:
        kept = operations != batch.vocabulary.index(zero)
        adjacency *= kept[:, :, None] & kept[:, None, :]
    if identity is not None:
        _contract(adjacency, operations == batch.vocabulary.index(identity))
    alive = _on_path(adjacency)
    adjacency *= alive[:, :, None] & alive[:, None, :]
    alive[:, [0, -1]] = True
    return replace(batch, operations=np.where(alive, operations, -1), adjacency=adjacency)


def _contract(adjacency: NDArray[np.uint8], contracted: NDArray[np.bool_]) -> None:
    """Replace, in place, each contracted node by edges from its predecessors to its successors."""
    for node in range(1, adjacency.shape[1] - 1):
        rows = np.flatnonzero(contracted[:, node])
        part = adjacency[rows].astype(np.uint16)
        part += part[:, :, node, None] * part[:, None, node, :]
        part[:, :, node] = part[:, node, :] = 0
        adjacency[rows] = np.minimum(part, MAX_MULTIPLICITY)


def _on_path(adjacency: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mask (N, M) of the nodes on some path from the input to the output."""
    n_nodes = adjacency.shape[1]
    forward = np.zeros(adjacency.shape[:2], dtype=np.bool_)
    backward = forward.copy()
    forward[:, 0] = backward[:, -1] = True
    edges = adjacency > 0
    for node in range(1, n_nodes):
        forward[:, node] = (edges[:, :node, node] & forward[:, :node]).any(axis=1)
    for node in range(n_nodes - 2, -1, -1):
        backward[:, node] = (edges[:, node, node + 1 :] & backward[:, node + 1 :]).any(axis=1)
    return forward & backward


def canonical_keys(batch: GraphBatch) -> KeyArray:
    """Keys (N,) uint64 that depend on each graph alone, not on the order or number of its node places.

    Weisfeiler-Lehman colours refined over the labelled predecessors and successors with their multiplicities,
    one round per node, mixed by splitmix64 from the names of the operations: the same on every platform and
    in every space. Isomorphic graphs have equal keys. Others have different keys, save for collisions of 64
    bits and for graphs that colour refinement cannot tell apart, which need 8 nodes beside input and output.
    """
    words = np.array([word(name) for name in batch.vocabulary] + [0], dtype=np.uint64)
    alive = batch.operations >= 0
    colours = words[batch.operations]
    adjacency = batch.adjacency.astype(np.uint64)
    rounds = alive.sum(axis=1)
    for step in range(int(rounds.max(initial=0))):
        heard = np.matmul(mix(colours ^ _FORWARD)[:, None, :], adjacency)[:, 0, :]
        told = np.matmul(adjacency, mix(colours ^ _BACKWARD)[:, :, None])[:, :, 0]
        refined = mix(colours + mix(heard ^ _FORWARD) * _ODD + mix(told ^ _BACKWARD))
        colours = np.where(alive & (step < rounds)[:, None], refined, colours)
    return mix((mix(colours) * alive).sum(axis=1, dtype=np.uint64))


def hash_rows(rows: IntArray) -> KeyArray:
    """Hash each row of an integer matrix (N, V), (N,) uint64, the same on every platform."""
    keys = np.full(len(rows), rows.shape[1], dtype=np.uint64)
    for column in rows.astype(np.int64).view(np.uint64).T if rows.size else ():
        keys = mix(keys * _ODD + column)
    return keys


_FORWARD = np.uint64(0x243F6A8885A308D3)
_BACKWARD = np.uint64(0x13198A2E03707344)
_ODD = np.uint64(0x9E3779B97F4A7C15)


@cache
def word(name: str) -> int:
    """64 bits of a name, the same on every platform."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def mix(values: KeyArray) -> KeyArray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    values = np.asarray(values + _ODD, dtype=np.uint64)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
