"""Several encodings side by side."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.errors import UserError
from ktnas.registry import build
from ktnas.space.base import SearchSpace

SAMPLE = 100
DISTANCE = 1 / 2


@dataclass
class Combined(Encoding):
    """The vectors of its parts, joined; each part is multiplied by a number that makes distances comparable.

    Two random architectures of the space are at squared distance 1/2, on average, in the widest group of each
    part (over 100 of them, drawn once with a fixed seed). That leaves ``cell`` as it is, but for the luck of
    the draw; a single part is scaled, too. Groups are named after part and group, ``cell.shape`` say; parts
    of the same name are numbered, ``arch2vec`` and ``arch2vec_2``. Each part has the same share of the prior
    relevance and deals it out as it does when alone.

    Attributes:
        parts: names of encodings, or ``{name: …, **parameters}``.
    """

    parts: list[Any] = field(default_factory=lambda: ["cell", "arch2vec"])
    _parts: dict[str, Encoding] = field(default_factory=dict, init=False, repr=False, compare=False)
    _factors: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise UserError("encoding.parts=[]: expected one or more encodings, for example [cell,arch2vec].")
        self._parts = {}
        for part in self.parts:
            if not isinstance(part, str) and not (isinstance(part, dict) and "name" in part):
                raise UserError(
                    f"encoding.parts: {part!r} is no encoding. Expected its name, or name and parameters as "
                    "in {name: arch2vec, dim: 64}."
                )
            config = {"name": part} if isinstance(part, str) else part
            self._parts[self._unused(str(config["name"]))] = build("encoding", config)

    def _unused(self, name: str) -> str:
        """``name``, numbered from 2 where it is taken."""
        numbered = (f"{name}_{number}" for number in range(2, len(self.parts) + 1))
        return name if name not in self._parts else next(own for own in numbered if own not in self._parts)

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Fit every part with the same ``seed`` and learn its factor."""
        super().fit(space, seed)
        sample = space.sample(SAMPLE, np.random.default_rng(0))
        self._factors = {name: _factor(part.fit(space, seed), sample) for name, part in self._parts.items()}
        return self

    @property
    def dim(self) -> int:
        """Sum of the parts' lengths."""
        return sum(part.dim for part in self._parts.values())

    @property
    def groups(self) -> dict[str, slice]:
        """The groups of all parts, ``<part>.<group>``."""
        groups, start = {}, 0
        for name, part in self._parts.items():
            for group, columns in part.groups.items():
                groups[f"{name}.{group}"] = slice(start + columns.start, start + columns.stop)
            start += part.dim
        return groups

    @property
    def relevance(self) -> dict[str, float]:
        """Prior share of what each group explains: that within its part, by the number of parts."""
        return {
            f"{name}.{group}": share / len(self._parts)
            for name, part in self._parts.items()
            for group, share in part.relevance.items()
        }

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 of genotypes (N, V)."""
        genotypes = self.checked(genotypes)
        return np.hstack(
            [self._factors[name] * part.transform(genotypes) for name, part in self._parts.items()]
        )


def _factor(part: Encoding, sample: IntArray) -> float:
    """What brings the widest group of ``part`` to mean squared distance ``DISTANCE``; 1 if all are equal."""
    vectors = part.transform(sample)
    widest = max(2 * vectors[:, columns].var(axis=0).sum() for columns in part.groups.values())
    return float(np.sqrt(DISTANCE / widest)) if widest > 0 else 1.0
