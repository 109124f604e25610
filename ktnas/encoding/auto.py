"""The encoding that suits the family of a space."""

from dataclasses import dataclass, field
from typing import Self

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.cell import CellFeatures
from ktnas.encoding.layers import LayerFeatures
from ktnas.space.base import SearchSpace
from ktnas.space.chain import Chain


@dataclass
class Auto(Encoding):
    """``LayerFeatures`` of chains, ``CellFeatures`` of all other spaces, with their defaults."""

    _chosen: Encoding = field(init=False, repr=False, compare=False)

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """As in ``Encoding``."""
        super().fit(space, seed)
        self._chosen = (LayerFeatures() if isinstance(space, Chain) else CellFeatures()).fit(space, seed)
        return self

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        return self._chosen.dim

    @property
    def groups(self) -> dict[str, slice]:
        """Groups of the encoding that was chosen."""
        return self._chosen.groups

    @property
    def relevance(self) -> dict[str, float]:
        """Prior shares of the encoding that was chosen."""
        return self._chosen.relevance

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 of genotypes (N, V)."""
        genotypes = self.checked(genotypes)
        return self._chosen.transform(genotypes)
