"""What architectures of different spaces have in common, in columns that mean the same in each."""

from functools import lru_cache

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.cell import CellFeatures
from ktnas.space.base import SearchSpace

GRAPH = ("operations", "edges", "paths", "mean path", "shortest path", "longest path")
"""Columns that every space has."""


def graph_columns(space: SearchSpace, genotypes: IntArray) -> dict[str, FloatArray]:
    """Counts and depths of the pruned graphs of genotypes (N, V): name to column (N,).

    Those in ``GRAPH`` are known in every space. Of each operation there are its count and the most of it on
    one path, so that spaces which call an operation alike share them. Of a space with several cells they are
    the means over its cells. They come from the group ``shape`` of ``CellFeatures``.
    """
    encoding = _cell_features(space)
    shape = encoding.transform(genotypes)[:, encoding.groups["shape"]]
    names = list(GRAPH)
    for what in ("most on a path", "count"):
        names += [f"{operation}, {what}" for operation in space.operations]
    cells = shape.reshape(len(genotypes), shape.shape[1] // len(names), len(names))
    return dict(zip(names, cells.mean(axis=1).T, strict=True))


@lru_cache(maxsize=8)
def _cell_features(space: SearchSpace) -> CellFeatures:
    return CellFeatures().fit(space, 0)
