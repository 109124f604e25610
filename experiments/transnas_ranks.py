"""TransNAS-Bench-101: the rank of the best architecture found, several tasks searched together.

KTNAS, table III: object, scene and layout of the micro space, 50 evaluations of each; again with jigsaw
added; and the macro space, of which only scene and jigsaw are known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from experiments.common import Job, command_line, config_hash, options, run_jobs, start
from experiments.nasbench201_optimum import METHODS
from experiments.report import NOTHING, TESTS, markdown_table, mean_cell, origin, p_cells, publish
from ktnas.arrays import FloatArray
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import SearchConfig
from ktnas.engine.run import run_search
from ktnas.presets import compose

NAME = "transnas_ranks"
MACRO = {"name": "table", "scores": "transnas_macro_score.csv.gz", "space": "transnas_macro"}


class Setting(NamedTuple):
    """Tasks of a benchmark that are searched together."""

    benchmark: str | dict[str, Any]
    tasks: tuple[str, ...]


SETTINGS = {
    "object, scene, layout": Setting("transnas_micro", ("class_object", "class_scene", "room_layout")),
    "object, scene, layout, jigsaw": Setting(
        "transnas_micro", ("class_object", "class_scene", "room_layout", "jigsaw")
    ),
    "macro: scene, jigsaw": Setting(MACRO, ("class_scene", "jigsaw")),
}
TASKS = SETTINGS["object, scene, layout, jigsaw"].tasks
TOLERANCE = 1e-9

PUBLISHED = {
    "random": 57.7,
    "regularized evolution": 44.0,
    "NSGANetV2": 36.3,
    "WeakNAS": 15.0,
    "MT-NAS": 5.7,
    "KTNAS": 5.5,
}

NOTES = f"""{TESTS}
The test is of the mean rank over the tasks after all evaluations.

The rank of an architecture on a task is 1 + how many of the 4,096 in its table (macro: 3,256) are better,
so that those of equal score share the best of their ranks. The interval is a 95 % bootstrap interval of the
mean over seeds (BCa, 10,000 samples). Every task starts from nothing and gets the same number of
evaluations, the first population included. *no_transfer* is *ktnas_paper* without transfer, *emtnas* and
*elite_transfer* the same with random and elite transfer, and *ktnas_no_transfer* still shares its surrogate
between the tasks. Rows marked *published* are quoted from KTNAS (arXiv 2504.00772): the mean over object,
scene and layout after 50 evaluations.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", list(METHODS))
    parser.set_defaults(first_seed=7000)
    parser.add_argument("--budget", type=int, default=50, help="evaluations of each task (default: 50)")
    given = parser.parse_args(arguments)
    configs = {
        (setting, method): search_config(method, setting, given.budget)
        for setting in SETTINGS
        for method in given.methods
    }
    jobs = [
        Job(setting, method, seed, config_hash(config), partial(measure, replace(config, seed=seed)))
        for seed in range(given.first_seed, given.first_seed + given.seeds)
        for (setting, method), config in configs.items()
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    tables = []
    for number, setting in enumerate(SETTINGS):
        quoted = PUBLISHED if number == 0 else {}
        own = rows[rows["setting"] == setting]
        tables.append(f"## {setting}\n\n{table(own, SETTINGS[setting].tasks, given.budget, quoted)}")
    title = f"TransNAS-Bench-101: rank of the best after {given.budget} evaluations of each task"
    publish(given.out / f"{NAME}.md", title, [*tables, NOTES, origin(command_line(NAME, arguments), rows)])


def search_config(method: str, setting: str, budget: int) -> SearchConfig:
    """A search of the setting's tasks together, ``budget`` evaluations of each."""
    return compose(
        METHODS[method].algorithm,
        SETTINGS[setting].benchmark,
        {
            "source": [],
            "target": list(SETTINGS[setting].tasks),
            "objectives": ["error"],
            "budget": budget,
            **METHODS[method].overrides,
        },
    )


def measure(config: SearchConfig) -> dict[str, float]:
    """Rank of each task's best after all evaluations, their mean, and their mean after half of them.

    A task of another setting that was not searched has rank 0.
    """
    half, whole = best_ranks(config, [config.budget // 2, config.budget])
    ranks = {task: whole.get(task, 0) for task in TASKS}
    return {**ranks, "mean": float(np.mean([*whole.values()])), "half": float(np.mean([*half.values()]))}


def best_ranks(config: SearchConfig, stops: Sequence[int]) -> list[dict[str, int]]:
    """Rank, 1 the best, of the best found on each target after each of ``stops`` evaluations of it."""
    errors: dict[str, list[float]] = {}
    for record in run_search(config).records:
        errors.setdefault(record.task, []).append(record.metric("error"))
    return [
        {task: rank(config.benchmark, task, float(np.nanmin(found[:stop]))) for task, found in errors.items()}
        for stop in stops
    ]


def rank(benchmark: str | Mapping[str, Any], task: str, error: float) -> int:
    """1 + how many architectures of the task's table have a smaller error."""
    return 1 + int(np.searchsorted(_sorted_errors(json.dumps(benchmark), task), error - TOLERANCE))


@cache
def _sorted_errors(benchmark: str, name: str) -> FloatArray:
    task = load_benchmark(json.loads(benchmark)).task(name)
    universe = task.universe()
    assert universe is not None
    return np.sort(task.error(task.look_up(universe, [task.searched]))[:, 0])


def interval(values: FloatArray) -> tuple[float, float]:
    """95 % bootstrap interval (BCa) of the mean of values (N,), N ≥ 1."""
    if len(values) < 2 or not np.ptp(values):
        return float(values[0]), float(values[0])
    found = bootstrap((values,), np.mean, n_resamples=10_000, rng=np.random.default_rng(0))
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def table(rows: pd.DataFrame, tasks: Sequence[str], budget: int, quoted: Mapping[str, float]) -> str:
    """One row per method, and the quoted ones."""
    p = p_cells(rows, "mean")
    lines = []
    for method, own in rows.groupby("method", sort=False):
        low, high = interval(own["mean"].to_numpy(dtype=np.float64))
        cells = [mean_cell(own[column], 1) for column in (*tasks, "half", "mean")]
        spread = [f"{low:.1f} to {high:.1f}", f"{own['mean'].median():.1f}", f"{own['mean'].max():.1f}"]
        lines.append([str(method), *cells, *spread, str(len(own)), p[str(method)]])
    blank = [NOTHING] * (len(tasks) + 1)
    lines += [[f"{name}, published", *blank, f"{value:g}", *[NOTHING] * 5] for name, value in quoted.items()]
    means = [f"mean after {budget // 2}", f"mean after {budget}", "95 % interval"]
    return markdown_table(["method", *tasks, *means, "median", "worst", "runs", "p"], lines)


if __name__ == "__main__":
    start(NAME)
