"""Evaluations until the best architecture of NAS-Bench-201 is found, on three tasks searched together.

Each task stops when it has found its optimum; its count is the position of the optimum among the
architectures asked of it, the first population included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs
from experiments.report import (
    TESTS,
    markdown_table,
    mean_cell,
    origin,
    p_cells,
    publish,
    published_cells,
)
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import SearchConfig
from ktnas.engine.run import run_search
from ktnas.presets import compose

NAME = "nasbench201_optimum"
TASKS = ("cifar10", "cifar100", "ImageNet16-120")
METRICS = ("valid_accuracy", "test_accuracy")
SIZE = 15_625
TOLERANCE = 1e-9
"""Added to the optimum's error, so that rounding in ``100 - accuracy`` cannot hide it."""


@dataclass(frozen=True)
class Method:
    """An algorithm's preset with changes."""

    algorithm: str
    overrides: dict[str, Any] = field(default_factory=dict)


METHODS = {
    "random": Method("random"),
    "regularized_evolution": Method("regularized_evolution"),
    "no_transfer": Method("ktnas_paper", {"transfer": "none", "encoding": "onehot"}),
    "emtnas": Method("emtnas"),
    "mtnas": Method("mtnas"),
    "ktnas_paper": Method("ktnas_paper"),
    "ktnas_no_transfer": Method("ktnas", {"transfer": "none"}),
    "ktnas": Method("ktnas"),
}

PUBLISHED: dict[str, dict[str, float]] = {
    "random": {"cifar10": 7782, "cifar100": 7621, "ImageNet16-120": 7726, "total": 23129},
    "regularized evolution": {"cifar10": 563, "cifar100": 438, "ImageNet16-120": 715, "total": 1716},
    "MT-NAS": {"cifar10": 106.0, "cifar100": 30.1, "ImageNet16-120": 92.3, "total": 228.4},
    "KTNAS": {"cifar10": 100.7, "cifar100": 27.9, "ImageNet16-120": 60.0, "total": 188.5},
}

NOTES = f"""{TESTS}

Each task's count is the position of its optimum among the architectures asked of it, the first population
included; a task that has found it stops. An optimum that was not found counts with all evaluations made,
which makes the mean a lower bound. *no_transfer* is *ktnas_paper* without transfer, *emtnas* the same with
random transfer; *ktnas_no_transfer* still shares its surrogate between the tasks. Rows marked *published* are
quoted from KTNAS (arXiv 2504.00772), means of 10 runs.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", list(METHODS))
    parser.add_argument("--metric", type=names_among(METRICS), default=list(METRICS), help=",".join(METRICS))
    parser.add_argument(
        "--cap", type=int, default=SIZE, help=f"evaluations per task at most (default: {SIZE})"
    )
    given = parser.parse_args(arguments)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    configs = {
        (metric, method): search_config(method, metric, given.cap)
        for metric in given.metric
        for method in given.methods
    }
    jobs = [
        Job(metric, method, seed, config_hash(config), partial(count, replace(config, seed=seed)))
        for seed in seeds
        for (metric, method), config in configs.items()
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    tables = [f"## {metric}\n\n{table(rows[rows['setting'] == metric])}" for metric in given.metric]
    title = "NAS-Bench-201: evaluations until the optima of three tasks are found"
    publish(given.out / f"{NAME}.md", title, [*tables, NOTES, origin(command_line(NAME, arguments), rows)])


def search_config(method: str, metric: str, cap: int) -> SearchConfig:
    """A search of all tasks that stops at the optima of ``metric``, or after ``cap`` evaluations per task."""
    return compose(
        METHODS[method].algorithm,
        _benchmark(metric),
        {
            "source": [],
            "target": list(TASKS),
            "objectives": ["error"],
            "budget": cap,
            "until": {task: error + TOLERANCE for task, error in optima(metric).items()},
            **METHODS[method].overrides,
        },
    )


@cache
def optima(metric: str) -> dict[str, float]:
    """Smallest error of each task in its table."""
    benchmark = load_benchmark(_benchmark(metric))
    found = {}
    for name in TASKS:
        task = benchmark.task(name)
        universe = task.universe()
        assert universe is not None
        found[name] = float(task.error(task.look_up(universe, [metric])).min())
    return found


def _benchmark(metric: str) -> dict[str, str]:
    return {"name": "nasbench201", "searched": metric}


def count(config: SearchConfig) -> dict[str, float]:
    """Evaluations of each task until its optimum, their total, and how many optima were found."""
    records = run_search(config).records
    counts, found = {}, 0
    for task, error in config.until.items():
        errors = np.array([record.metric("error") for record in records if record.task == task])
        reached = np.flatnonzero(errors <= error)
        found += bool(len(reached))
        counts[task] = int(reached[0]) + 1 if len(reached) else len(errors)
    return {**counts, "total": sum(counts.values()), "found": found}


def table(rows: pd.DataFrame) -> str:
    """One row per method, and the published ones."""
    columns = [*TASKS, "total"]
    p = p_cells(rows, "total")
    lines = []
    for method, own in rows.groupby("method", sort=False):
        missed = int((len(TASKS) - own["found"]).sum())
        cells = [mean_cell(own[column], 1) for column in columns]
        spread = [f"{own['total'].median():g}", f"{own['total'].max():g}"]
        lines.append([str(method), *cells, *spread, str(len(own)), str(missed), p[str(method)]])
    for method, values in PUBLISHED.items():
        lines.append([f"{method}, published", *published_cells(values, columns), "–", "–", "10", "–", "–"])
    header = ["method", *columns, "median total", "worst total", "runs", "optima not found", "p"]
    return markdown_table(header, lines)


if __name__ == "__main__":
    main()
