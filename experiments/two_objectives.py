"""Error and latency, no source: hypervolume within 200 evaluations, beside optimisers of other libraries.

Every optimiser is told the error and the latency of what it evaluates, and counts distinct evaluations. Where
a table of latencies is at hand, ktnas also reads the latency of what it has not evaluated; a row of its own
shows it without. Hypervolume is that of ``ktnas.record.front`` for all.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments import peer_botorch, peer_pymoo, peers
from experiments.common import Job, command_line, config_hash, options, run_jobs, start
from experiments.report import (
    NOTHING,
    REFERENCE,
    TESTS,
    by_seed,
    markdown_table,
    mean_cell,
    origin,
    p_cells,
    publish,
)
from experiments.tables import Table, load_table
from ktnas.arrays import FloatArray
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import SearchConfig
from ktnas.engine.objectives import latency_column
from ktnas.engine.run import run_search
from ktnas.presets import compose
from ktnas.record.compare_plot import COLOURS
from ktnas.record.files import write_atomically
from ktnas.record.front import hypervolume, hypervolume_curve, reference_point
from ktnas.record.plot import png
from ktnas.record.statistics import mean_and_error

NAME = "two_objectives"
PROBLEMS = ",".join(
    [
        "nasbench201:cifar10:pixel3",
        "nasbench201:ImageNet16-120:eyeriss",
        "nasbench201:cifar10:gold_6226",
        "nasbench201:ImageNet16-120:titan_rtx_1",
        *(f"nasbench_graph:{task}:gpu" for task in ("cora", "arxiv", "photo", "physics")),
    ]
)
BLIND = "ktnas_blind"
BOTORCH = "botorch_qlognehvi"
ENGINE = {"random": "random", BLIND: "ktnas", REFERENCE: "ktnas"}
"""Method to its algorithm."""

PEERS = ("random", "pymoo_nsga2", *peers.SAMPLERS, BOTORCH)
METHODS = (*PEERS, BLIND, REFERENCE)
POINTS = 40
"""Evaluations after which hypervolume is kept, equally apart."""

SHARES = (8, 4, 2, 1)
"""Of the budget, one over: after which the methods are compared."""

LEVEL = 0.05

NOTES = f"""{TESTS}
There is one table of tests per problem and count of evaluations; *{BLIND}* takes no part in them.

Hypervolume is in % of that of the true front of the table. Nothing is known of a problem beforehand. An
architecture is paid for once: what an optimiser suggests again is answered from memory, and one that suggests
nothing new any more is given a random architecture. *{BLIND}* is *ktnas* that is told a latency with an
evaluation only, as all others are; on NAS-Bench-Graph *ktnas* itself is.

- *pymoo_nsga2*: population {peer_pymoo.POPULATION}, uniform crossover, mutation to any choice of a variable.
- *optuna_nsga2*: population {peers.POPULATION}; *optuna_tpe*: multivariate; both on categorical variables.
- *{BOTORCH}*: BoTorch's qLogNEHVI, one architecture at a time, one Gaussian process per objective on one-hot
  inputs, BoTorch's own models and priors, {peer_botorch.SAMPLES} samples ({peer_botorch.PRUNING} to leave out
  what is hardly on the front), {peer_botorch.INITIAL} random architectures first. Hyper-parameters are fitted
  anew, from where they were, at every evaluation up to {peer_botorch.DENSE} and at every
  {peer_botorch.REFIT}th from there on, in {peer_botorch.ITERATIONS} steps at most but for the first. The
  acquisition is maximised over {peer_botorch.RANDOM} random architectures and the neighbours of the front,
  then by up to {peer_botorch.STEPS} steps of local search from the {peer_botorch.STARTS} best.
"""


class Problem(NamedTuple):
    """A table, by the names of its parts."""

    benchmark: str
    task: str
    device: str

    @property
    def setting(self) -> str:
        """Its name in tables."""
        return f"{self.task}, {self.device}" if self.benchmark == "nasbench201" else self.task

    @property
    def latency_known(self) -> bool:
        """Whether ktnas may read latencies of what was not evaluated."""
        return load_benchmark(self.benchmark).config.latency_known

    @property
    def table(self) -> Table:
        """Its points."""
        return load_table(*self)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables and the picture."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.set_defaults(first_seed=8000)
    parser.add_argument(
        "--problems",
        type=_problems,
        default=PROBLEMS,
        help=f"benchmark:task:device,... (default: {PROBLEMS})",
    )
    parser.add_argument("--budget", type=_budget, default=200, help=f"a multiple of {POINTS} (default: 200)")
    parser.add_argument(
        "--botorch-seeds", type=int, default=9, help=f"runs of {BOTORCH}, which is slow (default: 9)"
    )
    given = parser.parse_args(arguments)
    if BOTORCH in given.methods:
        peer_botorch.require_botorch()
    jobs = [
        _job(method, problem, given.budget, seed)
        for methods, runs in _rounds(given.methods, given.seeds, given.botorch_seeds)
        for seed in range(given.first_seed, given.first_seed + runs)
        for problem in given.problems
        for method in methods
        if method != BLIND or problem.latency_known
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    write_atomically(given.out / f"{NAME}.png", picture(rows, given.problems, given.budget))
    parts = [f"![Hypervolume over evaluations]({NAME}.png)\n", *sections(rows, given.problems, given.budget)]
    title = f"Error and latency: hypervolume after up to {given.budget} evaluations, no source"
    publish(given.out / f"{NAME}.md", title, [*parts, NOTES, origin(command_line(NAME, arguments), rows)])


def _problems(text: str) -> list[Problem]:
    parts = [entry.split(":") for entry in text.split(",")]
    if any(len(entry) != 3 for entry in parts):
        raise argparse.ArgumentTypeError("expected benchmark:task:device,... as in nasbench_graph:cora:gpu")
    return [Problem(*entry) for entry in parts]


def _budget(text: str) -> int:
    if not text.isdigit() or int(text) < POINTS or int(text) % POINTS:
        raise argparse.ArgumentTypeError(f"'{text}' must be a multiple of {POINTS}")
    return int(text)


def _rounds(methods: Sequence[str], seeds: int, botorch_seeds: int) -> list[tuple[list[str], int]]:
    """Methods that run in turn and their number of seeds: the slow one comes last."""
    return [
        ([method for method in methods if method != BOTORCH], seeds),
        ([method for method in methods if method == BOTORCH], botorch_seeds),
    ]


def _job(method: str, problem: Problem, budget: int, seed: int) -> Job:
    search: Callable[[], FloatArray]
    if method in ENGINE:
        config = search_config(method, problem, budget)
        hashed = config_hash(config)
        search = partial(engine_points, replace(config, seed=seed), problem.device)
    else:
        hashed = config_hash(_peer_settings(method) | {"problem": list(problem), "budget": budget})
        search = partial(peer_points, method, problem, budget, seed)
    return Job(problem.setting, method, seed, hashed, partial(measure, search, problem, budget))


def _peer_settings(method: str) -> dict[str, Any]:
    """What decides a peer's numbers, its problem and its budget aside."""
    if method in peers.SAMPLERS:
        return peers.SAMPLERS[method] | {"optuna": version("optuna"), "tries": peers.TRIES}
    if method == BOTORCH:
        versions = {name: version(name) for name in ("botorch", "gpytorch", "torch")}
        return peer_botorch.SETTINGS | versions
    return {"population": peer_pymoo.POPULATION, "tries": peers.TRIES, "pymoo": version("pymoo")}


@cache
def search_config(method: str, problem: Problem, budget: int) -> SearchConfig:
    """A search of one problem by one of our algorithms, without a source."""
    benchmark: dict[str, Any] = {"name": problem.benchmark}
    if method == BLIND:
        benchmark["latency_known"] = False
    return compose(
        ENGINE[method],
        benchmark,
        {
            "source": [],
            "target": [problem.task],
            "device": [problem.device],
            "objectives": ["error", "latency"],
            "budget": budget,
        },
    )


def engine_points(config: SearchConfig, device: str) -> FloatArray:
    """Error and latency (budget, 2) of what a search evaluates, in asked order."""
    records = run_search(config).records
    return np.array([[record.metric("error"), record.metric(latency_column(device))] for record in records])


def peer_points(method: str, problem: Problem, budget: int, seed: int) -> FloatArray:
    """Error and latency (budget, 2) of what another library's optimiser evaluates, in order."""
    if method in peers.SAMPLERS:
        return peers.optuna_search(problem.table, method, budget, seed)
    search = peer_botorch.botorch_search if method == BOTORCH else peer_pymoo.pymoo_search
    return search(problem.table, budget, seed)


def measure(search: Callable[[], FloatArray], problem: Problem, budget: int) -> dict[str, float]:
    """Hypervolume ratios (%) at ``POINTS`` counts of evaluations, the last one ``budget``."""
    points, front = search(), problem.table.front
    reference = reference_point(front)
    curve = 100 * hypervolume_curve(points, reference) / hypervolume(front, reference)
    return {column: round(float(curve[n - 1]), 3) for n, column in _columns(budget).items()}


def _columns(budget: int) -> dict[int, str]:
    """Count of evaluations to its column."""
    step = budget // POINTS
    return {n: f"hypervolume_{n}" for n in range(step, budget + 1, step)}


def _compared(budget: int) -> dict[int, str]:
    """The counts at which the methods are compared, to their columns."""
    return {budget // share: _columns(budget)[budget // share] for share in SHARES}


def sections(rows: pd.DataFrame, problems: Sequence[Problem], budget: int) -> list[str]:
    """All tables, the summaries first."""
    parts, present = [], set(rows["method"])
    if REFERENCE in present:
        parts.append(f"## Problems on which {REFERENCE} is ahead\n\n{lead(rows, problems, budget)}")
    if BLIND in present:
        known = [problem for problem in problems if problem.latency_known]
        parts.append(f"## Problems on which {BLIND} is ahead\n\n{lead(rows, known, budget, BLIND)}")
    if REFERENCE in present:
        parts.append(f"## Evaluations that {REFERENCE} needs\n\n{needed(rows, problems, budget)}")
    for benchmark in dict.fromkeys(problem.benchmark for problem in problems):
        settings = [problem.setting for problem in problems if problem.benchmark == benchmark]
        means = by_seed(rows[rows["setting"].isin(settings)], list(_columns(budget).values()), settings)
        parts.append(f"## Mean over {benchmark}\n\n{table(means, budget)}")
    for problem in problems:
        own = rows[rows["setting"] == problem.setting]
        parts.append(f"## {problem.benchmark}: {problem.setting}\n\n{table(own, budget)}")
    return parts


def table(rows: pd.DataFrame, budget: int) -> str:
    """One row per method: hypervolumes, then the p values of the tests at the same counts."""
    compared = _compared(budget)
    tests = [_tests(rows, column) for column in compared.values()]
    lines = [
        [
            str(method),
            *(mean_cell(own[column], 2) for column in compared.values()),
            str(len(own)),
            *(cells.get(str(method), NOTHING) for cells in tests),
        ]
        for method, own in rows.groupby("method", sort=False)
    ]
    lines.sort(key=lambda line: METHODS.index(line[0]))
    return markdown_table(["method", *map(str, compared), "runs", *(f"p at {n}" for n in compared)], lines)


def _tests(rows: pd.DataFrame, column: str) -> dict[str, str]:
    return p_cells(rows[rows["method"] != BLIND], column)


def lead(rows: pd.DataFrame, problems: Sequence[Problem], budget: int, ours: str = REFERENCE) -> str:
    """For each peer and count: on how many problems the mean of ``ours`` over the common seeds is higher."""
    others = {BLIND, REFERENCE} - {ours}
    rows = rows[~rows["method"].isin(others)].replace({"method": {ours: REFERENCE}})
    compared = _compared(budget)
    lines = []
    for peer in (peer for peer in PEERS if peer in set(rows["method"])):
        cells = []
        for column in compared.values():
            ahead = [_ahead(rows[rows["setting"] == problem.setting], peer, column) for problem in problems]
            counts = {side: sum(one == side for one, _ in ahead) for side in (True, False)}
            clear = {side: sum(one == side and sure for one, sure in ahead) for side in (True, False)}
            cells.append(f"{counts[True]} ({clear[True]}) : {counts[False]} ({clear[False]})")
        lines.append([peer, *cells])
    text = (
        f"\nProblems on which the mean of *{ours}* is higher : lower, over the common seeds; in\n"
        f"brackets those with p < {LEVEL}.\n"
    )
    return markdown_table(["against", *map(str, compared)], lines) + text


def _ahead(rows: pd.DataFrame, peer: str, column: str) -> tuple[bool | None, bool]:
    """Whether ktnas has the higher mean, None where neither has or no seed is common; and surely so."""
    values = rows.pivot(index="seed", columns="method", values=column)
    if not {peer, REFERENCE} <= set(values):
        return None, False
    difference = float((values[REFERENCE] - values[peer]).mean())
    p = _tests(rows, column).get(peer, NOTHING)
    sure = p != NOTHING and float(p.removeprefix("< ")) < LEVEL
    return (None if difference == 0 or np.isnan(difference) else difference > 0), sure


def needed(rows: pd.DataFrame, problems: Sequence[Problem], budget: int) -> str:
    """Evaluations until ktnas has the mean hypervolume that each peer has after all of its own."""
    present = [peer for peer in PEERS if peer in set(rows["method"])]
    lines = []
    for problem in problems:
        own = rows[rows["setting"] == problem.setting].groupby("method")
        curves = own.get_group(REFERENCE)[list(_columns(budget).values())].to_numpy()
        goals = {peer: own.get_group(peer)[_columns(budget)[budget]].mean() for peer in present}
        lines.append([problem.setting, *(_needed_cell(curves, goal, budget) for goal in goals.values())])
    text = (
        f"\nEvaluations, in steps of {budget // POINTS}, until a run of *{REFERENCE}* has the mean\n"
        f"hypervolume that the method has after {budget}: median over runs; in brackets the runs that did\n"
        "not reach it.\n"
    )
    return markdown_table(["", *present], lines) + text


def _needed_cell(curves: FloatArray, goal: float, budget: int) -> str:
    reached = curves >= goal
    step = budget // POINTS
    counts = np.where(reached.any(axis=1), step * (1 + reached.argmax(axis=1)), np.inf)
    middle = float(np.median(counts))
    missed = int(np.isinf(counts).sum())
    return (f"{middle:.0f}" if np.isfinite(middle) else f"> {budget}") + (f" ({missed})" if missed else "")


def picture(rows: pd.DataFrame, problems: Sequence[Problem], budget: int) -> bytes:
    """Hypervolume over evaluations, mean and standard error, a panel per problem."""
    columns = _columns(budget)
    wide = min(4, len(problems))
    high = -(-len(problems) // wide)
    figure = Figure(figsize=(3.6 * wide, 3.1 * high), dpi=120, layout="constrained")
    panels = figure.subplots(high, wide, squeeze=False).ravel()
    colours = dict(zip(reversed(METHODS), COLOURS, strict=False))
    for ax, problem in zip(panels, problems, strict=False):
        own = rows[rows["setting"] == problem.setting]
        for method in (method for method in METHODS if method in set(own["method"])):
            values = own.loc[own["method"] == method, list(columns.values())].to_numpy()
            mean, error = mean_and_error(values)
            error = np.nan_to_num(error)
            ax.plot(list(columns), mean, color=colours[method], linewidth=1.5, label=method)
            ax.fill_between(
                list(columns), mean - error, mean + error, color=colours[method], alpha=0.16, linewidth=0
            )
        ax.set(title=problem.setting, xlabel="evaluations")
        ax.set_ylim(max(0, 2 * np.nanmedian(own[list(columns.values())]) - 105), 101)
        ax.grid(alpha=0.25, linewidth=0.6)
    panels[0].set_ylabel("hypervolume, % of the true front's")
    fullest = max(panels, key=lambda ax: len(ax.lines))
    fullest.legend(fontsize=7, frameon=False, loc="lower right")
    for ax in panels[len(problems) :]:
        ax.set_axis_off()
    return png(figure)


if __name__ == "__main__":
    start(NAME)
