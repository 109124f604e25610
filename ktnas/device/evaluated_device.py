"""Devices whose latency comes with the evaluation."""

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.device.base import Device


class EvaluatedDevice(Device):
    """A device of which nothing is known but what an evaluation returns.

    Args:
        name: the device's name.
        metric: metric of the evaluation that holds the latency in ms.
    """

    known = False

    def __init__(self, name: str, metric: str) -> None:
        self.name = name
        self.metric = metric

    def latency(self, genotypes: IntArray, task: str) -> FloatArray:
        """NaN (N,)."""
        return np.full(len(genotypes), np.nan)
