"""Where a task looks first of which nothing is known: among the larger networks."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import rankdata

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.network.graph_task import GRAPH_TASKS
from ktnas.space.base import SearchSpace
from ktnas.surrogate.size_prior import SizeScale, size_scale

IMAGES = "cifar10"
"""Parameters are counted of networks for this task: how they compare hardly depends on it."""


@dataclass(frozen=True)
class Larger:
    """The architectures of a space whose networks have the most parameters.

    Of two networks of a space the larger one is the better one more often than not, which a surrogate that
    has seen one or two architectures cannot know: what it is least sure of are the extremes of the space,
    among them cells that compute nothing.

    Attributes:
        scale: of sizes.
        bound: parameters of the smallest architecture that is let in.
    """

    scale: SizeScale
    bound: float

    @classmethod
    def of(cls, space: SearchSpace, task: str, share: float) -> "Larger | None":
        """Let in the largest ``share`` of random architectures; None where no networks for images are built.

        Args:
            space: of the architectures.
            task: that is searched; those of graphs have no part in this.
            share: above 0, and 1 at most.
        """
        scale = None if task in GRAPH_TASKS else _scale(space)
        return None if scale is None else cls(scale, float(np.quantile(scale.sizes, 1 - share)))

    def admits(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of genotypes (N, V)."""
        return np.asarray(self.scale.parameters(genotypes) >= self.bound)

    def agrees(self, genotypes: IntArray, errors: FloatArray) -> bool:
        """Whether the errors (N,) of genotypes (N, V) fall with their size; one or none always does."""
        return len(errors) < 2 or in_step(-self.scale.parameters(genotypes), errors)


def in_step(expected: FloatArray, found: FloatArray) -> bool:
    """Whether what was found (N,) rises with what was expected (N,): Spearman's correlation is above 0."""
    first, second = rankdata(expected), rankdata(found)
    return bool((first - first.mean()) @ second > 0)


@lru_cache(maxsize=8)
def _scale(space: SearchSpace) -> SizeScale | None:
    try:
        return size_scale(space, IMAGES)
    except UserError:  # it builds no networks, or none for images
        return None
