"""Which architectures of a space are worth measuring on a new device."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ktnas.arrays import IntArray
from ktnas.engine.benchmark import DEFAULT_MODEL, load_benchmark
from ktnas.engine.benchmark_config import benchmark_config, benchmark_names
from ktnas.errors import UserError
from ktnas.latency.base import DeviceLatencies, LatencyModel
from ktnas.registry import build
from ktnas.space.base import SearchSpace

POOL = 4000


def informative(
    space: SearchSpace, n: int, task: str, seed: int, model: Mapping[str, Any] = DEFAULT_MODEL
) -> IntArray:
    """Architectures (n, V) whose latencies tell a model of latency most, the first ones most of all.

    Chosen from the whole space, or from 4,000 random architectures of a larger one, with what the published
    tables that are found on this machine say of other devices.

    Args:
        space: of the architectures.
        n: how many.
        task: what their networks are built for.
        seed: of the random ones and of the model.
        model: plug-in and parameters of the model.
    """
    rng = np.random.default_rng(seed)
    small = space.n_architectures is not None and space.n_architectures <= POOL
    pool = space.architectures() if small else space.sample(POOL, rng)
    _, first = np.unique(space.identities(pool), return_index=True)
    pool = pool[np.sort(first)]
    prepared: LatencyModel = build("latency_model", model)
    return pool[prepared.prepare(space, task, seed, known_devices(space)).choose(pool, n)]


def known_devices(space: SearchSpace) -> tuple[DeviceLatencies, ...]:
    """What the benchmarks on ``space`` whose files are on this machine know of devices."""
    found: list[DeviceLatencies] = []
    for name in benchmark_names():
        if benchmark_config(name).space == space.name:
            try:
                found += load_benchmark(name).device_latencies
            except UserError:  # its file is not here
                continue
    return tuple(found)
