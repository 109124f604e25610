"""Across spaces: what 100 evaluations in one space are worth to a search in another."""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

from experiments.common import Job, command_line, config_hash, options, run_jobs, start
from experiments.report import NOTHING, markdown_table, mean_cell, origin, publish
from ktnas.arrays import FloatArray
from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import SearchConfig
from ktnas.engine.run import run_search
from ktnas.presets import compose
from ktnas.record.files import write_atomically
from ktnas.record.plot import png
from ktnas.record.statistics import MIN_PAIRS, holm, mean_and_error

NAME = "across_spaces"
BUDGETS = (3, 5, 10, 20)
SOURCE = 100
METHODS = ("random", "no transfer", "size", "transfer")
LENT = ("size", "transfer")
"""Methods that have a source."""

COLOURS = dict(zip(METHODS, ("#888888", "#3b6ea5", "#e08e0b", "#c8102e"), strict=True))


@dataclass(frozen=True)
class Side:
    """A task in a space.

    Attributes:
        benchmark: that has it.
        task: its name.
        changes: to the benchmark's keys.
        encoding: of its architectures.
    """

    benchmark: str
    task: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    encoding: str = "cell"

    def config(self, algorithm: str, budget: int) -> SearchConfig:
        """A search of the task with no source."""
        overrides = {"objectives": ["error"], "encoding": self.encoding, "source": [], "budget": budget}
        benchmark = {"name": self.benchmark, **self.changes}
        return compose(algorithm, benchmark, overrides | {"target": [self.task]})


def _table(space: str, file: str, task: str, encoding: str, better: str = "higher") -> Side:
    changes = {"scores": f"{file}.csv.gz", "space": space, "tasks": [task], "better": better}
    return Side("table", task, changes, encoding)


SIDES = {
    "NB201 cifar10": Side("nasbench201", "cifar10"),
    "NB201 ImageNet16": Side("nasbench201", "ImageNet16-120"),
    "NB201 pixel3": _table("nasbench201", "nasbench201_latency_ms", "pixel3", "cell", "lower"),
    "micro object": Side("transnas_micro", "class_object"),
    "micro scene": Side("transnas_micro", "class_scene"),
    "micro layout": Side("transnas_micro", "room_layout"),
    "micro jigsaw": Side("transnas_micro", "jigsaw"),
    "macro scene": _table("transnas_macro", "transnas_macro_score", "class_scene", "layers"),
    "macro jigsaw": _table("transnas_macro", "transnas_macro_score", "jigsaw", "layers"),
    "FBNet pixel3": _table("fbnet", "fbnet_latency_ms", "pixel3", "layers", "lower"),
}
PAIRS = (
    ("NB201 cifar10", "micro object"),
    ("NB201 cifar10", "micro scene"),
    ("NB201 cifar10", "micro layout"),
    ("NB201 cifar10", "micro jigsaw"),
    ("NB201 pixel3", "FBNet pixel3"),
    ("micro scene", "macro scene"),
    ("micro jigsaw", "macro jigsaw"),
)
Pair = tuple[str, str]

WHAT = {
    "random": "random architectures of the target.",
    "no transfer": "`ktnas`, with no source.",
    "size": """the same as *transfer*, but what the run has evaluated is the number of multiply-accumulates,
  as if more of them were better (of latencies: slower). That needs no evaluation: what *transfer* brings
  beyond it, the source has taught.""",
    "transfer": """`ktnas` with `source=RUN`, where the run has evaluated {samples} random architectures of
  the other space.""",
}

NOTES = """log2 of the rank of the best architecture found in the target's table (0: the optimum), mean ±
standard error over seeds, after {budgets} evaluations of the target. Latencies are searched for the smallest.

{methods}

Difference and p are of *transfer* less *no transfer* on the same seeds; below 0 the source helps. p:
two-sided Wilcoxon signed-rank test, with Holm's correction over the pairs of a budget. *worth*: how many
evaluations later the mean of *no transfer* comes as far as that of *transfer* has come; "> n" where it does
not within the budget, negative where it is there earlier.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = options(NAME, __doc__ or "", METHODS)
    parser.set_defaults(first_seed=7100)
    parser.add_argument(
        "--pairs", type=_pairs, default=PAIRS, help="source:target,... of " + ", ".join(SIDES)
    )
    parser.add_argument("--budget", type=int, default=max(BUDGETS), help="evaluations of a target")
    parser.add_argument("--samples", type=int, default=SOURCE, help=f"of a source (default: {SOURCE})")
    given = parser.parse_args(arguments)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    jobs = [
        _job(method, pair, given.budget, given.samples, seed)
        for seed in seeds
        for pair in given.pairs
        for method in given.methods
    ]
    distinct = list({(job.setting, job.method, job.seed): job for job in jobs}.values())
    rows = run_jobs(given.out / f"{NAME}.csv", distinct, given.workers, given.replace)
    curves = {pair: _curves(rows, pair, given.methods) for pair in given.pairs}
    budgets = [budget for budget in BUDGETS if budget <= given.budget]
    write_atomically(given.out / f"{NAME}.png", _picture(curves))
    what = "\n".join(f"- *{name}*: {WHAT[name].format(samples=given.samples)}" for name in given.methods)
    parts = [
        *(f"## {budget} evaluations\n\n{_table_of(curves, budget)}" for budget in budgets),
        f"![log2 rank of the best found, over evaluations]({NAME}.png)\n",
        NOTES.format(budgets=", ".join(map(str, budgets)), methods=what),
        origin(command_line(NAME, arguments), rows),
    ]
    publish(given.out / f"{NAME}.md", "Across spaces: what another space's evaluations are worth", parts)


def search(method: str, source: str, target: str, budget: int, samples: int, seed: int) -> dict[str, float]:
    """One search of ``target``: log2 rank of the best after each evaluation."""
    config = replace(target_config(method, target, budget), seed=seed)
    if method not in LENT:
        return _log_ranks(config, target)
    with TemporaryDirectory() as directory:
        lender = SIDES[source] if method == "transfer" else _sizes(source, seed, Path(directory) / "macs.csv")
        run = Path(directory) / "source"
        run_search(replace(lender.config("random", samples), seed=seed), run)
        return _log_ranks(replace(config, source=str(run)), target)


@cache
def target_config(method: str, target: str, budget: int) -> SearchConfig:
    """The search of a target, without its source."""
    return SIDES[target].config("random" if method == "random" else "ktnas", budget)


def _sizes(source: str, seed: int, file: Path) -> Side:
    """Multiply-accumulates in a source's space as a task; the largest are best, of latencies the slowest."""
    config = SIDES[source].config("random", 1)
    benchmark = load_benchmark(config.benchmark, config.space)
    drawn = np.unique(benchmark.space.sample(1000, np.random.default_rng(seed)), axis=0)
    macs = network_totals(benchmark.space, drawn, "cifar10")[:, TOTALS.index("macs")]
    table = pd.DataFrame({"arch": benchmark.space.format(drawn), "macs": macs})
    write_atomically(file, table.to_csv(index=False).encode())
    better = "lower" if SIDES[source].changes.get("better") == "lower" else "higher"
    return Side("table", "macs", {"scores": str(file), "space": benchmark.space.name, "better": better})


@cache
def _sorted_errors(target: str) -> FloatArray:
    """Errors of a target's table, the smallest first."""
    config = SIDES[target].config("random", 1)
    task = load_benchmark(config.benchmark, config.space).task(SIDES[target].task)
    table = task.table()
    assert table is not None
    errors = np.sort(task.error(table[task.searched]))
    return errors[np.isfinite(errors)]


def _log_ranks(config: SearchConfig, target: str) -> dict[str, float]:
    records = [record for record in run_search(config).records if record.role == "target"]
    best = np.minimum.accumulate([record.metric("error") for record in records])
    ranks = 1 + np.searchsorted(_sorted_errors(target), best - 1e-9 * np.abs(best))
    return {f"log2_rank_{n}": round(float(rank), 3) for n, rank in enumerate(np.log2(ranks), start=1)}


def worth(with_source: FloatArray, without: FloatArray, evaluations: int) -> float:
    """Evaluations by which mean curve ``without`` (T,) is later where ``with_source`` (T,) has come.

    Both are timed by the first evaluation that is as good as ``with_source`` after ``evaluations``. NaN where
    ``without`` never is.
    """
    reached = with_source[evaluations - 1] + 1e-9
    enough = np.flatnonzero(without <= reached)
    return float(enough[0] - np.flatnonzero(with_source <= reached)[0]) if len(enough) else math.nan


def _pairs(text: str) -> list[Pair]:
    pairs = [tuple(pair.split(":")) for pair in text.split(",")]
    if any(len(pair) != 2 or not set(pair) <= SIDES.keys() for pair in pairs):
        raise argparse.ArgumentTypeError(f"expected source:target,... of {', '.join(SIDES)}")
    return [(source, target) for source, target in pairs]


def _setting(method: str, pair: Pair) -> str:
    """Methods that have no source are run once per target."""
    return " → ".join(pair) if method in LENT else pair[1]


def _job(method: str, pair: Pair, budget: int, samples: int, seed: int) -> Job:
    source, target = pair
    config = target_config(method, target, budget)
    hashed = config_hash(config)
    if method in LENT:
        hashed += config_hash(SIDES[source].config("random", samples))
    measure = partial(search, method, source, target, budget, samples, seed)
    return Job(_setting(method, pair), method, seed, hashed, measure)


def _curves(rows: pd.DataFrame, pair: Pair, methods: Sequence[str]) -> dict[str, FloatArray]:
    """Method to log2 rank (seeds, T), seeds in order."""
    columns = [column for column in rows if str(column).startswith("log2_rank_")]
    found = {}
    for method in methods:
        own = rows[(rows["setting"] == _setting(method, pair)) & (rows["method"] == method)]
        found[method] = own.sort_values("seed")[columns].to_numpy(dtype=np.float64)
    return found


def _table_of(curves: Mapping[Pair, Mapping[str, FloatArray]], budget: int) -> str:
    methods = list(next(iter(curves.values())))
    compared = {"transfer", "no transfer"} <= set(methods)
    header = ["source → target", *methods, *(["difference", "p (Holm)", "worth"] if compared else [])]
    differences = [
        own["transfer"][:, budget - 1] - own["no transfer"][:, budget - 1] if compared else np.empty(0)
        for own in curves.values()
    ]
    corrected = holm([_p(difference) for difference in differences])
    lines = []
    for (pair, own), difference, p in zip(curves.items(), differences, corrected, strict=True):
        line = [" → ".join(pair), *(mean_cell(curve[:, budget - 1].tolist(), 2) for curve in own.values())]
        if compared:
            with_source, without = (own[method].mean(axis=0) for method in ("transfer", "no transfer"))
            bought = worth(with_source, without, budget)
            line += [
                mean_cell(difference.tolist(), 2),
                NOTHING if math.isnan(p) else f"{p:.3f}",
                f"> {len(without) - budget}" if math.isnan(bought) else f"{bought:+.0f}",
            ]
        lines.append(line)
    over_pairs = [
        mean_cell([own[method][:, budget - 1].mean() for own in curves.values()], 2) for method in methods
    ]
    last = ["mean over pairs, ± over pairs", *over_pairs]
    if compared:
        last += [mean_cell([difference.mean() for difference in differences], 2), NOTHING, NOTHING]
    return markdown_table(header, [*lines, last])


def _p(differences: FloatArray) -> float:
    if len(differences) < MIN_PAIRS:
        return math.nan
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def _picture(curves: Mapping[Pair, Mapping[str, FloatArray]]) -> bytes:
    columns = min(4, len(curves))
    n_rows = math.ceil(len(curves) / columns)
    figure = Figure(figsize=(3.4 * columns, 2.9 * n_rows), dpi=130, layout="constrained")
    panels = figure.subplots(n_rows, columns, squeeze=False).ravel()
    for ax, (pair, own) in zip(panels, curves.items(), strict=False):
        for method, curve in own.items():
            mean, error = mean_and_error(curve)
            number, error = np.arange(1, len(mean) + 1), np.nan_to_num(error)
            colour = COLOURS[method]
            ax.plot(number, mean, color=colour, linewidth=1.6, label=method)
            ax.fill_between(number, mean - error, mean + error, color=colour, alpha=0.16, linewidth=0)
        ax.set_title(" → ".join(pair), fontsize=9)
        ax.set(xlabel="evaluations of the target")
        ax.grid(alpha=0.25, linewidth=0.6)
    for ax in panels[len(curves) :]:
        ax.remove()
    panels[0].set_ylabel("log2 rank of the best found")
    panels[0].legend(fontsize=7, frameon=False)
    return png(figure)


if __name__ == "__main__":
    start(NAME)
