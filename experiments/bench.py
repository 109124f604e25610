"""What the engine's own work costs; ``make bench`` runs it, in two minutes."""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from experiments.common import RESULTS, command_line, start
from experiments.peers import optuna_search
from experiments.report import markdown_table, origin, publish
from experiments.tables import load_table
from ktnas.encoding.cell import CellFeatures
from ktnas.engine.progress import NullProgress, ProgressEvent
from ktnas.engine.run import run_search
from ktnas.presets import compose
from ktnas.record.description import RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import Ledger
from ktnas.space import load_space
from ktnas.surrogate.multitask_gp import MultiTaskGP
from ktnas.transfer.rank import transfer_rank

NAME = "bench"
BENCHMARK, SOURCE, TARGET, DEVICE = "nasbench_graph", "cora", "citeseer", "gpu"

Line = tuple[str, float, str]
"""What was measured, its median over repeats, and its unit."""


class Stopwatch(NullProgress):
    """Seconds until the target's first question could be asked, and until its last answer."""

    def start(self, budgets: Mapping[str, int]) -> None:
        """The search begins."""
        self.began = self.ended = time.perf_counter()

    def update(self, event: ProgressEvent) -> None:
        """A task has moved on."""
        self.ended = time.perf_counter()
        if event.role == "source":
            self.began = self.ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print and write the table."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{NAME}", description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=3, help="of a search; shorter work is repeated more often"
    )
    parser.add_argument("--budget", type=int, default=100, help="target evaluations (default: 100)")
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help=f"directory of results (default: {RESULTS})"
    )
    parser.add_argument(
        "--genotypes", type=int, default=1_000_000, help="of DARTS that are mutated (default: 1,000,000)"
    )
    given = parser.parse_args(arguments)
    with threadpool_limits(1):
        lines = [
            *searches(given.budget, given.repeats),
            *ranking(10 * given.repeats),
            *encoding(given.repeats),
            *large_space(given.genotypes),
            *gaussian_process(given.repeats),
            *ledger(given.repeats),
            *command(given.repeats),
        ]
    cells = [[what, _number(value), unit] for what, value, unit in lines]
    parts = [markdown_table(["", "median", "unit"], cells), machine(), origin(command_line(NAME, arguments))]
    publish(given.out / f"{NAME}.md", "The engine's own time", parts)


def searches(budget: int, repeats: int) -> list[Line]:
    """Seconds per target evaluation on a table, whose look-ups take next to none of them."""
    table = load_table(BENCHMARK, TARGET, DEVICE)
    times: dict[str, list[float]] = {}
    for seed in range(repeats):
        alone, informed = engine_seconds(budget, seed, []), engine_seconds(budget, seed, [SOURCE])
        tpe = timed(optuna_search, table, "optuna_tpe", budget, seed)
        nsga2 = timed(optuna_search, table, "optuna_nsga2", budget, seed)
        for name, seconds in (("alone", alone), ("informed", informed), ("tpe", tpe), ("nsga2", nsga2)):
            times.setdefault(name, []).append(seconds / budget)
    medians = {name: median(own) for name, own in times.items()}
    per = "s per evaluation"
    return [
        (f"ktnas, {TARGET}, {budget} evaluations", medians["alone"], per),
        (f"ktnas, the same, with {budget} evaluations of {SOURCE} before", medians["informed"], per),
        ("Optuna, multivariate TPE, the same", medians["tpe"], per),
        ("Optuna, NSGA-II, the same", medians["nsga2"], per),
        ("ktnas ÷ Optuna TPE", medians["alone"] / medians["tpe"], "times"),
        ("ktnas with a source ÷ Optuna TPE", medians["informed"] / medians["tpe"], "times"),
    ]


def engine_seconds(budget: int, seed: int, source: list[str]) -> float:
    """Seconds that the target's part of a search takes."""
    overrides = {
        "source": source,
        "target": [TARGET],
        "budget": budget,
        "source_budget": budget,
        "seed": seed,
    }
    watch = Stopwatch()
    run_search(compose("ktnas", BENCHMARK, overrides), progress=watch)
    return watch.ended - watch.began


def ranking(repeats: int) -> list[Line]:
    """Transfer rank at the size of a long search."""
    rng = np.random.default_rng(0)
    candidates, history = rng.normal(size=(20, 128)), rng.normal(size=(1000, 128))
    labels = rng.choice([-1, 1], size=1000)
    seconds = [timed(transfer_rank, candidates, history, labels) for _ in range(repeats)]
    return [("transfer rank, 20 candidates, history of 1,000, 128-d", 1e3 * median(seconds), "ms")]


def encoding(repeats: int) -> list[Line]:
    """From official texts to keys and vectors, all of NAS-Bench-201."""
    space = load_space("nasbench201")
    genotypes = space.enumerate()
    texts = space.format(genotypes)
    features = CellFeatures().fit(space, 0)
    steps: dict[str, tuple[Callable[..., object], object]] = {
        "parse": (space.parse, texts),
        "canonical keys": (space.keys, genotypes),
        "cell features": (features.transform, genotypes),
    }
    medians = {name: median(timed(*step) for _ in range(repeats)) for name, step in steps.items()}
    what = f"{len(texts):,} architectures of NAS-Bench-201"
    lines = [(f"{name}, {what}", seconds, "s") for name, seconds in medians.items()]
    return [*lines, ("all three", sum(medians.values()), "s")]


def large_space(count: int) -> list[Line]:
    """Genotypes of a space beyond enumeration: drawn, mutated, and rid of duplicates by canonical key."""
    space = load_space("darts")
    rng = np.random.default_rng(0)
    genotypes = space.sample(count, rng)
    started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = timed(lambda: np.unique(space.identities(space.mutate(genotypes, rng))))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - started
    what = f"{count:,} genotypes of DARTS mutated and rid of duplicates"
    return [(what, seconds, "s"), (f"{what}: more memory", 1024 * grown / count, "bytes each")]


def gaussian_process(repeats: int) -> list[Line]:
    """The surrogate on two tasks, its first fit (hyper-parameters included), and 1,000 predictions."""
    space = load_space("nasbench201")
    features = CellFeatures().fit(space, 0)
    rng = np.random.default_rng(0)
    weights, pool = rng.normal(size=features.dim), space.sample(1000, rng)
    lines: list[Line] = []
    for n in (100, 300):
        genotypes, tasks = space.sample(n, rng), rng.integers(2, size=n)
        values = features.transform(genotypes) @ weights + 0.1 * tasks + 0.1 * rng.normal(size=n)
        surrogates = [MultiTaskGP().prepare(features, 2, 0) for _ in range(repeats)]
        fits = [timed(s.fit, genotypes, tasks, values) for s in surrogates]
        updates = [timed(s.fit, genotypes, tasks, values) for s in surrogates]
        predictions = [timed(s.predict, pool, 0, True) for s in surrogates]
        lines += [
            (f"Gaussian process, {n} observations: fit of all", 1e3 * median(fits), "ms"),
            (f"Gaussian process, {n} observations: fit, hyper-parameters kept", 1e3 * median(updates), "ms"),
            (f"Gaussian process, {n} observations: predict 1,000", 1e3 * median(predictions), "ms"),
        ]
    return lines


def ledger(repeats: int, n: int = 50) -> list[Line]:
    """Evaluations that are made durable one by one."""
    rows = [
        Evaluation(i, 0, "task", "target", f"a{i}", f"{i:016x}", "ok", {"error": 1.0}, answered=i)
        for i in range(n)
    ]
    description = RunDescription(objectives=(), tasks={"task": "target"})
    rates = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as place, Ledger.open(Path(place), {}, description) as opened:
            seconds = timed(lambda record: [record([row]) for row in rows], opened.record)
        rates.append(n / seconds)
    return [("ledger", median(rates), "commits per s")]


def command(repeats: int) -> list[Line]:
    """How long a person waits for help."""
    run = [sys.executable, "-m", "ktnas", "--help"]
    seconds = [timed(partial(subprocess.run, run, check=True, capture_output=True)) for _ in range(repeats)]
    return [("ktnas --help", median(seconds), "s")]


def timed(work: Callable[..., object], *arguments: object) -> float:
    """Wall-clock seconds that ``work`` takes."""
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def machine() -> str:
    """What the numbers were measured on."""
    kind = f"{platform.system()} on {platform.machine()} with {os.cpu_count()} cores"
    return f"Medians over repeats, one thread, {kind}.\n"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    start(NAME)
