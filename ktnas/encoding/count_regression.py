"""What networks come to, estimated from how often each operation occurs."""

from dataclasses import dataclass

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch

SHRINKAGE = 0.01


@dataclass(frozen=True)
class CountRegression:
    """Linear in the counts of each operation in each cell.

    Attributes:
        space: of the architectures.
        weights: (1 + cells times operations, K), first what every network has.
    """

    space: SearchSpace
    weights: FloatArray

    @classmethod
    def of(cls, space: SearchSpace, genotypes: IntArray, totals: FloatArray) -> "CountRegression":
        """By ridge regression on genotypes (N, V) whose totals (N, K) are known."""
        design = _design(space, genotypes)
        precision = design.T @ design + SHRINKAGE * np.eye(design.shape[1])
        return cls(space, np.asarray(np.linalg.solve(precision, design.T @ totals), dtype=np.float64))

    def totals(self, genotypes: IntArray) -> FloatArray:
        """Estimates (N, K) for genotypes (N, V)."""
        return np.asarray(_design(self.space, genotypes) @ self.weights)

    def explained(self, genotypes: IntArray, totals: FloatArray) -> float:
        """Share of the variance of the worst column of totals (N, K) that is explained, at most 1."""
        missed = ((self.totals(genotypes) - totals) ** 2).mean(axis=0)
        spread = totals.var(axis=0)
        varies = spread > 0
        return float(1 - (missed[varies] / spread[varies]).max(initial=0.0))


def operation_counts(space: SearchSpace, graphs: GraphBatch) -> FloatArray:
    """How often each operation occurs in each cell of N graphs, (N, cells times operations)."""
    present = graphs.operations[:, :, None] == np.arange(2, len(graphs.vocabulary))
    cells = space.cell_of_places
    return np.hstack([present[:, cells == cell].sum(axis=1) for cell in np.unique(cells)]).astype(np.float64)


def _design(space: SearchSpace, genotypes: IntArray) -> FloatArray:
    """A column of ones, then the counts."""
    counts = operation_counts(space, space.graphs(genotypes))
    return np.hstack([np.ones((len(genotypes), 1)), counts])
