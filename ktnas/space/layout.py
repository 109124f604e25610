"""Where the nodes and edges of a small directed acyclic graph go on a page, in layers from left to right."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
from scipy.optimize import isotonic_regression

SWEEPS = 12

Point = tuple[int, float]


@dataclass(frozen=True)
class Layout:
    """Places of nodes and edges.

    Attributes:
        nodes: layer and height (upwards) of each node; within a layer nodes are 1 or more apart.
        edges: for each pair of joined nodes the points its line goes through, one per layer, ends included;
            within a layer lines are ``PASSAGE`` or more from nodes and from each other.
    """

    nodes: dict[int, Point]
    edges: dict[tuple[int, int], list[Point]]


PASSAGE = 0.75

Place = tuple[int, ...]


def layered_layout(graph: nx.MultiDiGraph, first: int, last: int) -> Layout:
    """Lay out ``graph`` in layers, node ``first`` in the first and ``last`` in the last.

    Layers are longest paths, long edges get a place in each layer they pass, barycentres order the places
    within the layers (Sugiyama, Tagawa and Toda 1981), and heights follow the neighbours as far as the
    distances allow.
    """
    depth = {first: 0}
    for node in nx.topological_sort(graph):
        depth[node] = max((depth[source] + 1 for source in graph.predecessors(node)), default=0)
    depth[last] = 1 + max(layer for node, layer in depth.items() if node != last)
    layer_of: dict[Place, int] = {(node,): layer for node, layer in depth.items()}
    chains: dict[tuple[int, int], list[Place]] = {}
    for source, target in sorted(set(graph.edges())):
        passed = [(source, target, layer) for layer in range(depth[source] + 1, depth[target])]
        layer_of |= {place: place[2] for place in passed}
        chains[source, target] = [(source,), *passed, (target,)]
    layers: list[list[Place]] = [[] for _ in range(depth[last] + 1)]
    for place in sorted(layer_of):
        layers[layer_of[place]].append(place)
    links = {link for chain in chains.values() for link in pairwise(chain)}
    heights = _heights(_order(layers, links), links)
    points = {place: (layer, -heights[place]) for place, layer in layer_of.items()}
    return Layout(
        {node: points[node,] for node in depth},
        {ends: [points[place] for place in chain] for ends, chain in chains.items()},
    )


def _neighbours(links: set[tuple[Place, Place]]) -> Mapping[Place, list[Place]]:
    neighbours: dict[Place, list[Place]] = defaultdict(list)
    for source, target in sorted(links):
        neighbours[source].append(target)
        neighbours[target].append(source)
    return neighbours


def _order(layers: list[list[Place]], links: set[tuple[Place, Place]]) -> list[list[Place]]:
    """The order of least crossings that sweeps of barycentres find."""
    neighbours = _neighbours(links)
    best = layers
    for sweep in range(SWEEPS):
        layers = [list(layer) for layer in layers]
        span = range(1, len(layers)) if sweep % 2 == 0 else range(len(layers) - 2, -1, -1)
        for index in span:
            beside = layers[index - 1 if sweep % 2 == 0 else index + 1]
            rank = {place: position for position, place in enumerate(beside)}
            centre = {
                place: float(
                    np.mean([rank[other] for other in neighbours[place] if other in rank] or [position])
                )
                for position, place in enumerate(layers[index])
            }
            layers[index].sort(key=centre.__getitem__)
        if _crossings(layers, links) < _crossings(best, links):
            best = layers
    return best


def _crossings(layers: list[list[Place]], links: set[tuple[Place, Place]]) -> int:
    at = {
        place: (index, position) for index, layer in enumerate(layers) for position, place in enumerate(layer)
    }
    spans = [(*at[source], at[target][1]) for source, target in links]
    return sum(a[0] == b[0] and (a[1] - b[1]) * (a[2] - b[2]) < 0 for a, b in combinations(spans, 2))


def _heights(layers: list[list[Place]], links: set[tuple[Place, Place]]) -> dict[Place, float]:
    """Heights near those of the neighbours, in order and far enough apart."""
    neighbours = _neighbours(links)
    offsets = []
    for layer in layers:
        gaps = [1.0 if len(above) == len(below) == 1 else PASSAGE for above, below in pairwise(layer)]
        offsets.append(np.concatenate([[0.0], np.cumsum(gaps)]))
    heights = {
        place: float(offset - offsets[index][-1] / 2)
        for index, layer in enumerate(layers)
        for place, offset in zip(layer, offsets[index], strict=True)
    }
    for _ in range(SWEEPS):
        for layer, offset in zip(layers, offsets, strict=True):
            wanted = [np.mean([heights[other] for other in neighbours[place]] or [0.0]) for place in layer]
            heights |= zip(layer, (isotonic_regression(wanted - offset).x + offset).tolist(), strict=True)
    return heights
