"""Networks that are trained: what evaluations of one task of the digits are worth to a search of another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.across_spaces import worth
from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.report import markdown_table, mean_cell, origin, publish
from ktnas.arrays import FloatArray
from ktnas.encoding.cache import cache_dir
from ktnas.encoding.score_store import ScoreStore
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import SearchConfig
from ktnas.engine.run import run_search
from ktnas.measure.timing import Limits, time_runs
from ktnas.measure.torch_runner import TorchRunner
from ktnas.presets import compose
from ktnas.record.files import write_atomically
from ktnas.record.plot import png
from ktnas.record.statistics import mean_and_error
from ktnas.resources import PACKAGE
from ktnas.train.task import TrainingTask
from ktnas.train.trainer import Trainer

NAME = "digits_transfer"
SUBSETS = {"digits 0-4": [0, 1, 2, 3, 4], "digits 5-9": [5, 6, 7, 8, 9]}
PAIRS = {
    "classification:jigsaw": ("classification", "jigsaw"),
    "classification:autoencoding": ("classification", "autoencoding"),
    "digits 0-4:digits 5-9": ("digits 0-4", "digits 5-9"),
}
"""Source and target by what ``--pairs`` calls them."""

ALGORITHMS = {"random": "random", "no transfer": "ktnas", "transfer": "ktnas"}
"""Method to its algorithm."""

COLOURS = dict(zip(ALGORITHMS, ("#888888", "#3b6ea5", "#c8102e"), strict=True))
COUNTS = (5, 10, 15, 20)
METRICS = ("valid_error", "test_error")
LATENCY_LIMITS = Limits(max_seconds=1.0)

Pair = tuple[str, str]

NOTES = """Small networks of NAS-Bench-201 cells (8 channels, one cell per stage) are trained for {epochs}
epochs on the 1,797 digits of scikit-learn, 8 × 8 pixels, as `benchmark=train` trains them. The search is for
a low validation error. Means ± standard errors over seeds, after {counts} evaluations of the target.

- *random*: random architectures of the target.
- *no transfer*: `ktnas`, with no source.
- *transfer*: `ktnas`, which has first searched the source with {source_budget} evaluations.

*difference* is *transfer* less *no transfer*, seed by seed. *worth*: how many evaluations later the mean of
*no transfer* comes as far as that of *transfer* has come; "> n" where it does not within the budget, negative
where it is there earlier.

Errors are of the architecture with the lowest validation error so far, in %: wrong answers, of autoencoding
the variance of pixels that is not explained. A fifth of the images validates and a fifth tests: one answer is
0.3 % of the digits, 0.6 % of five of them. The latency is that of the last such architecture, of one image on
one thread of this machine, measured at the end of its search beside whatever else the machine was doing.

Training repeats to the digit, and all networks are trained from one seed. So an architecture is trained only
once for each task, and all methods and seeds share the answer: what a search knows is what it has asked for,
but what was luck in a training is the same for all. The answers are kept in the user's cache directory, and
the seconds below are of what was not there yet.
"""


class Scale(NamedTuple):
    """Evaluations of a target and of a source, and epochs of a training."""

    budget: int
    source_budget: int
    epochs: int


class Found(NamedTuple):
    """What a method has found after each of T evaluations.

    Attributes:
        valid: lowest validation error so far (seeds, T) in %.
        test: test error (seeds, T) in % of the same architecture.
        latency: of the last of them (seeds,) in ms.
    """

    valid: FloatArray
    test: FloatArray
    latency: FloatArray


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables and the picture."""
    parser = options(NAME, __doc__ or "", list(ALGORITHMS))
    parser.set_defaults(seeds=5, first_seed=9000)
    parser.add_argument(
        "--pairs", type=names_among(list(PAIRS)), default=list(PAIRS), help=f"of {','.join(PAIRS)}"
    )
    parser.add_argument("--budget", type=int, default=max(COUNTS), help="evaluations of a target")
    parser.add_argument("--source-budget", type=int, default=25, help="evaluations of a source (default: 25)")
    parser.add_argument("--epochs", type=int, default=3, help="of a training (default: 3)")
    given = parser.parse_args(arguments)
    scale = Scale(given.budget, given.source_budget, given.epochs)
    jobs = [
        _job(method, PAIRS[pair], scale, seed)
        for seed in range(given.first_seed, given.first_seed + given.seeds)
        for pair in given.pairs
        for method in given.methods
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    found = {PAIRS[pair]: read(rows, PAIRS[pair], given.methods) for pair in given.pairs}
    counts = sorted({count for count in COUNTS if count < scale.budget} | {scale.budget})
    write_atomically(given.out / f"{NAME}.png", _picture(found))
    parts = [
        f"## Validation error\n\n{table(found, 'valid', counts)}",
        f"## Test error of the same architecture\n\n{table(found, 'test', counts)}",
        f"## Latency of it, ms\n\n{latencies(found)}",
        f"![Errors over evaluations]({NAME}.png)\n",
        NOTES.format(counts=", ".join(map(str, counts)), **scale._asdict()),
        origin(command_line(NAME, arguments), rows),
    ]
    publish(given.out / f"{NAME}.md", "Networks trained on digits: what another task's are worth", parts)


def _job(method: str, pair: Pair, scale: Scale, seed: int) -> Job:
    config = replace(search_config(method, pair, scale), seed=seed)
    return Job(_setting(method, pair), method, seed, config_hash(config), partial(measure, config))


def _setting(method: str, pair: Pair) -> str:
    return " → ".join(pair) if method == "transfer" else pair[1]


def search_config(method: str, pair: Pair, scale: Scale) -> SearchConfig:
    """The search of a target, after its source where the method has one, as ``ktnas search`` takes it."""
    source, target = pair
    return compose(
        ALGORITHMS[method],
        {"name": "train", "subsets": SUBSETS, "training": {"epochs": scale.epochs, "place": "cpu"}},
        {
            "source": [source] if method == "transfer" else [],
            "target": [target],
            "objectives": ["error"],
            "budget": scale.budget,
            "source_budget": scale.source_budget,
        },
    )


def measure(config: SearchConfig) -> dict[str, float]:
    """Validation and test error of each evaluation of the target, and the latency of the best."""
    benchmark = load_benchmark(config.benchmark)
    trainers = {}
    for name in (*config.source, *config.target):
        task = benchmark.task(name)
        assert isinstance(task, TrainingTask)
        trainers[name] = task.trainer
    result = run_search(replace(config, benchmark=shared(trainers)))
    records = [record for record in result.records if record.role == "target"]
    best = best_rows(np.array([[record.metric("error") for record in records]]))[0, -1]
    (target,) = config.target
    return {
        f"{metric}_{n}": round(record.metric(metric), 4)
        for metric in METRICS
        for n, record in enumerate(records, start=1)
    } | {"latency_ms": round(latency(trainers[target], records[best].architecture), 4)}


def shared(trainers: Mapping[str, Trainer]) -> dict[str, Any]:
    """A benchmark of tasks that train an architecture only where no search has done so before."""
    return {
        "name": "function",
        "space": next(iter(trainers.values())).space.name,
        "functions": {name: trained_once(trainer) for name, trainer in trainers.items()},
        "searched": METRICS[0],
        "reported": METRICS[1],
        "better": "lower",
        "unit": "%",
    }


def trained_once(trainer: Trainer) -> Callable[[str], dict[str, float]]:
    """A function from an architecture's text to ``METRICS``, which are kept from the first time on."""
    store = store_of(trainer)

    def answer(text: str) -> dict[str, float]:
        if not (known := store.get([text], METRICS)):
            metrics = trainer(text)
            values = np.array([[metrics[metric] for metric in METRICS]])
            store.put([text], METRICS, values)
            known = {text: values[0]}
        return dict(zip(METRICS, known[text].tolist(), strict=True))

    return answer


def store_of(trainer: Trainer) -> ScoreStore:
    """Where answers are kept: those of one way of training, and of one state of the code that trains."""
    decided = {"settings": asdict(trainer.settings), "kind": trainer.kind, "classes": trainer.classes}
    state = config_hash(decided | {"code": training_code(), "torch": version("torch")})
    return ScoreStore(cache_dir() / NAME / f"{trainer.name}_{state}.sqlite")


@cache
def training_code() -> str:
    """Hash of the code that builds networks and trains them, as it is now."""
    files = sorted(file for part in ("network", "train") for file in (PACKAGE / part).rglob("*.py"))
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=6).hexdigest()


def latency(trainer: Trainer, text: str) -> float:
    """What the network of an architecture takes for one image on one thread of this machine, in ms."""
    genotype = trainer.space.parse([text])[0]
    network, inputs = trainer.network(genotype).eval(), trainer.input_task(genotype).inputs(1)
    return time_runs(TorchRunner().prepare(network, (inputs,), Path()), LATENCY_LIMITS).latency_ms


def read(rows: pd.DataFrame, pair: Pair, methods: Sequence[str]) -> dict[str, Found]:
    """Method to what it has found on a target, the rows of a seed in the same place for all methods."""
    found = {}
    for method in methods:
        own = rows[(rows["setting"] == _setting(method, pair)) & (rows["method"] == method)].sort_values(
            "seed"
        )
        valid, test = (_values(own, metric) for metric in METRICS)
        best = best_rows(valid)
        found[method] = Found(
            np.take_along_axis(valid, best, axis=1),
            np.take_along_axis(test, best, axis=1),
            own["latency_ms"].to_numpy(dtype=np.float64),
        )
    return found


def best_rows(values: FloatArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where the smallest number so far is in each row of ``values`` (S, T), the first of equals: (S, T).

    The first place where there is none yet.
    """
    known = np.where(np.isfinite(values), values, np.inf)
    return np.array([[row[:n].argmin() for n in range(1, len(row) + 1)] for row in known])


def _values(rows: pd.DataFrame, metric: str) -> FloatArray:
    """A metric of every evaluation (runs, T)."""
    columns = [column for column in map(str, rows) if column.startswith(f"{metric}_")]
    return rows[columns].to_numpy(dtype=np.float64)


def table(found: Mapping[Pair, Mapping[str, Found]], error: str, counts: Sequence[int]) -> str:
    """An error of ``Found`` after ``counts`` of evaluations, for each pair and method."""
    lines = []
    for pair, of_method in found.items():
        curves: dict[str, FloatArray] = {method: getattr(own, error) for method, own in of_method.items()}
        for method, curve in curves.items():
            lines.append([f"{_setting(method, pair)}, {method}", *(_cell(curve, n) for n in counts)])
        if {"transfer", "no transfer"} <= curves.keys():
            with_source, without = curves["transfer"], curves["no transfer"]
            lines.append(["*difference*", *(_cell(with_source - without, n) for n in counts)])
            means = with_source.mean(axis=0), without.mean(axis=0)
            lines.append(["*worth*", *(_worth(*means, n) for n in counts)])
    return markdown_table(["evaluations", *map(str, counts)], lines)


def _cell(curve: FloatArray, count: int) -> str:
    return mean_cell(curve[:, count - 1].tolist(), 2)


def _worth(with_source: FloatArray, without: FloatArray, count: int) -> str:
    bought = worth(with_source, without, count)
    return f"> {len(without) - count}" if np.isnan(bought) else f"{bought:+.0f}"


def latencies(found: Mapping[Pair, Mapping[str, Found]]) -> str:
    """Mean latency of the best, for each pair and method."""
    lines = [
        [" → ".join(pair), *(mean_cell(own.latency.tolist(), 2) for own in of_method.values())]
        for pair, of_method in found.items()
    ]
    return markdown_table(["source → target", *next(iter(found.values()))], lines)


def _picture(found: Mapping[Pair, Mapping[str, Found]]) -> bytes:
    figure = Figure(figsize=(4 * len(found), 6), dpi=130, layout="constrained")
    panels = figure.subplots(2, len(found), squeeze=False)
    for column, (pair, of_method) in zip(panels.T, found.items(), strict=True):
        for method, own in of_method.items():
            _draw_curve(column[0], own.valid, method)
            _draw_curve(column[1], own.test, method)
        column[0].set_title(" → ".join(pair), fontsize=10)
        column[1].set_xlabel("evaluations of the target")
        for ax in column:
            ax.grid(alpha=0.25, linewidth=0.6)
    panels[0, 0].set_ylabel("lowest validation error, %")
    panels[1, 0].set_ylabel("test error of the same, %")
    panels[0, 0].legend(fontsize=8, frameon=False)
    return png(figure)


def _draw_curve(ax: Axes, curve: FloatArray, method: str) -> None:
    mean, error = mean_and_error(curve)
    number, error = np.arange(1, len(mean) + 1), np.nan_to_num(error)
    ax.plot(number, mean, color=COLOURS[method], linewidth=1.6, label=method)
    ax.fill_between(number, mean - error, mean + error, color=COLOURS[method], alpha=0.16, linewidth=0)


if __name__ == "__main__":
    start(NAME)
