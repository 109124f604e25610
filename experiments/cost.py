"""What an evaluation costs beside itself, how that grows, and memory; other libraries in the same run.

Time is that of the processor, which other work on the machine changes little. Every measurement is made in a
process of its own, so that its peak of memory is its own too.
"""

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from threadpoolctl import threadpool_limits

from experiments import peer_botorch, peer_pymoo, peers
from experiments.bench import machine
from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.report import NOTHING, markdown_table, origin, publish
from experiments.tables import Table, load_table
from ktnas.arrays import FloatArray, IntArray
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import SearchConfig
from ktnas.engine.progress import NullProgress, ProgressEvent
from ktnas.engine.run import run_search
from ktnas.presets import compose
from ktnas.record.compare_plot import COLOURS
from ktnas.record.files import write_atomically
from ktnas.record.plot import png
from ktnas.space import load_space
from ktnas.surrogate.multitask_gp import MultiTaskGP
from ktnas.task import loky_pool

NAME = "cost"
BENCHMARK, TASK, DEVICE = "nasbench_graph", "cora", "gpu"
DEVICES = ("pixel3", "eyeriss", "gold_6226", "titan_rtx_1", "raspi4", "fpga", "samsung_s7", "2080ti_1")
EVALUATIONS = (50, 100, 200, 500, 1000, 2000)
TASKS = (1, 3, 9)
N_DEVICES = (1, 2, 4, 8)
POPULATIONS = (10, 40, 160)
SPACES = ("transnas_micro", "nasbench201", "nasbench_graph", "fbnet", "darts")
BUDGET = 30
"""Evaluations of each task where several are searched."""

KNOWN = 100
"""Evaluations behind a search in which something else varies."""

LAST = 10
"""Evaluations that are timed; hyper-parameters of a Gaussian process are fitted anew once among them."""

ENGINE = ("ktnas", "nsga2")
BOTORCH = "botorch_qlognehvi"
UP_TO = {"pymoo_nsga2": 1000, "optuna_nsga2": 1000, "optuna_tpe": 500, BOTORCH: 200}
"""Evaluations up to which another library is timed: beyond, it takes many minutes."""

METHODS = (*ENGINE, *UP_TO)
PARTS = {
    "evaluations": f"error and latency of {TASK}, both unknown: two surrogates",
    "tasks": f"of {BENCHMARK}, searched together, {BUDGET} evaluations of each",
    "devices_read": "with cifar10 of nasbench201, their latencies read from a table: one surrogate",
    "devices_learned": "the same, latencies known with an evaluation only: a surrogate more for each",
    "population": "parents, and as many offspring",
    "space": f"genotypes of {', '.join(SPACES)}; error and latency made up from the architecture's text",
}
"""What varies, and what is searched meanwhile."""

COLUMNS = {"per_evaluation": "CPU seconds per evaluation", "peak_mb": "peak memory, MB"}

NOTES = f"""CPU seconds of the last {LAST} evaluations of a search, each of which takes next to none itself,
and the peak memory of its process, libraries and tables included. *ktnas* starts from random evaluations, as
many as the column says ({KNOWN} where another thing varies), the others come there by themselves. *nsga2* is
the engine without a surrogate. *exponent*: slope of the line through the logarithms; 0 is no growth, 1 is in
proportion.

What bounds the growth: the Gaussian process uses {MultiTaskGP().limit:,} observations at most, so that
neither its time nor its memory grows beyond them. Up to there an evaluation costs what an exact process does:
O(N²) for a prediction, O(N³) for a fit. All else in a generation looks at every evaluation a bounded number
of times or sorts them: O(N log N).
"""


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        part: what varies.
        size: how much of it there is.
        method: what is timed.
        config: of it, for the hash.
        seconds: from a seed to seconds per evaluation.
    """

    part: str
    size: int
    method: str
    config: SearchConfig | Mapping[str, Any]
    seconds: Callable[[int], float]

    def job(self, seed: int) -> Job:
        """One run, in a process of its own."""
        run = partial(apart, self.seconds, seed)
        return Job(f"{self.part} {self.size}", self.method, seed, config_hash(self.config), run)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print and write the tables and the picture."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.set_defaults(seeds=1)
    parser.add_argument("--parts", type=names_among(list(PARTS)), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument(
        "--at-most", type=int, default=max(EVALUATIONS), help="evaluations (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    if BOTORCH in given.methods:
        peer_botorch.require_botorch()
    chosen = [
        case
        for case in cases()
        if case.part in given.parts and case.method in given.methods
        if case.part != "evaluations" or case.size <= given.at_most
    ]
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    jobs = [case.job(seed) for case in chosen for seed in seeds]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    rows[["part", "size"]] = rows["setting"].str.rsplit(" ", n=1, expand=True)
    rows["size"] = rows["size"].astype(float)
    write_atomically(given.out / f"{NAME}.png", picture(rows))
    parts = [
        f"## {part}\n\n{PARTS[str(part)]}\n\n" + "\n".join(table(own, column) for column in COLUMNS)
        for part, own in rows.groupby("part", sort=False)
    ]
    parts = [
        f"![Growth]({NAME}.png)\n",
        *parts,
        NOTES,
        machine(),
        origin(command_line(NAME, arguments), rows),
    ]
    publish(given.out / f"{NAME}.md", "What an evaluation costs beside itself", parts)


def cases() -> Iterator[Case]:
    """All measurements."""
    for n in EVALUATIONS:
        for algorithm in ENGINE:
            yield _engine("evaluations", n, _from(_on_nasbench_graph(algorithm), n))
        yield from (_peer(method, n) for method, most in UP_TO.items() if n <= most)
    names = load_benchmark(BENCHMARK).tasks
    for n in TASKS:
        several = replace(_on_nasbench_graph("ktnas"), target=list(names[:n]), initial=1, budget=BUDGET)
        yield _engine("tasks", n, several)
    for part, base in (("devices_read", _on_nasbench201(True)), ("devices_learned", _on_nasbench201(False))):
        for n in N_DEVICES:
            yield _engine(part, n, replace(base, device=list(DEVICES[:n])))
    for n in POPULATIONS:
        for algorithm in ENGINE:
            base = _on_nasbench_graph(algorithm)
            wide = replace(base, population=n, variation=replace(base.variation, offspring=n))
            yield _engine("population", n, wide)
    base = _on_made_up_task()
    for name in SPACES:
        yield _engine(
            "space", load_space(name).size, replace(base, benchmark=base.benchmark | {"space": name})
        )


def _engine(part: str, size: int, config: SearchConfig) -> Case:
    return Case(part, size, config.algorithm, config, partial(engine_seconds, config))


@cache
def _on_nasbench_graph(algorithm: str) -> SearchConfig:
    return _from(compose(algorithm, BENCHMARK, {"source": [], "target": [TASK]}), KNOWN)


@cache
def _on_nasbench201(latency_known: bool) -> SearchConfig:
    within = {"name": "nasbench201", "latency_known": latency_known}
    return _from(compose("ktnas", within, {"source": [], "target": ["cifar10"]}), KNOWN)


@cache
def _on_made_up_task() -> SearchConfig:
    within = {"name": "function", "space": SPACES[0], "functions": {TASK: f"experiments.{NAME}:made_up"}}
    found = compose("ktnas", within, {"source": [], "target": [TASK], "device": ["function"]})
    return _from(found, KNOWN)


def _from(config: SearchConfig, n: int) -> SearchConfig:
    """The search from ``n`` random evaluations on: one that fits from nothing, then those that are timed."""
    return replace(config, initial=n, budget=n + 1 + LAST)


def _peer(method: str, n: int) -> Case:
    config = {"method": method, "task": TASK, "evaluations": n}
    return Case("evaluations", n, method, config, partial(peer_seconds, method, n + LAST))


def apart(seconds: Callable[[int], float], seed: int) -> dict[str, float]:
    """Seconds per evaluation and peak memory in MB, of a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_with_memory, seconds, seed).result()


def _with_memory(seconds: Callable[[int], float], seed: int) -> dict[str, float]:
    with threadpool_limits(1):
        found = seconds(seed)
    loky_pool.close()  # of functions; a process that was made by another does not close them at its end
    return {"per_evaluation": round(found, 6), "peak_mb": peak_memory()}


def peak_memory() -> float:
    """Of this process so far, in MB; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return round(int(found[1]) / 1024, 1) if found else np.nan


class Clock(NullProgress):
    """When how many evaluations of all tasks were there."""

    def start(self, budgets: Mapping[str, int]) -> None:
        """The search begins."""
        self._done = dict.fromkeys(budgets, 0)
        self._stamps = [(0, time.process_time())]

    def update(self, event: ProgressEvent) -> None:
        """A task has moved on."""
        self._done[event.task] = event.done
        self._stamps.append((sum(self._done.values()), time.process_time()))

    def per_evaluation(self, last: int) -> float:
        """Seconds per evaluation over the ``last`` ones, or a few more where they come in batches."""
        total, ended = self._stamps[-1]
        done, began = next(stamp for stamp in reversed(self._stamps) if stamp[0] <= total - last)
        return (ended - began) / (total - done)


def engine_seconds(config: SearchConfig, seed: int) -> float:
    """Seconds per evaluation at the end of a search."""
    clock = Clock()
    run_search(replace(config, seed=seed), progress=clock)
    return clock.per_evaluation(LAST * len(config.target))


def made_up(architecture: str) -> dict[str, float]:
    """A score and a latency in ms, each a sum over what stands where in the text."""
    parts = list(enumerate(re.findall(r"\w+", architecture)))
    score, latency = (
        sum(crc32(f"{name} {place} {part}".encode()) for place, part in parts) / 2**32 / len(parts)
        for name in ("score", "latency")
    )
    return {"score": 100 * score, "latency_ms": 1 + latency}


@dataclass(frozen=True)
class ClockedTable(Table):
    """A table that knows when it was asked."""

    stamps: list[float] = field(default_factory=list)

    def points(self, genotypes: IntArray) -> FloatArray:
        """As in ``Table``."""
        self.stamps.append(time.process_time())
        return super().points(genotypes)


def peer_seconds(method: str, budget: int, seed: int) -> float:
    """Seconds per evaluation at the end of a search by another library."""
    known = load_table(BENCHMARK, TASK, DEVICE)
    table = ClockedTable(known.task, known.device)
    if method in peers.SAMPLERS:
        peers.optuna_search(table, method, budget, seed)
    elif method == BOTORCH:
        peer_botorch.botorch_search(table, budget, seed)
    else:
        peer_pymoo.pymoo_search(table, budget, seed)
    return (table.stamps[-1] - table.stamps[-1 - LAST]) / LAST


def table(rows: pd.DataFrame, column: str) -> str:
    """One row per method, medians over seeds, a column per size and the exponent of the growth."""
    medians = rows.pivot_table(index="method", columns="size", values=column, aggfunc="median", sort=False)
    sizes = medians.columns.to_numpy(dtype=float).tolist()
    lines = [
        [str(method), *map(_cell, own), f"{exponent(sizes, own.to_numpy()):.2f}"]
        for method, own in medians.iterrows()
    ]
    return markdown_table([COLUMNS[column], *map(_size, sizes), "exponent"], lines)


def exponent(sizes: Sequence[float], values: FloatArray) -> float:
    """Slope of log ``values`` (N,) over log ``sizes``, NaN left out; NaN for fewer than two."""
    known = np.isfinite(values) & (values > 0)
    if known.sum() < 2:
        return np.nan
    return float(np.polyfit(np.log(np.asarray(sizes)[known]), np.log(values[known]), 1)[0])


def _cell(value: float) -> str:
    return NOTHING if np.isnan(value) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _size(size: float) -> str:
    return f"{size:,.0f}" if size < 1e6 else f"{size:.0e}"


def picture(rows: pd.DataFrame) -> bytes:
    """Seconds over each size, and memory over evaluations, on logarithmic axes."""
    panels = [(part, "per_evaluation") for part in dict.fromkeys(rows["part"])]
    panels += [(part, "peak_mb") for part, _ in panels[:1]]
    wide = min(4, len(panels))
    high = -(-len(panels) // wide)
    figure = Figure(figsize=(3.5 * wide, 3.1 * high), dpi=120, layout="constrained")
    axes = figure.subplots(high, wide, squeeze=False).ravel()
    colours = dict(zip(METHODS, COLOURS, strict=False))
    for ax, (part, column) in zip(axes, panels, strict=False):
        for method, own in rows[rows["part"] == part].groupby("method", sort=False):
            medians = own.groupby("size")[column].median()
            ax.plot(medians.index, medians, "o-", markersize=4, color=colours[str(method)], label=method)
        ax.set(xscale="log", yscale="log", xlabel=part.replace("_", ", "), ylabel=COLUMNS[column])
        sizes = sorted(rows.loc[rows["part"] == part, "size"].unique())
        if part != "space":  # they would stand on each other
            ax.set_xticks(sizes, map(_size, sizes), rotation=30)
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_major_formatter("{x:g}")
        low, high = ax.get_ylim()
        ax.yaxis.set_minor_formatter("{x:.3g}" if high < 20 * low else NullFormatter())
        ax.grid(alpha=0.25, linewidth=0.6, which="both")
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    lines, labels = axes[0].get_legend_handles_labels()
    axes[-1].legend(lines, labels, frameon=False, loc="center" if len(axes) > len(panels) else "best")
    return png(figure)


if __name__ == "__main__":
    start(NAME)
