"""Many proxies of many architectures in one call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.task import KINDS, NetworkTask, network_task
from ktnas.proxy.base import Proxy, Subject
from ktnas.proxy.batch import Batch, own_batch, random_batch
from ktnas.proxy.passes import evaluate
from ktnas.registry import PLUGINS, build
from ktnas.space.base import SearchSpace
from ktnas.threads import one_torch_thread

Progress = Callable[[int, int], None]
"""Is told the architectures done and their number."""

BATCH = 8


def score(
    space: SearchSpace,
    genotypes: IntArray,
    task: NetworkTask | str,
    proxies: Sequence[str] | None = None,
    *,
    batch: int = BATCH,
    seed: int = 0,
    repeats: int = 1,
    data: tuple[Any, Any] | None = None,
    network: Mapping[str, Any] | None = None,
    device: str = "cpu",
    workers: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Score untrained networks.

    A row depends on its genotype and the arguments alone: not on the other rows, nor on ``workers``; and no
    column depends on the others. Everything runs on one thread per worker.

    Args:
        space: a space that has networks.
        genotypes: architectures (N, V).
        task: what the networks are for; its size is that of the inputs, for ``flops`` as well.
        proxies: names in the registry; all of them by default.
        batch: samples that a network is shown. More cost more, and steady what depends on them.
        seed: of initial weights, random images and random labels; the same for every architecture.
        repeats: seeds ``seed``, ``seed`` + 1, … over which scores are averaged.
        data: inputs (B, ...) and labels, as arrays or tensors, in place of random images and random labels.
            Integers are classes, (B,) or of pixels (B, size, size); floats of the outputs' shape are
            probabilities of classes, values or maps. ``batch`` then has no meaning.
        network: parameters of the space's network other than its authors', ``{"channels": 8}`` say.
        device: ``cpu``, ``cuda`` or ``cuda:<number>``.
        workers: processes.
        progress: called in this process as architectures are done.

    Returns:
        A row per genotype, in their order, and a float64 column per proxy. Higher is meant to be better, for
        all of them. NaN where a proxy is not defined, its formula infinite or no number: ``nwot`` where two
        samples switch all rectifiers alike, ``jacov`` and ``epe_nas`` where the outputs do not depend on a
        sample, ``epe_nas`` where no two samples are of one class, ``zen`` where features ignore the input.

    Raises:
        UserError: a space without networks; an unknown proxy, task, setting or device; a batch below 2; data
            of another shape than the task's.
        ValueError: genotypes that are no architectures of the space.
    """
    task = network_task(task)
    if task.kind not in KINDS:
        raise UserError(
            f"Task {task.name}: proxies show images to networks. Use a task of images, cifar10 say."
        )
    names = list(PLUGINS["proxy"]) if proxies is None else list(proxies)
    plan = _Plan(
        builder=_builder(space, network or {}),
        space=space,
        task=task,
        proxies=[build("proxy", {"name": name}) for name in names],
        batch=batch if data is None else len(data[0]),
        seeds=range(seed, seed + repeats),
        data=data,
        device=_checked_device(device),
    )
    if plan.batch < 2:
        raise UserError(f"A batch of {plan.batch}: batch norms and correlations need 2 samples or more.")
    if repeats < 1 or workers < 1:
        raise UserError(f"repeats={repeats} and workers={workers} must both be 1 or more.")
    for position in np.flatnonzero(~space.valid(genotypes))[:1].tolist():
        raise ValueError(f"genotypes[{position}] is no architecture of {space.name}: {genotypes[position]}")
    rows = np.empty((len(genotypes), len(names)))
    for position, row in enumerate(_rows(plan, genotypes, workers)):
        rows[position] = row
        if progress is not None:
            progress(position + 1, len(genotypes))
    return pd.DataFrame(rows, columns=names)


@dataclass(frozen=True, eq=False)
class _Plan:
    """All that decides a row beside its genotype."""

    builder: NetworkBuilder
    space: SearchSpace
    task: NetworkTask
    proxies: list[Proxy]
    batch: int
    seeds: range
    data: tuple[Any, Any] | None
    device: str

    def row(self, genotype: IntArray) -> FloatArray:
        """Mean scores (P,) over the seeds."""
        with one_torch_thread():
            scores = np.array([self._scores(genotype, seed) for seed in self.seeds])
        return np.asarray(np.where(np.isfinite(scores), scores, np.nan).mean(axis=0))

    def _scores(self, genotype: IntArray, seed: int) -> list[float]:
        network = self.builder.build(self.space, genotype, self.task, seed)
        network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return evaluate(Subject(network, self._batch(genotype, seed), seed), self.proxies)

    def _batch(self, genotype: IntArray, seed: int) -> Batch:
        task = self.builder.task_of(self.space, genotype, self.task)
        if self.data is None:
            return random_batch(task, self.batch, seed, self.device)
        return own_batch(task, *self.data, self.device)


def _rows(plan: _Plan, genotypes: IntArray, workers: int) -> Iterator[FloatArray]:
    if workers == 1:
        return (plan.row(genotype) for genotype in genotypes)
    parallel = Parallel(n_jobs=workers, return_as="generator")
    rows: Iterator[FloatArray] = parallel(delayed(plan.row)(genotype) for genotype in genotypes)
    return rows


def _builder(space: SearchSpace, settings: Mapping[str, Any]) -> NetworkBuilder:
    if not space.network:
        raise UserError(f"Space {space.name} has no networks: its YAML file has no key 'network'.")
    builder: NetworkBuilder = build("network", space.network | dict(settings))
    return builder


def _checked_device(device: str) -> str:
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise UserError(f"Unknown device {device!r}. Valid: cpu, cuda, cuda:<number>.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device={device}: torch finds {torch.cuda.device_count()} CUDA devices here. Use device=cpu, or "
            "install a CUDA build of torch on a machine with such a device."
        )
    return device
