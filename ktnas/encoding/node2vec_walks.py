"""Biased random walks over the graphs of many architectures at once."""

import numpy as np

from ktnas.arrays import FloatArray, IntArray, Rng
from ktnas.space.graph import GraphBatch

END = -1


def biased_walks(
    graphs: GraphBatch, walks: int, length: int, p: float, q: float, rng: Rng
) -> tuple[IntArray, IntArray]:
    """Second-order walks of node2vec (Grover and Leskovec 2016, section 3.2), ``walks`` from each node.

    Edges are directed and weigh as often as they are there. The output leads back to the input, as cells
    are stacked in a network. From ``previous`` over ``current``, the weight of an edge to a node is divided
    by ``p`` if that node is ``previous``, and by ``q`` unless ``previous`` leads to it as well.

    Returns:
        The graph (W,) that each walk is on, and its node places (W, ``length``), ``END`` where it is over.
    """
    edges = graphs.adjacency.astype(np.float64)
    edges[:, -1, 0] = 1.0
    graph, start = (np.repeat(places, walks) for places in np.nonzero(graphs.operations >= 0))
    visited = np.full((len(graph), length), END, dtype=np.int64)
    visited[:, 0] = start
    going = np.arange(len(graph))
    for step in range(1, length):
        current = visited[going, step - 1]
        weights = edges[graph[going], current]
        if step > 1:
            weights = weights * _bias(edges, graph[going], visited[going, step - 2], p, q)
        onward = weights.sum(axis=1) > 0
        going, weights = going[onward], weights[onward]
        visited[going, step] = _draw(weights, rng)
    return graph, visited


def _bias(edges: FloatArray, graph: IntArray, previous: IntArray, p: float, q: float) -> FloatArray:
    """Factor (W, M) of the weight of each node as the next one."""
    bias = np.where(edges[graph, previous] > 0, 1.0, 1 / q)
    bias[np.arange(len(graph)), previous] = 1 / p
    return bias


def _draw(weights: FloatArray, rng: Rng) -> IntArray:
    """One column for each row of ``weights`` (W, M), with probability in proportion."""
    reached = weights.cumsum(axis=1)
    threshold = rng.random(len(weights)) * reached[:, -1]
    return np.asarray((reached > threshold[:, None]).argmax(axis=1), dtype=np.int64)
