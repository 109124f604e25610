"""Transfer between tasks that disagree: all ordered pairs of the eight full data sets of NAS-Bench-Graph.

A source is known from 100 evaluations, then the target is searched for its smallest error. What the source is
worth is the rank of the best found with it beside the rank found without it, after each of a few numbers of
evaluations, all of them parts of one run.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, t, wilcoxon

from experiments.common import Job, command_line, config_hash, options, run_jobs, start
from experiments.report import NOTHING, markdown_table, mean_cell, origin, publish
from experiments.transnas_ranks import rank
from ktnas.arrays import FloatArray
from ktnas.engine.config import SearchConfig
from ktnas.engine.run import run_search
from ktnas.presets import compose
from ktnas.record.front import regret
from ktnas.record.statistics import MIN_PAIRS

NAME = "disagreeing_tasks"
BENCHMARK = "nasbench_graph"
TASKS = ("arxiv", "citeseer", "computers", "cora", "cs", "photo", "physics", "pubmed")
PAIRS = ",".join(f"{source}:{target}" for source, target in permutations(TASKS, 2))
STOPS = (10, 25, 50)
"""Evaluations of the target after which the best found is taken."""

RING = tuple(zip(TASKS, (*TASKS[1:], TASKS[0]), strict=True))
"""Pairs of the ablation: every target once."""

SOURCE_BUDGET = 100
LEVEL = 0.05
"""Of false discoveries."""

POOLED = {"name": "multitask_gp", "sharing": 1 - 1e-9, "trust": 0}
"""Correlation 1, which no gradient moves: source and target are one function, up to its level."""


WHOLE = {"lead": 0}
"""The source does not narrow the space."""


@dataclass(frozen=True)
class Method:
    """An algorithm, whether it knows a source, and the method that is the same without one."""

    algorithm: str
    informed: bool
    without: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)


METHODS = {
    "random": Method("random", False),
    "ktnas_paper_no_source": Method("ktnas_paper", False),
    "ktnas_paper": Method("ktnas_paper", True, "ktnas_paper_no_source"),
    "ktnas_no_source": Method("ktnas", False),
    "pooled": Method("ktnas", True, "ktnas_no_source", {"surrogate": POOLED, "screen": WHOLE}),
    "learned": Method("ktnas", True, "ktnas_no_source", {"surrogate": {"trust": 0}, "screen": WHOLE}),
    "joint_first": Method("ktnas", True, "ktnas_no_source", {"screen": WHOLE}),
    "ktnas": Method("ktnas", True, "ktnas_no_source"),
}
FIRST = ("random", "ktnas_no_source", "ktnas")
ABLATED = ("learned", "joint_first")
"""Run on the pairs of the ring alone."""

RING_TEXT = ",\n  ".join(
    ", ".join(f"{source} → {target}" for source, target in RING[i : i + 4]) for i in (0, 4)
)

NOTES = f"""The rank of an architecture is 1 + how many of the 26,206 of the target's table are better, on
validation accuracy; the regret is in percentage points of it. All methods count distinct evaluations of the
target. Every source was searched by `ktnas` alone, the same for all methods of a seed.

- `ktnas_no_source` and `ktnas_paper_no_source` start from nothing. `ktnas_paper` is KTNAS as published: its
  first population of 10 is random, so that a source can matter from the 11th evaluation on; at 10, what it
  is worth is chance alone.
- `pooled` is `ktnas` with a Gaussian process that takes source and target for one function, up to a constant.
- The pairs of each target after one source are {RING_TEXT}.
  There, `learned` estimates one correlation of source and target and uses it throughout. `joint_first` uses
  it for the first 8 evaluations, then the target's own model unless the joint one is better by two standard
  errors.
- `ktnas` chooses the first evaluation with it, the next seven by the target's own model among the tenth of
  the architectures that the source expects to be best, and goes on like `joint_first`.

*What a source is worth* is log2(rank with / rank without), below 0 where it helps. Intervals are those of
Student's t at 95 % over the means of the targets, since pairs that share a target share its runs without a
source. Tests of single targets are two-sided Wilcoxon signed-rank tests over at least {MIN_PAIRS} seeds, of
the mean over the sources, with the correction of Benjamini and Hochberg over all targets and numbers of
evaluations of a method; {LEVEL:.0%} is significant.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", list(METHODS))
    parser.set_defaults(first_seed=8000)
    parser.add_argument(
        "--other-seeds", type=int, help=f"runs of methods other than {', '.join(FIRST)} (default: as many)"
    )
    parser.add_argument("--pairs", type=_pairs, default=PAIRS, help="source:target,... (default: all 56)")
    parser.add_argument("--source-budget", type=int, default=SOURCE_BUDGET, help="source evaluations")
    parser.add_argument("--stops", type=_stops, default=STOPS, help="target evaluations (default: 10,25,50)")
    given = parser.parse_args(arguments)
    others = given.seeds if given.other_seeds is None else given.other_seeds
    jobs = {
        (job.setting, job.method, job.seed): job
        for number, seed in enumerate(range(given.first_seed, given.first_seed + given.seeds))
        for source, target in given.pairs
        for method in given.methods
        if method in FIRST or number < others
        if method not in ABLATED or (source, target) in RING
        for job in [_job(method, source, target, seed, given.source_budget, given.stops)]
    }
    rows = run_jobs(given.out / f"{NAME}.csv", list(jobs.values()), given.workers, given.replace)
    lent = worth(rows, given.stops)
    everywhere = lent[~lent["method"].isin(ABLATED)]
    in_ring = lent[(lent["source"] + ":" + lent["target"]).isin([":".join(pair) for pair in RING])]
    found = rows[~rows["method"].isin(ABLATED)]
    parts = [
        f"## Best found, mean over pairs\n\n{found_table(found, given.stops)}",
        f"## What a source is worth, mean over pairs\n\n{worth_table(everywhere, given.stops)}",
        f"## The same, each target after one source\n\n{worth_table(in_ring, given.stops)}",
    ]
    for method, own in everywhere.groupby("method", sort=False):
        title = f"## What a source is worth to `{method}`, target by target"
        parts.append(f"{title}\n\n{target_table(own, given.stops)}")
    title = "Transfer between tasks that disagree: pairs of data sets of NAS-Bench-Graph"
    publish(given.out / f"{NAME}.md", title, [*parts, NOTES, origin(command_line(NAME, arguments), rows)])


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = [tuple(pair.split(":")) for pair in text.split(",")]
    if any(len(set(pair)) != 2 or not set(pair) <= set(TASKS) for pair in pairs):
        raise argparse.ArgumentTypeError(f"expected source:target,... of {', '.join(TASKS)}")
    return [(source, target) for source, target in pairs]


def _stops(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _job(name: str, source: str, target: str, seed: int, source_budget: int, stops: Sequence[int]) -> Job:
    config = search_config(name, target, max(stops))
    known = (source, source_budget) if METHODS[name].informed else None
    hashed = config_hash(
        {"search": search_hash(name, target, max(stops)), "source": known, "stops": list(stops)}
    )
    setting = f"{source} → {target}" if known else target
    return Job(setting, name, seed, hashed, partial(measure, replace(config, seed=seed), known, stops))


@cache
def search_config(method: str, target: str, budget: int) -> SearchConfig:
    """A search of ``target`` by a method, its source not named yet."""
    chosen = METHODS[method]
    asked = {"source": [], "target": [target], "objectives": ["error"], "device": [], "budget": budget}
    return compose(chosen.algorithm, BENCHMARK, asked | chosen.overrides)


@cache
def search_hash(method: str, target: str, budget: int) -> str:
    """Hash of ``search_config``, which takes its time."""
    return config_hash(search_config(method, target, budget))


@cache
def source_run(source: str, budget: int, seed: int) -> Path:
    """Directory of a finished search of ``source`` by ``ktnas`` alone, made once per process."""
    directory = Path(_scratch().name) / f"{source}_{budget}_{seed}"
    run_search(replace(search_config("ktnas_no_source", source, budget), seed=seed), directory)
    return directory


@cache
def _scratch() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory()


def measure(config: SearchConfig, known: tuple[str, int] | None, stops: Sequence[int]) -> Mapping[str, float]:
    """Rank and regret of the best found after each of ``stops``.

    Args:
        config: of the search of one target.
        known: its source and the evaluations of it, or None.
        stops: numbers of evaluations.
    """
    if known is not None:
        config = replace(config, source=str(source_run(*known, config.seed)))
    result = run_search(config)
    (target,) = config.target
    (front,) = (spec.true_front for spec in result.description.fronts() if spec.task == target)
    assert front is not None
    errors = np.array([record.metric("error") for record in result.records if record.task == target])
    numbers: dict[str, float] = {}
    for stop in stops:
        numbers[f"rank_{stop}"] = rank(BENCHMARK, target, float(np.nanmin(errors[:stop])))
    for stop in stops:
        numbers[f"regret_{stop}"] = round(regret(errors[:stop], float(front.min())), 5)
    return numbers


def worth(rows: pd.DataFrame, stops: Sequence[int]) -> pd.DataFrame:
    """log2(rank with / rank without) of every run with a source whose run without one is there.

    Args:
        rows: as ``run_jobs`` returns them.
        stops: numbers of evaluations.

    Returns:
        Columns ``method``, ``source``, ``target``, ``seed``, and one named after each stop.
    """
    columns = [f"rank_{stop}" for stop in stops]
    alone = {
        (method, setting, seed): np.log2(ranks)
        for method, setting, seed, ranks in zip(
            rows["method"], rows["setting"], rows["seed"], rows[columns].to_numpy(dtype=float), strict=True
        )
    }
    found = []
    for (name, setting, seed), ranks in alone.items():
        source, _, target = setting.rpartition(" → ")
        without = alone.get((METHODS[name].without, target, seed))
        if source and without is not None:
            found.append([name, source, target, seed, *(ranks - without)])
    return pd.DataFrame(found, columns=["method", "source", "target", "seed", *map(str, stops)])


def found_table(rows: pd.DataFrame, stops: Sequence[int]) -> str:
    """One row per method: log2 of the rank and regret, means over its settings, ± over seeds."""
    lines = []
    for method, own in rows.groupby("method", sort=False):
        columns = [f"rank_{stop}" for stop in stops]
        own = own.assign(**{column: np.log2(own[column]) for column in columns})
        means = own.groupby("seed")[[*columns, *(f"regret_{stop}" for stop in stops)]].mean()
        lines.append([f"`{method}`", *(mean_cell(means[column], 2) for column in means), str(len(own))])
    heads = [f"{name} at {stop}" for name in ("log2 rank", "regret") for stop in stops]
    return markdown_table(["method", *heads, "runs"], lines)


def worth_table(lent: pd.DataFrame, stops: Sequence[int]) -> str:
    """One row per method that knows a source: what it is worth, and how many targets it hurts or helps."""
    lines = []
    for method, own in lent.groupby("method", sort=False):
        p = target_tests(own, stops)
        cells = []
        for stop in map(str, stops):
            means = own.groupby("target")[stop].mean()
            significant = p[stop] < LEVEL
            hurt, helped = ((significant & (sign * means > 0)).sum() for sign in (1, -1))
            tested = f"{hurt} / {helped}" if p[stop].notna().all() else NOTHING
            cells += [_interval_cell(means.to_numpy()), tested]
        lines.append([f"`{method}`", *cells, str(own["seed"].nunique())])
    heads = [head for stop in stops for head in (f"log2 ratio at {stop}", "hurt / helped")]
    return markdown_table(["method", *heads, "seeds"], lines)


def target_tests(own: pd.DataFrame, stops: Sequence[int]) -> pd.DataFrame:
    """Corrected p values of one method, a row per target and a column per stop; NaN where no test is made."""
    means = own.groupby(["target", "seed"])[[*map(str, stops)]].mean()
    p = means.groupby("target").agg(_signed_rank_p)
    known = p.notna().to_numpy()
    corrected = np.full(p.shape, np.nan)
    if known.any():
        corrected[known] = false_discovery_control(p.to_numpy()[known])
    return pd.DataFrame(corrected, index=p.index, columns=p.columns)


def target_table(own: pd.DataFrame, stops: Sequence[int]) -> str:
    """One row per target, means over sources ± over seeds, with the p value of each."""
    means, p = own.groupby(["target", "seed"])[[*map(str, stops)]].mean(), target_tests(own, stops)
    lines = []
    for target, ratios in means.groupby("target"):
        cells = [
            cell
            for stop in map(str, stops)
            for cell in (mean_cell(ratios[stop], 2), _p_cell(p[stop][target]))
        ]
        lines.append([str(target), *cells])
    return markdown_table(["target", *(head for stop in stops for head in (f"at {stop}", "p"))], lines)


def _signed_rank_p(differences: "pd.Series[float]") -> float:
    if len(differences) < MIN_PAIRS:
        return np.nan
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def _interval_cell(values: FloatArray) -> str:
    """Mean of values (N,) of the targets, and its interval by Student's t."""
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return f"{mean:.2f}"
    half = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return f"{mean:.2f} ({mean - half:.2f} to {mean + half:.2f})"


def _p_cell(p: float) -> str:
    return NOTHING if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


if __name__ == "__main__":
    start(NAME)
