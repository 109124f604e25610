"""Evaluations until the best architecture of NAS-Bench-201 is found, on three tasks searched together.

Each task stops when it has found its optimum; its count is the position of the optimum among the
architectures asked of it, the first population included. On the way: how far the best is from the optimum
(KTNAS, figure 5), and how good what one task had from another is (figure 6).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.report import (
    TESTS,
    markdown_table,
    mean_cell,
    origin,
    p_cells,
    publish,
    published_cells,
)
from ktnas.arrays import FloatArray
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import SearchConfig
from ktnas.engine.run import run_search
from ktnas.presets import compose
from ktnas.record.compare_plot import COLOURS
from ktnas.record.evaluation import Evaluation
from ktnas.record.files import write_atomically
from ktnas.record.plot import png
from ktnas.record.statistics import mean_and_error

NAME = "nasbench201_optimum"
TASKS = ("cifar10", "cifar100", "ImageNet16-120")
METRICS = ("valid_accuracy", "test_accuracy")
SIZE = 15_625
STOPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Evaluations of a task after which the distance of its best from its optimum is taken."""

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
    "elite_transfer": Method("ktnas_paper", {"transfer": "elite", "encoding": "onehot"}),
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
which makes the mean a lower bound. *no_transfer* is *ktnas_paper* without transfer, *emtnas* and
*elite_transfer* the same with random and elite transfer; *ktnas_no_transfer* still shares its surrogate
between the tasks. Rows marked *published* are quoted from KTNAS (arXiv 2504.00772), means of 10 runs.

*Shared* architectures are those asked of a task after another task of the run had asked them: what was moved,
and what two tasks came upon by themselves. Their rank is that among the {SIZE:,} architectures on the task
that had them second, the median of a run; the mean is over the runs that shared any. The curves show by how
many percentage points the best found so far is short of the optimum, mean over runs and its standard error;
a task that has found it stays at zero.
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
    parts = [part for metric in given.metric for part in _parts(metric, rows[rows["setting"] == metric])]
    for metric in given.metric:
        picture = convergence(rows[rows["setting"] == metric])
        write_atomically(given.out / _picture_name(metric), picture)
    title = "NAS-Bench-201: evaluations until the optima of three tasks are found"
    publish(given.out / f"{NAME}.md", title, [*parts, NOTES, origin(command_line(NAME, arguments), rows)])


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
    return {task: float(errors[0]) for task, errors in _sorted_errors(metric).items()}


@cache
def _sorted_errors(metric: str) -> dict[str, FloatArray]:
    benchmark = load_benchmark(_benchmark(metric))
    found = {}
    for name in TASKS:
        task = benchmark.task(name)
        universe = task.universe()
        assert universe is not None
        found[name] = np.sort(task.error(task.look_up(universe, [metric]))[:, 0])
    return found


def _benchmark(metric: str) -> dict[str, str]:
    return {"name": "nasbench201", "searched": metric}


def count(config: SearchConfig) -> dict[str, float]:
    """Evaluations of each task until its optimum, and what happened on the way.

    Returns:
        The evaluations of each task and their ``total``; how many optima were ``found``; how many
        architectures were ``shared``, and the median of their ranks (0 without any); the gap of each
        task's best to its optimum after each of ``STOPS``.
    """
    records = run_search(config).records
    goals = config.until
    errors = {
        task: np.array([record.metric("error") for record in records if record.task == task])
        for task in goals
    }
    counts, found = {}, 0
    for task, goal in goals.items():
        reached = np.flatnonzero(errors[task] <= goal)
        found += bool(len(reached))
        counts[task] = int(reached[0]) + 1 if len(reached) else len(errors[task])
    ranks = list(_shared_ranks(records, _sorted_errors(config.benchmark["searched"])))
    gaps = {
        f"{task} gap {stop}": round(max(float(np.min(errors[task][:stop])) - goal + TOLERANCE, 0.0), 4)
        for task, goal in goals.items()
        for stop in STOPS
    }
    shared = {"shared": len(ranks), "shared rank": float(np.median(ranks)) if ranks else 0.0}
    return {**counts, "total": sum(counts.values()), "found": found, **shared, **gaps}


def _shared_ranks(records: Sequence[Evaluation], errors: dict[str, FloatArray]) -> Iterator[int]:
    """Rank, 1 the best, of each architecture on a task that asked it after another one had."""
    asked: set[str] = set()
    for record in records:
        if record.key in asked:
            yield 1 + int(np.searchsorted(errors[record.task], record.metric("error") - TOLERANCE))
        asked.add(record.key)


def _parts(metric: str, rows: pd.DataFrame) -> list[str]:
    picture = f"![Gap to the optimum over evaluations]({_picture_name(metric)})\n"
    return [f"## {metric}\n\n{table(rows)}", picture, sharing(rows)]


def _picture_name(metric: str) -> str:
    return f"{NAME}_{metric}.png"


def convergence(rows: pd.DataFrame) -> bytes:
    """Picture of the gap of each method's best to the optimum, a panel per task."""
    figure = Figure(figsize=(4.2 * len(TASKS), 3.6), dpi=130, layout="constrained")
    panels = figure.subplots(1, len(TASKS), squeeze=False)[0]
    for ax, task in zip(panels, TASKS, strict=True):
        for number, (method, own) in enumerate(rows.groupby("method", sort=False)):
            colour, style = COLOURS[number % len(COLOURS)], "-" if number < len(COLOURS) else "--"
            mean, error = mean_and_error(own[[f"{task} gap {stop}" for stop in STOPS]].to_numpy())
            error = np.nan_to_num(error)
            ax.plot(STOPS, mean, color=colour, linestyle=style, linewidth=1.6, label=str(method))
            ax.fill_between(STOPS, mean - error, mean + error, color=colour, alpha=0.16, linewidth=0)
        ax.set(title=task, xscale="log", xlabel="evaluations of the task")
        ax.set_yscale("symlog", linthresh=0.01)
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.25, linewidth=0.6)
    panels[0].set_ylabel("short of the optimum, percentage points")
    panels[-1].legend(fontsize=7, frameon=False)
    return png(figure)


def sharing(rows: pd.DataFrame) -> str:
    """How many architectures the tasks of each method shared, and how good they were."""
    lines = []
    for method, own in rows.groupby("method", sort=False):
        share = 100 * own["shared"] / own["total"]
        rank = own.loc[own["shared"] > 0, "shared rank"]
        lines.append([str(method), mean_cell(own["shared"], 1), mean_cell(share, 1), mean_cell(rank, 0)])
    header = ["method", "shared architectures", "% of the total", "their rank on the second task"]
    return markdown_table(header, lines)


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
    start(NAME)
