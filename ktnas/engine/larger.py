"""What is expected of a task of which nothing is known: that the larger networks are better."""

from dataclasses import dataclass
from functools import lru_cache

from ktnas.arrays import FloatArray, IntArray
from ktnas.engine.guides import Guide
from ktnas.errors import UserError
from ktnas.network.graph_task import GRAPH_TASKS
from ktnas.space.base import SearchSpace
from ktnas.surrogate.size_prior import SizeScale, size_scale

IMAGES = "imagenet"
"""Sizes are of networks for this task: its images are large enough for all that halves them."""


@dataclass(frozen=True)
class Larger(Guide):
    """Of two networks of a space the one that computes more is the better one more often than not.

    A surrogate that has seen one or two architectures cannot know: what it is least sure of are the extremes
    of the space, among them cells that compute nothing.

    Attributes:
        scale: of sizes.
    """

    scale: SizeScale

    @classmethod
    def of(cls, space: SearchSpace, task: str) -> "Larger | None":
        """None where no networks for images are built, and of tasks on graphs."""
        scale = None if task in GRAPH_TASKS else _scale(space)
        return None if scale is None else cls(scale)

    def scores(self, genotypes: IntArray) -> FloatArray:
        """As in ``Guide``."""
        return -self.scale(genotypes)


@lru_cache(maxsize=8)
def _scale(space: SearchSpace) -> SizeScale | None:
    try:
        return size_scale(space, IMAGES)
    except UserError:  # it builds no networks, or none for images
        return None
