"""What every encoding offers: genotypes become vectors, row by row."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray, check_genotypes
from ktnas.space.base import SearchSpace


class Encoding(ABC):
    """Genotypes to vectors. A plug-in: a dataclass whose fields are its parameters.

    Fitted to one space, ``transform`` is deterministic and treats every row by itself: the vector of a
    genotype does not depend on the rest of the batch (to float tolerance where a network computes it).
    """

    _space: SearchSpace | None = None
    _features: "FeatureStore | None" = None

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Bind ``space``; a learned encoding trains here (from ``seed``) or loads what it learned before."""
        self._space = space
        self._features = None
        return self

    @property
    def space(self) -> SearchSpace:
        """The space the encoding was fitted to; ``RuntimeError`` before ``fit``."""
        if self._space is None:
            raise RuntimeError(f"{type(self).__name__}.fit(space, seed) must come before its first use")
        return self._space

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length D of a vector; known once fitted."""

    @property
    def groups(self) -> dict[str, slice]:
        """Named groups of columns: disjoint, in order, covering all of them."""
        return {"all": slice(0, self.dim)}

    @property
    def relevance(self) -> dict[str, float]:
        """Prior share of what each group explains, adding up to 1; equal unless the encoding knows better."""
        return dict.fromkeys(self.groups, 1 / len(self.groups))

    def checked(self, genotypes: IntArray) -> IntArray:
        """Genotypes (N, V) as int64; ``ValueError`` for another shape, dtype or a value out of range."""
        genotypes = check_genotypes(genotypes, self.space.n_variables)
        if ((genotypes < 0) | (genotypes >= self.space.n_choices)).any():
            raise ValueError(
                f"genotypes of {self.space.name} must lie in [0, {self.space.n_choices.tolist()})"
            )
        return genotypes

    @property
    def features(self) -> "FeatureStore":
        """Store of its vectors, the same one for all who use this encoding."""
        if self._features is None:
            self._features = FeatureStore(self)
        return self._features

    @abstractmethod
    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64, finite, of genotypes (N, V); ``ValueError`` as ``checked``."""


@dataclass
class FeatureStore:
    """Vectors of a fitted encoding, each genotype computed once.

    Attributes:
        encoding: the fitted encoding.
        limit: vectors kept at most; a store that would outgrow it starts anew.
    """

    encoding: Encoding
    limit: int = 100_000
    _rows: dict[bytes, int] = field(default_factory=dict, init=False, repr=False)
    _vectors: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._vectors = np.empty((0, self.encoding.dim))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 of genotypes (N, V), as ``encoding.transform`` gives them; a copy."""
        keys = _row_bytes(check_genotypes(genotypes, self.encoding.space.n_variables))
        unknown = {key: row for row, key in enumerate(keys) if key not in self._rows}
        if len(self._rows) + len(unknown) > self.limit:
            self._rows.clear()
            unknown = {key: row for row, key in enumerate(keys)}
            if len(unknown) > self.limit:
                return self.encoding.transform(genotypes)
        if unknown:
            self._append(list(unknown), self.encoding.transform(genotypes[list(unknown.values())]))
        return self._vectors[np.array([self._rows[key] for key in keys], dtype=np.int64)]

    def _append(self, keys: list[bytes], vectors: FloatArray) -> None:
        known = len(self._rows)
        needed = known + len(keys)
        if needed > len(self._vectors):
            grown = np.empty((max(needed, 2 * known), vectors.shape[1]))
            grown[:known] = self._vectors[:known]
            self._vectors = grown
        self._vectors[known:needed] = vectors
        self._rows.update(zip(keys, range(known, needed), strict=True))


def _row_bytes(genotypes: IntArray) -> list[bytes]:
    data, width = genotypes.tobytes(), genotypes.itemsize * genotypes.shape[1]
    return [data[start : start + width] for start in range(0, len(data), width)]
