"""Error and latency on NAS-Bench-Graph: fronts found in few evaluations, with and without a source task.

Every method sees the same: latency, like error, is known once an architecture was evaluated on the target.
All count distinct evaluations of the target, and hypervolume is that of ``ktnas.record.front`` for all.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from optuna import __version__ as optuna_version

from experiments.common import Job, command_line, config_hash, options, run_jobs, start
from experiments.peers import POPULATION, SAMPLERS, TRIES, optuna_search
from experiments.report import NOTHING, TESTS, by_seed, markdown_table, mean_cell, origin, p_cells, publish
from experiments.tables import load_table
from ktnas.arrays import FloatArray
from ktnas.engine.config import SearchConfig
from ktnas.engine.objectives import latency_column
from ktnas.engine.run import run_search
from ktnas.presets import compose
from ktnas.record.front import hypervolume_ratio, regret

NAME = "nasbench_graph_pairs"
BENCHMARK = "nasbench_graph"
DEVICE = "gpu"
PAIRS = "cora:citeseer,cora:pubmed,photo:computers,physics:cs"
ENGINE = {
    "random": ("random", False),
    "nsga2": ("nsga2", False),
    "ktnas_no_source": ("ktnas", False),
    "ktnas": ("ktnas", True),
}
"""Method to its algorithm and whether it searches the source first."""

METHODS = ("random", "nsga2", *SAMPLERS, "ktnas_no_source", "ktnas")
MEASURES = ("hypervolume_quarter", "hypervolume_half", "hypervolume", "regret")
SHARES = (4, 2, 1)
"""Of the budget, one over: after which the hypervolumes are taken."""

NOTES = f"""{TESTS}
The test is of the hypervolume after all evaluations.

Hypervolume is in % of that of the true front of the table, regret in percentage points of validation
accuracy. *ktnas* has evaluated the source before; all others start from nothing. Optuna's samplers pay for an
architecture once: what they suggest again is answered from memory, and after {TRIES} such answers in a row
they are given a random architecture. Optuna's NSGA-II has a population of {POPULATION}, with which it did
better here than with 20 or its own 50.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.add_argument("--pairs", type=_pairs, default=PAIRS, help=f"source:target,... (default: {PAIRS})")
    parser.add_argument("--budget", type=int, default=100, help="target evaluations (default: 100)")
    parser.add_argument("--source-budget", type=int, default=100, help="source evaluations (default: 100)")
    given = parser.parse_args(arguments)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    jobs = [
        _job(method, source, target, given.budget, given.source_budget, seed)
        for seed in seeds
        for source, target in given.pairs
        for method in given.methods
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    settings = [_setting(source, target) for source, target in given.pairs]
    tables = [
        f"## {setting}\n\n{table(rows[rows['setting'] == setting], given.budget)}" for setting in settings
    ]
    overall = f"## Mean over the pairs\n\n{table(by_seed(rows, MEASURES, settings), given.budget)}"
    publish(
        given.out / f"{NAME}.md",
        f"NAS-Bench-Graph: error and latency fronts after {given.budget} evaluations",
        [overall, *tables, NOTES, origin(command_line(NAME, arguments), rows)],
    )


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = [tuple(pair.split(":")) for pair in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise argparse.ArgumentTypeError(f"expected source:target,... as in {PAIRS}")
    return [(source, target) for source, target in pairs]


def _setting(source: str, target: str) -> str:
    return f"{source} → {target}"


def _job(method: str, source: str, target: str, budget: int, source_budget: int, seed: int) -> Job:
    search: Callable[[], FloatArray]
    if method in SAMPLERS:
        config: Mapping[str, Any] = SAMPLERS[method] | {
            "optuna": optuna_version, "target": target, "budget": budget, "tries": TRIES,
        }  # fmt: skip
        hashed, search = config_hash(config), partial(peer_points, target, method, budget, seed)
    else:
        composed = search_config(method, source, target, budget, source_budget)
        hashed, search = config_hash(composed), partial(engine_points, replace(composed, seed=seed))
    return Job(_setting(source, target), method, seed, hashed, partial(measure, search, target, budget))


@cache
def search_config(method: str, source: str, target: str, budget: int, source_budget: int) -> SearchConfig:
    """A search of ``target`` by one of our algorithms, after one of ``source`` where the method wants it."""
    algorithm, informed = ENGINE[method]
    return compose(
        algorithm,
        BENCHMARK,
        {
            "source": [source] if informed else [],
            "target": [target],
            "device": [DEVICE],
            "objectives": ["error", "latency"],
            "budget": budget,
            "source_budget": source_budget if informed else 1,
        },
    )


def measure(search: Callable[[], FloatArray], target: str, budget: int) -> dict[str, float]:
    """Hypervolume ratios (%) after a quarter, half and all of ``budget``, and the final regret in error."""
    points, front = search(), load_table(BENCHMARK, target, DEVICE).front
    ratios = {
        name: 100 * hypervolume_ratio(points[: budget // share], front)
        for name, share in zip(MEASURES, SHARES, strict=False)
    }
    return ratios | {"regret": regret(points[:, 0], front[:, 0].min())}


def engine_points(config: SearchConfig) -> FloatArray:
    """Error and latency (budget, 2) of the target's evaluations, in asked order."""
    records = [record for record in run_search(config).records if record.role == "target"]
    return np.array([[record.metric("error"), record.metric(latency_column(DEVICE))] for record in records])


def peer_points(target: str, method: str, budget: int, seed: int) -> FloatArray:
    """Error and latency (budget, 2) of what an Optuna sampler evaluates, in order."""
    return optuna_search(load_table(BENCHMARK, target, DEVICE), method, budget, seed)


def table(rows: pd.DataFrame, budget: int) -> str:
    """One row per method."""
    p = p_cells(rows, "hypervolume")
    lines = [
        [
            str(method),
            *(mean_cell(own[name], 2) for name in MEASURES),
            str(len(own)),
            p.get(str(method), NOTHING),
        ]
        for method, own in rows.groupby("method", sort=False)
    ]
    heads = [f"hypervolume at {budget // share}" for share in SHARES]
    return markdown_table(["method", *heads, f"regret at {budget}", "runs", "p"], lines)


if __name__ == "__main__":
    start(NAME)
