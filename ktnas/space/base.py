"""What every search space offers: variables, sampling, variation, text, graphs, keys. All on batches."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np

from ktnas.arrays import BoolArray, IntArray, KeyArray, Rng, check_genotypes
from ktnas.space.graph import GraphBatch, canonical_keys, hash_rows, prune

ENUMERATION_LIMIT = 2_000_000


class SearchSpace(ABC):
    """Categorical variables that form a graph, are written as text and become a network.

    A genotype is an integer vector (V,) whose v-th entry lies in ``[0, n_choices[v])``; a batch is (N, V) int64.

    Attributes:
        name: the space's name, as in ``spaces/<name>.yaml``.
        n_choices: (V,) int64, the number of choices of each variable.
        operations: names of the operations, in index order.
        zero: operation that passes nothing on, or None.
        identity: operation that passes its input on unchanged, or None.
        distinct: ``genotype`` where every genotype is an architecture of its own (isomorphic ones were trained
            apart), ``canonical`` where genotypes with equal canonical keys are one architecture.
    """

    name: str
    n_choices: IntArray
    operations: tuple[str, ...]
    zero: str | None
    identity: str | None
    distinct: str

    @abstractmethod
    def graphs(self, genotypes: IntArray) -> GraphBatch:
        """Graphs as written, operations on nodes, node 0 the input and the last node the output."""

    @abstractmethod
    def format(self, genotypes: IntArray) -> list[str]:
        """Official text of each genotype."""

    @abstractmethod
    def parse(self, texts: Sequence[str]) -> IntArray:
        """Genotypes of official texts; ``ValueError`` names the first bad text and what was expected."""

    def valid(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes that are architectures of this space."""
        genotypes = check_genotypes(genotypes, self.n_variables)
        return np.asarray(((genotypes >= 0) & (genotypes < self.n_choices)).all(axis=1), dtype=np.bool_)

    @property
    def n_variables(self) -> int:
        """Number of variables V."""
        return len(self.n_choices)

    @cached_property
    def size(self) -> int:
        """Number of genotypes (valid or not), as an exact Python integer."""
        return int(np.prod(self.n_choices.astype(object)))

    def pruned(self, genotypes: IntArray) -> GraphBatch:
        """Graphs with zero operations gone, identities contracted and dead ends dropped."""
        return prune(self.graphs(genotypes), self.zero, self.identity)

    def keys(self, genotypes: IntArray) -> KeyArray:
        """Canonical keys (N,) uint64: equal for genotypes whose pruned graphs are isomorphic."""
        return canonical_keys(self.pruned(genotypes))

    def identities(self, genotypes: IntArray) -> KeyArray:
        """Keys (N,) uint64 by which an architecture is the same one, following ``distinct``."""
        genotypes = check_genotypes(genotypes, self.n_variables)
        return self.keys(genotypes) if self.distinct == "canonical" else hash_rows(genotypes)

    def sample(self, n: int, rng: Rng) -> IntArray:
        """Draw ``n`` valid genotypes (n, V), uniform over valid genotypes, duplicates possible."""
        genotypes = rng.integers(self.n_choices, size=(n, self.n_variables))
        return self._redraw_invalid(genotypes, lambda rows: rng.integers(self.n_choices, size=(len(rows), self.n_variables)))

    def mutate(self, genotypes: IntArray, rng: Rng, rate: float | None = None) -> IntArray:
        """Change each variable with probability ``rate`` (default 1/V), at least one per row; results are valid."""

    def crossover(self, first: IntArray, second: IntArray, rng: Rng) -> IntArray:
        """Uniform crossover of row pairs, (N, V); an invalid child is replaced by its first parent."""

    def neighbours(self, genotype: IntArray) -> IntArray:
        """All valid genotypes that differ from ``genotype`` (V,) in exactly one variable, (M, V)."""

    def enumerate(self) -> IntArray:
        """Every valid genotype (N, V) in lexicographic order; ``ValueError`` beyond ``ENUMERATION_LIMIT``."""
