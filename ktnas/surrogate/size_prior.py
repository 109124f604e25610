"""How large a network is among those of its space: what may be believed of its error before any is known."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from ktnas.arrays import FloatArray, IntArray
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch
from ktnas.surrogate.normal_scores import scores_among

BUILT = 3
SAMPLE = 2000


@dataclass(frozen=True)
class SizeScale:
    """Normal scores of the parameters that reach the output.

    An operation is taken to have as many parameters wherever in its cell it stands: exact for edge cells.
    Those of nodes that pruning removes do not count.

    Attributes:
        space: of the architectures.
        worth: (C,) parameters of each operation in each cell.
        sizes: (S,) parameters of random architectures, sorted.
    """

    space: SearchSpace
    worth: FloatArray
    sizes: FloatArray

    def __call__(self, genotypes: IntArray) -> FloatArray:
        """Scores (N,), about standard normal over the space; larger networks have larger ones."""
        return scores_among(self.parameters(genotypes), self.sizes)

    def parameters(self, genotypes: IntArray) -> FloatArray:
        """Parameters (N,) of the operations that are left, what every network has aside."""
        return np.asarray((_counts(self.space, self.space.pruned(genotypes)) @ self.worth).round(3))


@lru_cache(maxsize=8)
def size_scale(space: SearchSpace, task: str) -> SizeScale:
    """Scale learned from 2,000 architectures, the first of which are built: three for every operation.

    The smallest operation of a cell has no worth: what all of them have is what every network has.

    Raises:
        UserError: the space has no networks, or none for ``task``.
    """
    from ktnas.network.count import count_parameters
    from ktnas.network.weightless import weightless

    sample = space.sample(SAMPLE, np.random.default_rng(0))
    counts = _counts(space, space.graphs(sample))
    built = BUILT * int(counts.any(axis=0).sum())
    with weightless():
        counted = [count_parameters(space.build(genotype, task)) for genotype in sample[:built]]
    rows = np.column_stack([counts[:built], np.ones(built)])
    worth = nnls(rows, np.array(counted, dtype=np.float64))[0][:-1]
    worth = worth.reshape(len(np.unique(space.cell_of_places)), -1)
    worth = (worth - worth.min(axis=1, keepdims=True)).ravel()
    scale = SizeScale(space, worth, np.empty(0))
    return replace(scale, sizes=np.sort(scale.parameters(sample)))


def _counts(space: SearchSpace, graphs: GraphBatch) -> FloatArray:
    """How often each operation occurs in each cell, (N, cells times operations)."""
    operations = np.arange(2, len(graphs.vocabulary))
    present = graphs.operations[:, :, None] == operations
    cells = np.unique(space.cell_of_places)
    return np.hstack([present[:, space.cell_of_places == cell].sum(axis=1) for cell in cells]).astype(float)
