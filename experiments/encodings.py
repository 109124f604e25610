"""Encodings compared: distances between architectures, what they say of accuracy, what they cost.

A run draws architectures, pairs of them and observations from its seed. An encoding is learned from few
seeds, once per process and in a cache directory of its own, and the runs share them.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import kendalltau, rankdata, spearmanr

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.report import markdown_table, mean_cell, origin, publish
from ktnas.arrays import FloatArray, IntArray, Rng
from ktnas.encoding.base import Encoding
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.space.base import SearchSpace
from ktnas.tables.files import locate

NAME = "encodings"
PAIRS = 20_000
ARCHITECTURES = 1000
OBSERVED = (32, 128)
SECONDS = ("fit", "encode")
ENCODING_SEEDS = 2
SURROGATE = {"name": "multitask_gp"}

METHODS: dict[str, Mapping[str, Any]] = {
    "onehot": {"name": "onehot"},
    "cell": {"name": "cell"},
    "arch2vec": {"name": "arch2vec"},
    "node2vec": {"name": "node2vec"},
    "cell + arch2vec": {"name": "combined", "parts": ["cell", "arch2vec"]},
    "cell + node2vec": {"name": "combined", "parts": ["cell", "node2vec"]},
}


@dataclass(frozen=True)
class Setting:
    """A space with accuracies: file and column of a table, higher is better."""

    space: str
    file: str
    column: str


SETTINGS = {
    "nasbench201, cifar10 test": Setting("nasbench201", "nasbench201_accuracy.csv.gz", "cifar10_test"),
    "transnas_micro, class_scene": Setting("transnas_micro", "transnas_micro_score.csv.gz", "class_scene"),
    "darts, sample": Setting("darts", "darts_nasbench301_sample.csv.gz", "val_accuracy"),
}

NOTES = f"""Means ± standard errors over seeds, each with its own architectures, pairs and observations. An
encoding is learned from {ENCODING_SEEDS} seeds, even and odd runs taking one each.

Distances are Euclidean, in units of the mean distance of two random architectures. {ARCHITECTURES:,} random
architectures of the space are compared with *itself*, encoded by a second fit; with an *isomorphic* one,
another genotype of the same pruned graph; and with a *mutated* one, one variable of which is changed. Cosines
are those of the vectors as they are, which is what transfer rank compares.

rho: Spearman correlation of distance and difference in accuracy over {PAIRS:,} pairs of the table. tau:
Kendall correlation of prediction and accuracy over all rows of the table but the 32 or 128 that
*{SURROGATE["name"]}* learned from (normal scores of their accuracies). fit and encode: medians of the seconds
of one core that learning the encoding takes, once, and encoding 1,000 architectures.
"""


@dataclass(frozen=True)
class Fitted:
    """A space's encoding, the same one fitted a second time, and the seconds of the first."""

    encoding: Encoding
    again: Encoding
    seconds: float


@dataclass(frozen=True)
class Table:
    """Genotypes (N, V) and accuracies (N,)."""

    genotypes: IntArray
    accuracies: FloatArray


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", list(METHODS))
    parser.add_argument(
        "--spaces",
        type=names_among([setting.space for setting in SETTINGS.values()]),
        default=[setting.space for setting in SETTINGS.values()],
        help="names of spaces, separated by commas (default: all)",
    )
    given = parser.parse_args(arguments)
    chosen = [name for name, setting in SETTINGS.items() if setting.space in given.spaces]
    jobs = [
        Job(
            setting,
            method,
            seed,
            config_hash({"encoding": METHODS[method], "learned": ENCODING_SEEDS, "surrogate": SURROGATE}),
            partial(measure, setting, method, seed),
        )
        for setting in chosen
        for method in given.methods
        for seed in range(given.first_seed, given.first_seed + given.seeds)
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    parts = [f"## {name}\n\n{tables(rows[rows['setting'] == name])}" for name in chosen]
    publish(
        given.out / f"{NAME}.md", "Encodings", [*parts, NOTES, origin(command_line(NAME, arguments), rows)]
    )


def measure(setting: str, method: str, seed: int) -> dict[str, float]:
    """All numbers of an encoding in a setting."""
    fitted, table = fit(SETTINGS[setting].space, method, seed % ENCODING_SEEDS), read(setting)
    numbers = geometry(fitted, np.random.default_rng([seed, 0]))
    numbers["rho"] = distance_and_accuracy(fitted.encoding, table, np.random.default_rng([seed, 1]))
    for observed in OBSERVED:
        rng = np.random.default_rng([seed, 2])
        numbers[f"tau {observed}"] = few_observations(fitted.encoding, table, observed, rng)
    return {name: round(number, 5) for name, number in numbers.items()}


@cache
def fit(space: str, method: str, seed: int) -> Fitted:
    """An encoding learned anew, and fitted once more from what it kept."""
    loaded = load_space(space)
    loaded.sample(1, np.random.default_rng(0))
    with _own_cache():
        started = time.process_time()
        encoding = build("encoding", METHODS[method]).fit(loaded, seed)
        seconds = time.process_time() - started
        return Fitted(encoding, build("encoding", METHODS[method]).fit(loaded, seed), seconds)


@cache
def read(setting: str) -> Table:
    """The table of a setting."""
    chosen = SETTINGS[setting]
    frame = pd.read_csv(locate(chosen.file), usecols=["arch", chosen.column]).dropna()
    genotypes = load_space(chosen.space).parse(frame["arch"].tolist())
    return Table(genotypes, frame[chosen.column].to_numpy(dtype=np.float64))


def geometry(fitted: Fitted, rng: Rng) -> dict[str, float]:
    """Distances and cosines of random architectures to others, and the seconds of fitting and encoding."""
    encoding, space = fitted.encoding, fitted.encoding.space
    start = space.sample(ARCHITECTURES, rng)
    started = time.process_time()
    vectors = encoding.transform(start)
    seconds = (time.process_time() - started) * 1000 / len(start)
    others = encoding.transform(space.sample(ARCHITECTURES, rng))
    mutated = encoding.transform(space.mutate(start, rng, rate=0.0))
    unit = float(_distances(vectors, others).mean())
    original, rewritten = isomorphic(space, rng)
    same = _distances(encoding.transform(original), encoding.transform(rewritten))
    return {
        "itself": float(_distances(vectors, fitted.again.transform(start)).mean()) / unit,
        "isomorphic": float(same.mean()) / unit,
        "mutated": float(_distances(vectors, mutated).mean()) / unit,
        "cosine mutated": float(np.nanmean(_cosines(vectors, mutated))),
        "cosine random": float(np.nanmean(_cosines(vectors, others))),
        "fit": fitted.seconds,
        "encode": seconds,
    }


def isomorphic(space: SearchSpace, rng: Rng) -> tuple[IntArray, IntArray]:
    """Random genotypes and others (N, V) whose pruned graph is the same one."""
    if space.n_architectures is None or space.distinct == "canonical":
        return _swapped_inputs(space, rng)
    everything = space.enumerate()
    _, classes = np.unique(space.keys(everything), return_inverse=True)
    order = np.argsort(classes, kind="stable")
    neighbour = order[np.arange(len(order)) - 1]
    pairs = np.column_stack([order, neighbour])[classes[order] == classes[neighbour]]
    chosen = pairs[rng.integers(len(pairs), size=ARCHITECTURES)]
    return everything[chosen[:, 0]], everything[chosen[:, 1]]


def distance_and_accuracy(encoding: Encoding, table: Table, rng: Rng) -> float:
    """Spearman correlation of the distance of two rows with the difference of their accuracies."""
    first, second = rng.integers(len(table.genotypes), size=(2, PAIRS))
    first, second = first[first != second], second[first != second]
    vectors = encoding.features.get(table.genotypes)
    gap = np.abs(table.accuracies[first] - table.accuracies[second])
    return float(spearmanr(_distances(vectors[first], vectors[second]), gap).statistic)


def few_observations(encoding: Encoding, table: Table, observed: int, rng: Rng) -> float:
    """Kendall tau of the surrogate's prediction for all rows but the ``observed`` ones."""
    order = rng.permutation(len(table.genotypes))
    seen, rest = order[:observed], order[observed:]
    values = -ndtri((rankdata(table.accuracies[seen]) - 0.5) / observed)
    surrogate = build("surrogate", SURROGATE).prepare(encoding, 1, 0)
    surrogate.fit(table.genotypes[seen], np.zeros(observed, dtype=np.int64), values)
    return float(kendalltau(-surrogate.predict(table.genotypes[rest], 0), table.accuracies[rest]).statistic)


def tables(rows: pd.DataFrame) -> str:
    """What distances are, and what they are good for, a line per encoding."""
    near = {"itself": 3, "isomorphic": 3, "mutated": 3, "cosine mutated": 3, "cosine random": 3}
    use = {"rho": 3, **{f"tau {observed}": 3 for observed in OBSERVED}, "fit": 1, "encode": 2}
    return "\n".join(_table(rows, columns) for columns in (near, use))


def _table(rows: pd.DataFrame, columns: Mapping[str, int]) -> str:
    lines = [
        [str(method), *(_cell(own[column], digits) for column, digits in columns.items())]
        for method, own in rows.groupby("method", sort=False)
    ]
    return markdown_table(["encoding", *columns], lines)


def _cell(values: pd.Series, digits: int) -> str:
    return f"{values.median():.{digits}f}" if values.name in SECONDS else mean_cell(values, digits)


def _swapped_inputs(space: SearchSpace, rng: Rng) -> tuple[IntArray, IntArray]:
    """Genotypes of a cell of two inputs per node, and with the two inputs of every node exchanged."""
    names = list(space.variables)
    exchange = {"1": "2", "2": "1"}
    partner = [names.index(re.sub(r"[12]$", lambda found: exchange[found[0]], name)) for name in names]
    genotypes = space.sample(ARCHITECTURES, rng)
    swapped = genotypes[:, partner]
    kept = space.valid(swapped)
    return genotypes[kept], swapped[kept]


def _distances(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(first - second, axis=1))


def _cosines(first: FloatArray, second: FloatArray) -> FloatArray:
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.where(norms > 0, norms, np.nan))


@contextmanager
def _own_cache() -> Iterator[None]:
    """An empty cache directory within."""
    before = os.environ.get("KTNAS_CACHE")
    with TemporaryDirectory() as directory:
        os.environ["KTNAS_CACHE"] = directory
        try:
            yield
        finally:
            if before is None:
                del os.environ["KTNAS_CACHE"]
            else:
                os.environ["KTNAS_CACHE"] = before


if __name__ == "__main__":
    start(NAME)
