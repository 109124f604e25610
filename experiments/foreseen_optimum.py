"""NAS-Bench-201: where a surrogate that knows all but the optimum expects it.

What it ranks before the optimum is what a search has to evaluate even if it has learned all there is to
learn: how far the optimum of a task is an outlier, and not a matter of how well one searches.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.nasbench201_optimum import METRICS, SIZE, TASKS, search_config
from experiments.report import markdown_table, mean_cell, origin, publish
from ktnas import registry
from ktnas.arrays import FloatArray
from ktnas.engine.benchmark import load_benchmark
from ktnas.surrogate.warp import GapWarp

NAME = "foreseen_optimum"
METHODS = ("all tasks", "own task")
BEST = 200
RANDOM = 100

NOTES = f"""The surrogate of `ktnas` learns from the {BEST} best architectures of a task and {RANDOM} random
ones, without its optimum; *all tasks*: from those of the other two tasks as well, with their optima. The
rank is 1 + how many of the {SIZE:,} architectures it then predicts to be better than the optimum, those that
it has learned from among them. Means ± standard errors over seeds, each with random architectures of its own.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the table."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.add_argument("--metric", type=names_among(METRICS), default=list(METRICS), help=",".join(METRICS))
    given = parser.parse_args(arguments)
    jobs = [
        Job(metric, method, seed, config_hash(_decisive(metric)), partial(foreseen, metric, method, seed))
        for metric in given.metric
        for method in given.methods
        for seed in range(given.first_seed, given.first_seed + given.seeds)
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    title = "NAS-Bench-201: where a surrogate that knows all but the optimum expects it"
    made_by = origin(command_line(NAME, arguments), rows)
    publish(given.out / f"{NAME}.md", title, [table(rows), NOTES, made_by])


def _decisive(metric: str) -> dict[str, Any]:
    """What decides the ranks, seed and method aside."""
    config = search_config("ktnas", metric, SIZE)
    return {"surrogate": config.surrogate, "encoding": config.encoding, "known": [BEST, RANDOM]}


def foreseen(metric: str, method: str, seed: int) -> dict[str, int]:
    """Rank of each task's optimum, as predicted from what is known of ``method``'s tasks."""
    return {
        task: _rank(metric, number, range(len(TASKS)) if method == "all tasks" else [number], seed)
        for number, task in enumerate(TASKS)
    }


def _rank(metric: str, target: int, tasks: Sequence[int], seed: int) -> int:
    errors = _errors(metric)
    optimum = int(errors[target].argmin())
    rng = np.random.default_rng(seed)
    known, values = [], []
    for task in tasks:
        drawn = rng.choice(SIZE, RANDOM, replace=False)
        rows = np.union1d(np.argsort(errors[task], kind="stable")[:BEST], drawn)
        rows = rows[(rows != optimum) | (task != target)]
        known.append(rows)
        values.append(GapWarp.of(errors[task, rows]).forward(errors[task, rows]))
    config = search_config("ktnas", metric, SIZE)
    space = load_benchmark(config.benchmark).space
    genotypes = space.enumerate()
    encoding = registry.build("encoding", config.encoding).fit(space, seed)
    surrogate = registry.build("surrogate", config.surrogate).prepare(encoding, len(TASKS), seed)
    of_task = np.repeat(tasks, [len(rows) for rows in known])
    surrogate.fit(genotypes[np.concatenate(known)], of_task, np.concatenate(values))
    predicted = surrogate.predict(genotypes, target)
    return 1 + int((predicted < predicted[optimum]).sum())


@cache
def _errors(metric: str) -> FloatArray:
    """Errors of the space (tasks, N)."""
    benchmark = load_benchmark(search_config("ktnas", metric, SIZE).benchmark)
    genotypes = benchmark.space.enumerate()
    tasks = [benchmark.task(name) for name in TASKS]
    return np.stack([task.error(task.look_up(genotypes, [metric])[:, 0]) for task in tasks])


def table(rows: pd.DataFrame) -> str:
    """The ranks and their sum, a line per metric and method."""
    lines = []
    for (metric, method), own in rows.groupby(["setting", "method"], sort=False):
        total = own[list(TASKS)].sum(axis=1)
        lines.append([metric, method, *(mean_cell(own[task], 1) for task in TASKS), mean_cell(total, 1)])
    return markdown_table(["metric", "learned from", *TASKS, "sum"], lines)


if __name__ == "__main__":
    start(NAME)
