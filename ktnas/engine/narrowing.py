"""Where a target looks first, by what is known of its sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ktnas.arrays import BoolArray, IntArray
from ktnas.engine.state import TaskState
from ktnas.surrogate.base import Surrogate

SAMPLE = 1000


@dataclass(frozen=True)
class Narrowing:
    """The architectures that at least one source expects among the best of its space.

    Within them a target chooses as if there were no source: what it learns is spread out, and it spends no
    evaluation on a source that has nothing to say.

    Attributes:
        surrogate: of errors, fitted to the sources.
        bounds: by index of a source, the largest error expected of an architecture that is let in.
    """

    surrogate: Surrogate
    bounds: dict[int, float]

    @classmethod
    def of(cls, surrogate: Surrogate, sources: Sequence[TaskState], share: float) -> Self:
        """Let in the best ``share`` of random architectures, and what is expected to be as good."""
        drawn = sources[0].space.sample(SAMPLE, np.random.default_rng(0))
        return cls(
            surrogate,
            {
                source.index: float(np.quantile(surrogate.predict(drawn, source.index), share))
                for source in sources
            },
        )

    def admits(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of genotypes (N, V)."""
        expected = [
            self.surrogate.predict(genotypes, source) <= bound for source, bound in self.bounds.items()
        ]
        return np.asarray(np.any(expected, axis=0))
