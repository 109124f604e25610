"""Published tables as points in the plane of error and latency."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.device.base import Device
from ktnas.engine.benchmark import load_benchmark
from ktnas.record.front import non_dominated
from ktnas.task.base import Task


@dataclass(frozen=True)
class Table:
    """Error and latency of the architectures of a task.

    Attributes:
        task: whose error is minimised; known for every architecture of its universe.
        device: whose latency is minimised.
    """

    task: Task
    device: Device

    @property
    def universe(self) -> IntArray:
        """Every architecture (R, V)."""
        universe = self.task.universe()
        assert universe is not None
        return universe

    def points(self, genotypes: IntArray) -> FloatArray:
        """Error and latency in ms (N, 2) of genotypes (N, V)."""
        errors = self.task.error(self.task.look_up(genotypes, [self.task.searched])[:, 0])
        return np.column_stack([errors, self.device.latency(genotypes, self.task.name)])

    @cached_property
    def front(self) -> FloatArray:
        """The true front (F, 2)."""
        points = self.points(self.universe)
        return points[non_dominated(points)]


@cache
def load_table(benchmark: str, task: str, device: str) -> Table:
    """The table of a task and a device, read once per process."""
    loaded = load_benchmark(benchmark)
    return Table(loaded.task(task), loaded.device(device))
