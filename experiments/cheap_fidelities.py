"""Cheap fidelities of a training: how far they rank networks as the full training does, and their cost."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.report import NOTHING, markdown_table, mean_cell, origin, publish
from ktnas.arrays import FloatArray
from ktnas.proxy import score
from ktnas.space import SearchSpace, load_space
from ktnas.train.settings import SMALL_NETWORKS, TrainingSettings, supernet_settings
from ktnas.train.supernet_trainer import SupernetTrainer
from ktnas.train.task import training_task

NAME = "cheap_fidelities"
DATA, TASK = "digits", "classification"
SPACES = ("nasbench201", "darts")
FULL = "full"
TRAINED = {FULL: TASK, **{f"@{epochs}": f"{TASK}@{epochs}" for epochs in (1, 3, 6)}}
SUPERNET = "@supernet"
SCREEN = ("synflow", "nwot")
PROXIES = {**{name: (name,) for name in ("params", "flops", *SCREEN)}, "screen": SCREEN}
METHODS = (*TRAINED, SUPERNET, *PROXIES)
MOST = 40

NOTES = f"""Random networks of a space, small as `benchmark=train` builds them, for scikit-learn's {DATA}.
What is searched with a fidelity (the validation error, the proxy) is compared with the test error of the
full training, the mean over its seeds. Means ± standard errors over seeds of the training, or of the proxy.

- *{FULL}*: the full training of 12 epochs, compared with the test error of its other seeds; where there is
  one seed, of itself. No fidelity can be expected to do better.
- *@1*, *@3*, *@6*: the task `{TASK}@1` and so on, trained for so many epochs.
- *{SUPERNET}*: the task `{TASK}{SUPERNET}`, with the weights of a supernet.
- *params* to *nwot*: zero-cost proxies; *screen*: the mean rank of synflow and nwot, as `screen=zero_cost`
  has it.

*best half*: the same among that half of the networks which the full training finds better. Seconds of
one core: *once* those of training the supernet, *each* those of every network.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.set_defaults(first_seed=0, seeds=3)
    parser.add_argument("--architectures", type=int, default=MOST, help=f"of each space, at most {MOST}")
    parser.add_argument(
        "--spaces", type=names_among(SPACES), default=list(SPACES), help=f"of {','.join(SPACES)}"
    )
    given = parser.parse_args(arguments)
    if not 2 <= given.architectures <= MOST:
        parser.error(f"--architectures: expected 2 to {MOST}")
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    jobs = [
        _job(space, method, seed, given.architectures)
        for space in given.spaces
        for method in given.methods
        for seed in seeds
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    parts = [
        f"## {space}: {given.architectures} networks\n\n{table(rows[rows['setting'] == space])}"
        for space in given.spaces
    ]
    title = "Cheap fidelities and the full training"
    publish(given.out / f"{NAME}.md", title, [*parts, NOTES, origin(command_line(NAME, arguments), rows)])


def _job(space: str, method: str, seed: int, architectures: int) -> Job:
    measures: Callable[..., Mapping[str, float]]
    if method in PROXIES:
        measures = partial(proxies, space, PROXIES[method])
    else:
        measures = partial(trained, space, TRAINED.get(method, TASK + SUPERNET))
    decides = {"space": space, "method": method, "architectures": architectures}
    if method == SUPERNET:
        decides |= {"training": asdict(supernet_settings(TrainingSettings(), {}))}
    elif method in TRAINED:
        decides |= {"training": asdict(TrainingSettings())}
    hashed = config_hash(decides)
    return Job(space, method, seed, hashed, partial(measures, seed, architectures))


def texts(space: SearchSpace, count: int) -> list[str]:
    """Random architectures of a space, always the same."""
    return space.format(space.sample(count, np.random.default_rng(0)))


def trained(space: str, task: str, seed: int, architectures: int) -> dict[str, float]:
    """Errors of networks on a fidelity of the task, and seconds."""
    loaded = load_space(space)
    trainer = training_task(task, DATA, loaded, {"seed": seed, "place": "cpu"}, {}).trainer
    with TemporaryDirectory() as scratch:
        started = time.process_time()
        if isinstance(trainer, SupernetTrainer):
            trainer = replace(trainer, keep_in=Path(scratch))
            while trainer.teach("")["epochs"] < trainer.settings.epochs:
                pass
        once = time.process_time() - started
        started = time.process_time()
        found = [trainer(text) for text in texts(loaded, architectures)]
        each = (time.process_time() - started) / architectures
    errors = np.array([[metrics["valid_error"], metrics["test_error"]] for metrics in found])
    return _numbers(once, each, errors[:, 0], errors[:, 1])


def proxies(space: str, names: Sequence[str], seed: int, architectures: int) -> dict[str, float]:
    """Minus the mean rank of networks over proxies, and seconds."""
    loaded = load_space(space)
    genotypes = loaded.parse(texts(loaded, architectures))
    task = training_task(TASK, DATA, loaded, {"place": "cpu"}, {}).trainer.task.network
    network = SMALL_NETWORKS[str(loaded.network["name"])]
    started = time.process_time()
    scores = score(loaded, genotypes, task, names, seed=seed, network=network)
    each = (time.process_time() - started) / architectures
    ranks = rankdata(scores.to_numpy(), axis=0, nan_policy="omit").mean(axis=1)
    return _numbers(0.0, each, -ranks, np.full(architectures, np.nan))


def _numbers(once: float, each: float, searched: FloatArray, tested: FloatArray) -> dict[str, float]:
    numbers = {"once": round(once, 2), "each": round(each, 4)}
    for name, values in (("searched", searched), ("tested", tested)):
        padded = np.append(values, np.full(MOST - len(values), np.nan))
        numbers |= {f"{name}_{i}": round(float(value), 3) for i, value in enumerate(padded)}
    return numbers


def table(rows: pd.DataFrame) -> str:
    """One row per method: correlations with the full training, and seconds.

    Args:
        rows: of one setting, as ``run_jobs`` returns them.
    """
    full = rows[rows["method"] == FULL]
    references = dict(zip(full["seed"], _values(full, "tested"), strict=True))
    lines = []
    for method, own in rows.groupby("method", sort=False):
        correlations: list[tuple[float, float]] = []
        for seed, searched in zip(own["seed"], _values(own, "searched"), strict=True):
            others = [tested for other, tested in references.items() if method != FULL or other != seed]
            if references:
                compared = others or list(references.values())
                correlations.append(_correlations(searched, np.mean(compared, axis=0)))
        cells = [mean_cell(column, 2) for column in zip(*correlations, strict=True)] or [NOTHING, NOTHING]
        once = f"{own['once'].mean():.0f}" if own["once"].any() else NOTHING
        lines.append([str(method), *cells, once, f"{own['each'].mean():.2f}", str(len(own))])
    return markdown_table(["fidelity", "Spearman", "best half", "s once", "s each", "seeds"], lines)


def _values(rows: pd.DataFrame, name: str) -> FloatArray:
    """Values (seeds, architectures) of numbered columns."""
    values = rows[[f"{name}_{i}" for i in range(MOST)]].to_numpy(dtype=float)
    return values[:, : len(np.trim_zeros(np.isfinite(values).any(axis=0), "b"))]


def _correlations(searched: FloatArray, reference: FloatArray) -> tuple[float, float]:
    """Spearman correlation over all, and over the better half by ``reference``."""
    half = np.argsort(reference, kind="stable")[: (len(reference) + 1) // 2]
    everything, best = (
        float(spearmanr(searched[rows], reference[rows], nan_policy="omit").statistic)
        for rows in (np.arange(len(reference)), half)
    )
    return everything, best


if __name__ == "__main__":
    start(NAME)
