"""One architecture, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ktnas.arrays import IntArray

if TYPE_CHECKING:
    import networkx as nx

    from ktnas.space.base import SearchSpace


class Architecture:
    """A genotype of a space with its text, key and pictures.

    Attributes:
        space: the space it belongs to.
        genotype: (V,) int64.
    """

    def __init__(self, space: SearchSpace, genotype: IntArray) -> None:
        self.space = space
        self.genotype = genotype

    @property
    def text(self) -> str:
        """Official text, as written by its genotype."""
        return self.space.format(self.genotype[None])[0]

    @property
    def key(self) -> str:
        """16 hexadecimal digits that are equal for equal architectures."""
        return f"{int(self.space.identities(self.genotype[None])[0]):016x}"

    def graph(self, pruned: bool = False) -> nx.MultiDiGraph:
        """Multigraph with the node attribute ``operation``."""
        return self.space.to_networkx(self.genotype, pruned)

    def draw(self, path: str | Path, pruned: bool = False) -> None:
        """Write a picture of the cell, ``.svg`` or ``.png``."""
        from ktnas.space.draw import draw

        draw(self, Path(path), pruned)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and (self.space.name, self.key) == (
            other.space.name,
            other.key,
        )

    def __hash__(self) -> int:
        return hash((self.space.name, self.key))

    def __repr__(self) -> str:
        return f"<{self.space.name} {self.text}>"
