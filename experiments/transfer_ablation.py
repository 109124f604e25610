"""What transfer is worth: which architectures move, what they are compared by, the settings of transfer rank.

KTNAS, tables VII to IX, with the controls that they leave out: random and elite transfer beside none. The
host of KTNAS has no surrogate; the default algorithm is tried with each transfer as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.nasbench201_optimum import count
from experiments.nasbench201_optimum import search_config as optimum_config
from experiments.report import NOTHING, markdown_table, mean_cell, origin, publish
from experiments.transnas_ranks import best_ranks
from ktnas.engine.config import SearchConfig
from ktnas.presets import compose
from ktnas.record.statistics import MIN_PAIRS, holm, paired_tests

NAME = "transfer_ablation"
METRIC = "test_accuracy"
EMBEDDINGS = ("onehot", "cell", "arch2vec", "node2vec")
SIMPLE = ("none", "random", "elite")
REFERENCE = "none"


@dataclass(frozen=True)
class Method:
    """A host algorithm with its transfer."""

    host: str
    overrides: dict[str, Any] = field(default_factory=dict)


def _rank(**changes: float) -> dict[str, Any]:
    return {"transfer": {"name": "rank", **changes}, "encoding": "arch2vec"}


HOSTS = {
    "ktnas_paper": {
        **{name: Method("ktnas_paper", {"transfer": name, "encoding": "onehot"}) for name in SIMPLE},
        **{f"rank on {name}": Method("ktnas_paper", {"encoding": name}) for name in EMBEDDINGS},
        **{f"rank on arch2vec r={top:.0%}": Method("ktnas_paper", _rank(top=top)) for top in (0.1, 0.4)},
        **{f"rank on arch2vec m={number}": Method("ktnas_paper", _rank(memory=number)) for number in (1, 10)},
        **{f"rank on arch2vec n={number}": Method("ktnas_paper", _rank(n=number)) for number in (2, 8)},
    },
    "ktnas": {
        **{name: Method("ktnas", {"transfer": name}) for name in SIMPLE},
        "rank on cell": Method("ktnas"),
    },
}
"""Host to method to its composition. r is 20 %, m 5 and n 4 unless the name says otherwise."""

TASKS = {
    "transnas_micro": ("class_object", "class_scene", "room_layout"),
    "nasbench_graph": ("cora", "citeseer", "computers", "arxiv"),
}
BUDGETS = {"ktnas_paper": 50, "ktnas": 25}
BENCHMARKS = ("nasbench201", *TASKS)

NOTES = f"""Means ± standard errors over seeds. p: two-sided Wilcoxon signed-rank test against *{REFERENCE}*
over the common seeds, from {MIN_PAIRS} of them on, with Holm's correction over the methods of a column.

- *nasbench201*: evaluations until the optima of its three tasks are found, {METRIC}, all look-ups counted.
- *transnas_micro* ({", ".join(TASKS["transnas_micro"])}) and *nasbench_graph*
  ({", ".join(TASKS["nasbench_graph"])}), the tasks of a benchmark searched together: log2 of the rank of
  the best found in its table, mean over the tasks, after {BUDGETS["ktnas_paper"]} evaluations of each by
  *ktnas_paper* and {BUDGETS["ktnas"]} by *ktnas*.

Lower is better. *none*, *random* and *elite* use no encoding in *ktnas_paper*. Unless the row says otherwise,
transfer rank has r = 20 % and m = 5, and n = 4 move at once. r, m and n are varied one at a time.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", list(dict.fromkeys(name for own in HOSTS.values() for name in own)))
    parser.set_defaults(first_seed=7000)
    parser.add_argument("--hosts", type=names_among(list(HOSTS)), default=list(HOSTS), help=",".join(HOSTS))
    parser.add_argument(
        "--benchmarks", type=names_among(BENCHMARKS), default=list(BENCHMARKS), help=",".join(BENCHMARKS)
    )
    parser.add_argument("--budget", type=int, help="evaluations of each task at most (default: as published)")
    given = parser.parse_args(arguments)
    configs = {
        (_setting(host, benchmark), method): search_config(host, method, benchmark, given.budget)
        for host in given.hosts
        for benchmark in given.benchmarks
        for method in HOSTS[host]
        if method in given.methods
    }
    jobs = [
        Job(setting, method, seed, config_hash(config), partial(measure, replace(config, seed=seed)))
        for seed in range(given.first_seed, given.first_seed + given.seeds)
        for (setting, method), config in configs.items()
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    tables = [f"## {host}\n\n{table(rows, host, given.benchmarks)}" for host in given.hosts]
    title = "What transfer is worth"
    publish(given.out / f"{NAME}.md", title, [*tables, NOTES, origin(command_line(NAME, arguments), rows)])


def _setting(host: str, benchmark: str) -> str:
    return f"{host}, {benchmark}"


def search_config(host: str, method: str, benchmark: str, budget: int | None = None) -> SearchConfig:
    """A search of all tasks of ``benchmark``, with the budget of ``host`` unless another is given."""
    chosen = HOSTS[host][method]
    if benchmark == "nasbench201":
        base = optimum_config(host, METRIC, budget or 15_625)
        shared = {"until": base.until, "budget": base.budget, "target": base.target}
        within: Any = {"name": benchmark, "searched": METRIC}
    else:
        shared = {"budget": budget or BUDGETS[host], "target": list(TASKS[benchmark])}
        within = benchmark
    return compose(chosen.host, within, {**shared, "source": [], "objectives": ["error"], **chosen.overrides})


def measure(config: SearchConfig) -> dict[str, float]:
    """The one number of a run: evaluations until all optima, or mean log2 rank of the best found."""
    if config.until:
        return {"value": count(config)["total"]}
    (ranks,) = best_ranks(config, [config.budget])
    return {"value": round(float(np.log2(list(ranks.values())).mean()), 5)}


def table(rows: pd.DataFrame, host: str, benchmarks: Sequence[str]) -> str:
    """One row per method of ``host``, mean and p for each benchmark."""
    columns: dict[str, Mapping[str, list[str]]] = {}
    for benchmark in benchmarks:
        columns[benchmark] = _cells(rows[rows["setting"] == _setting(host, benchmark)])
    methods = [method for method in HOSTS[host] if any(method in cells for cells in columns.values())]
    lines = [
        [method, *(cell for cells in columns.values() for cell in cells.get(method, [NOTHING] * 2))]
        for method in methods
    ]
    return markdown_table(["transfer", *(head for name in benchmarks for head in (name, "p"))], lines)


def _cells(rows: pd.DataFrame) -> dict[str, list[str]]:
    values = {
        str(method): dict(zip(own["seed"], own["value"], strict=True))
        for method, own in rows.groupby("method", sort=False)
    }
    rivals = [method for method in values if method != REFERENCE and REFERENCE in values]
    tests = [paired_tests({REFERENCE: values[REFERENCE], rival: values[rival]})[0] for rival in rivals]
    p = dict(zip(rivals, holm([test.p for test in tests]), strict=True))
    cells = {}
    for method, own in values.items():
        found = p.get(method, np.nan)
        cells[method] = [mean_cell(list(own.values()), 2), NOTHING if np.isnan(found) else f"{found:.3f}"]
    return cells


if __name__ == "__main__":
    start(NAME)
