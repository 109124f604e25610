"""Measuring the networks of a space on a device."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.measure.files import alone
from ktnas.measure.runner import Runner
from ktnas.measure.session import Measured, Plan, Progress, Session
from ktnas.measure.timer import NetworkTimer
from ktnas.measure.timing import Limits
from ktnas.network.task import NetworkTask, network_task
from ktnas.record.files import plain
from ktnas.space.base import ENUMERATION_LIMIT, SearchSpace
from ktnas.tables.files import devices_dir

CANDIDATES = 11
REFERENCE_SEED = 0
DRAWN_AT_ONCE = 64


def draw(space: SearchSpace, n: int, seed: int) -> IntArray:
    """``n`` different random architectures (n, V), all there are in a space of fewer.

    Those of a smaller ``n`` come first in those of a larger one.
    """
    rng = np.random.default_rng(seed)
    if space.size <= ENUMERATION_LIMIT:
        return rng.permutation(space.architectures())[:n]
    found: dict[int, IntArray] = {}
    while len(found) < n:
        drawn = space.sample(DRAWN_AT_ONCE, rng)
        for key, row in zip(space.identities(drawn).tolist(), drawn, strict=True):
            found.setdefault(key, row)
    return np.array(list(found.values())[:n])


def measure(
    space: SearchSpace,
    genotypes: IntArray,
    runner: Runner,
    task: NetworkTask | str = "cifar10",
    *,
    name: str,
    directory: Path | None = None,
    plan: Plan | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Measured:
    """Latency of each architecture on a device, into ``name.csv`` and ``name.json`` in ``directory``.

    Called again it measures what is missing; architectures may be added. Each network is timed in a process
    of its own; one that fails, hangs or crashes is a row with a message. All are looked at ``plan.looks``
    times in turns, and the fastest look counts. Figures are never corrected. A reference network of the space
    is timed first, after every ``plan.every`` looks and last; where it differs by more than
    ``plan.tolerance`` from its lower quartile, the device had drifted, and architectures whose fastest look
    stands next to it are looked at again, at most ``plan.looks`` times more.

    Args:
        space: of the architectures; must have networks.
        genotypes: (N, V); of equal architectures the first is measured.
        runner: runs networks on the device.
        task: what networks are built for.
        name: of the device.
        directory: of the files; by default where all of ktnas looks for devices.
        plan: how it is measured.
        progress: told how many looks of how many are done.
        tell: told in words what happens beside that.

    Raises:
        UserError: the runner cannot work here, the reference network cannot be measured, a device of this
            name was measured with other settings or on another machine, the files cannot be written.
    """
    plan = plan or Plan()
    settled = network_task(task)
    if not space.network:
        raise UserError(f"Space {space.name} has no networks to measure: its YAML file has no key 'network'.")
    _, first = np.unique(space.identities(genotypes), return_index=True)
    texts = space.format(genotypes[np.sort(first)])
    runner.check()
    csv, json = ((directory or devices_dir()) / f"{name}.{ending}" for ending in ("csv", "json"))
    settings = _settings(space, settled, runner, plan.limits)
    with alone(csv), TemporaryDirectory(prefix="ktnas-measure-") as scratch:
        timed = NetworkTimer(space, settled, runner, plan.limits, Path(scratch)).isolated(plan.timeout)
        device = Session(csv, json, timed, plan, tell or (lambda _: None))
        device.open(settings, runner.describe(), lambda: reference_architecture(space, settled))
        device.measure_missing(texts, progress or (lambda done, total: None))
        return device.close()


def reference_architecture(space: SearchSpace, task: NetworkTask) -> str:
    """Text of the architecture that drift is measured with: of 11 random ones that of median FLOPs."""
    import torch

    from ktnas.measure.operations import task_of
    from ktnas.network.count import count_flops
    from ktnas.network.weightless import weightless

    drawn = draw(space, CANDIDATES, REFERENCE_SEED)
    counts = []
    for genotype in drawn:
        with weightless():
            inputs = torch.empty(1, *task_of(space, genotype, task).input_shape)
            counts.append(count_flops(space.build(genotype, task), inputs))
    return space.format(drawn[[np.argsort(counts, kind="stable")[len(counts) // 2]]])[0]


def _settings(space: SearchSpace, task: NetworkTask, runner: Runner, limits: Limits) -> dict[str, Any]:
    """What decides the numbers, beside the machine."""
    settings: dict[str, Any] = plain(
        {
            "space": space.name,
            "network": space.network,
            "task": asdict(task),
            "runner": {"name": runner.name, **asdict(runner)},  # type: ignore[call-overload]
            "precision": limits.precision,
            "max_seconds": limits.max_seconds,
            "quantile": limits.quantile,
        }
    )
    return settings
