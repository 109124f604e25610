"""How large a network is among those of its space: what may be believed of its error before any is known."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.count_regression import operation_counts
from ktnas.encoding.totals import TOTALS, are_sums, network_totals
from ktnas.space.base import SearchSpace
from ktnas.space.chain import Chain
from ktnas.surrogate.normal_scores import scores_among

BUILT = 3
SAMPLE = 2000


@dataclass(frozen=True)
class SizeScale:
    """Normal scores of how much a network computes.

    Attributes:
        sizes: from genotypes (N, V) to sizes (N,).
        among: (S,) sizes of random architectures, sorted.
    """

    sizes: Callable[[IntArray], FloatArray]
    among: FloatArray

    def __call__(self, genotypes: IntArray) -> FloatArray:
        """Scores (N,), about standard normal over the space; larger networks have larger ones."""
        return scores_among(self.sizes(genotypes), self.among)


@dataclass(frozen=True)
class ChainSizes:
    """Multiply-accumulates.

    Attributes:
        space: of the architectures.
        task: of the networks.
    """

    space: SearchSpace
    task: str

    def __call__(self, genotypes: IntArray) -> FloatArray:
        """Of whole networks (N,)."""
        return network_totals(self.space, genotypes, self.task)[:, TOTALS.index("macs")]


@dataclass(frozen=True)
class CellSizes:
    """Parameters that reach the output.

    An operation is taken to have as many wherever in its cell it stands: exact for edge cells. Those of nodes
    that pruning removes do not count.

    Attributes:
        space: of the architectures.
        worth: (C,) parameters of each operation in each cell.
    """

    space: SearchSpace
    worth: FloatArray

    def __call__(self, genotypes: IntArray) -> FloatArray:
        """Parameters (N,) of the operations that are left, what every network has aside."""
        return np.asarray((operation_counts(self.space, self.space.pruned(genotypes)) @ self.worth).round(3))


@lru_cache(maxsize=8)
def size_scale(space: SearchSpace, task: str) -> SizeScale:
    """Scale of 2,000 random architectures.

    Of a chain the size is its multiply-accumulates. Of cells, whose operations all stand on maps of the same
    shapes, so that parameters rank networks as multiply-accumulates do, it is the parameters that reach the
    output: they are learned from three networks for every operation.

    Raises:
        UserError: the space has no networks, or none for ``task``.
    """
    drawn = space.sample(SAMPLE, np.random.default_rng(0))
    sums = isinstance(space, Chain) and are_sums(space, task)
    sizes = ChainSizes(space, task) if sums else _cell_sizes(space, task, drawn)
    return SizeScale(sizes, np.sort(sizes(drawn)))


def _cell_sizes(space: SearchSpace, task: str, drawn: IntArray) -> CellSizes:
    """Learned from the first of ``drawn``; the smallest operation of a cell has no worth, as all have it."""
    from ktnas.network.count import count_parameters
    from ktnas.network.weightless import weightless

    counts = operation_counts(space, space.graphs(drawn))
    built = BUILT * int(counts.any(axis=0).sum())
    with weightless():
        counted = [count_parameters(space.build(genotype, task)) for genotype in drawn[:built]]
    rows = np.column_stack([counts[:built], np.ones(built)])
    worth = nnls(rows, np.array(counted, dtype=np.float64))[0][:-1]
    worth = worth.reshape(len(np.unique(space.cell_of_places)), -1)
    return CellSizes(space, (worth - worth.min(axis=1, keepdims=True)).ravel())
