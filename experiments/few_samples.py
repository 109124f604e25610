"""How well accuracies are ordered from few of them, all other architectures as test: Kendall's tau."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from tempfile import NamedTemporaryFile

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.peer_flan import flan
from experiments.report import markdown_table, mean_cell, origin, publish
from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.cell import CellFeatures
from ktnas.encoding.onehot import OneHot
from ktnas.registry import PLUGINS, build
from ktnas.space import SearchSpace, load_space
from ktnas.surrogate.base import Surrogate
from ktnas.surrogate.ensemble import FADED, Ensemble
from ktnas.surrogate.graph_network import GraphNetwork
from ktnas.surrogate.warp import GapWarp
from ktnas.tables import locate

NAME = "few_samples"
SIZES = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Benchmark:
    """A table of accuracies.

    Attributes:
        space: of its architectures.
        file: CSV with the column ``arch``.
        column: of the accuracy.
        published: FLAN's Kendall tau at each of ``SIZES`` (Akhauri and Abdelfattah, ICML 2024).
        proxies: CSV with columns ``arch``, ``params`` and ``flops``.
        task: its rows of this ``task``, where it has several.
        sized: whether the ensemble is tried with sizes, too: where they help the process.
        peer_sizes: of ``SIZES``, those at which FLAN is trained as well; it takes minutes.
    """

    space: str
    file: str
    column: str
    published: tuple[float, ...] = ()
    proxies: str = ""
    task: str = ""
    sized: bool = False
    peer_sizes: tuple[int, ...] = ()


BENCHMARKS = {
    "NAS-Bench-201 cifar10": Benchmark(
        "nasbench201",
        "nasbench201_accuracy.csv.gz",
        "cifar10_val",
        (0.515, 0.594, 0.703, 0.735, 0.829, 0.863),
        "nasbench201_zero_cost.csv.gz",
        "cifar10",
        peer_sizes=(128, 256),
    ),
    "TransNAS micro class_scene": Benchmark(
        "transnas_micro",
        "transnas_micro_score.csv.gz",
        "class_scene",
        (0.460, 0.556, 0.649, 0.722, 0.775, 0.797),
        "transnas_micro_zero_cost.csv.gz",
        "class_scene",
    ),
    "DARTS cifar10": Benchmark(
        "darts",
        "darts_nasbench301_sample.csv.gz",
        "val_accuracy",
        (0.328, 0.516, 0.705, 0.785, 0.822, 0.860),
        "darts_nasbench301_sample.csv.gz",
        sized=True,
        peer_sizes=(128, 256),
    ),
}
METHODS = (
    "params",
    "ridge",
    "multitask_gp",
    "multitask_gp_size",
    "networks",
    "ensemble",
    "ensemble_size",
    "ensemble_prior",
    "flan",
    "flan_proxies",
)
PEER_SEEDS = 3
NEURAL = ("networks", "ensemble", "ensemble_size", "ensemble_prior", "flan", "flan_proxies")
SIZE_PRIOR = 0.5
"""Of ``ensemble_prior``; chosen on NAS-Bench-101, CIFAR-100, ImageNet16-120, class_object and jigsaw."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.add_argument(
        "--neural-seeds", type=int, default=5, help="runs of methods that train networks (default: 5)"
    )
    parser.add_argument(
        "--benchmarks", type=names_among(list(BENCHMARKS)), default=list(BENCHMARKS), help="of all tables"
    )
    parser.add_argument("--sizes", type=names_among(list(map(str, SIZES))), default=list(map(str, SIZES)))
    given = parser.parse_args(arguments)
    jobs = []
    for name in given.benchmarks:
        for size in map(int, given.sizes):
            for method in given.methods:
                count = draws(method, BENCHMARKS[name], size, given.seeds, given.neural_seeds)
                config = config_hash({"benchmark": name, "size": size, "method": method})
                jobs += [
                    Job(f"{name} {size}", method, seed, config, partial(measure, name, size, method, seed))
                    for seed in range(given.first_seed, given.first_seed + count)
                ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    parts = [table(rows, name, list(map(int, given.sizes))) for name in given.benchmarks]
    publish(
        given.out / f"{NAME}.md",
        "Accuracies from few samples",
        [*parts, NOTES, origin(command_line(NAME, arguments))],
    )


def draws(method: str, benchmark: Benchmark, size: int, seeds: int, neural_seeds: int) -> int:
    """Runs of a method, 0 where it says nothing new or takes too long."""
    if method == "ensemble_size" and not benchmark.sized:
        return 0
    if method == "ensemble_prior" and size >= FADED:
        return 0
    if method.startswith("flan"):
        return min(seeds, neural_seeds, PEER_SEEDS) if size in benchmark.peer_sizes else 0
    return min(seeds, neural_seeds) if method in NEURAL else seeds


def measure(name: str, size: int, method: str, seed: int) -> Mapping[str, float]:
    """Kendall's tau of a method that has seen ``size`` random architectures."""
    space, genotypes, accuracies = known(name)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(genotypes))
    seen, unseen = order[:size], order[size:]
    errors = 100 - accuracies[seen]
    values = GapWarp.of(errors).forward(errors)
    predicted = predict(method, BENCHMARKS[name], space, genotypes, seen, unseen, values, seed)
    return {"tau": float(kendalltau(-predicted, accuracies[unseen])[0])}


@cache
def known(name: str) -> tuple[SearchSpace, IntArray, FloatArray]:
    """Space, genotypes (N, V) and accuracies (N,) of a table."""
    benchmark = BENCHMARKS[name]
    space = load_space(benchmark.space)
    frame = pd.read_csv(locate(benchmark.file))
    return space, space.parse(frame["arch"].tolist()), frame[benchmark.column].to_numpy(dtype=np.float64)


def predict(
    method: str,
    benchmark: Benchmark,
    space: SearchSpace,
    genotypes: IntArray,
    seen: IntArray,
    unseen: IntArray,
    values: FloatArray,
    seed: int,
) -> FloatArray:
    """Predicted values (M,), the smaller the better, of ``genotypes[unseen]``."""
    tasks = np.zeros(len(seen), dtype=np.int64)
    if method == "params":
        return -sizes(benchmark)["params"].to_numpy(dtype=np.float64)[unseen]
    if method == "ridge":
        return ridge(OneHot().fit(space, 0).transform(genotypes), seen, unseen, values)
    if method.startswith("flan"):
        extras = proxies(benchmark) if method == "flan_proxies" else np.empty((len(genotypes), 0))
        return flan(space, genotypes, extras, seen, unseen, values, seed)
    surrogate = surrogate_of(method)
    surrogate.prepare(encoding(space, method, benchmark), 1, seed).fit(genotypes[seen], tasks, values)
    predicted: FloatArray = surrogate.predict(genotypes[unseen], 0)
    return predicted


def surrogate_of(method: str) -> Surrogate:
    """The surrogate that a method names."""
    if method == "networks":
        return GraphNetwork()
    if method == "ensemble_prior":
        return Ensemble(size_prior=SIZE_PRIOR)
    built: Surrogate = build("surrogate", {"name": method.removesuffix("_size")})
    return built


@cache
def encoding(space: SearchSpace, method: str, benchmark: Benchmark) -> Encoding:
    """The cell features, with parameters and FLOPs beside them for ``_size``."""
    if not method.endswith("_size"):
        return CellFeatures().fit(space, 0)
    with NamedTemporaryFile("w", suffix=".csv") as file:
        sizes(benchmark).to_csv(file.name, index=False)
        size = {"name": "zero_cost", "proxies": "params,flops", "table": file.name}
        fitted: Encoding = build("encoding", {"name": "combined", "parts": ["cell", size]})
        return fitted.fit(space, 0)


@cache
def sizes(benchmark: Benchmark) -> pd.DataFrame:
    """Columns ``arch``, ``params`` and ``flops`` of every architecture of the table.

    Where only some are published, the others follow from them: a network of an edge cell is as large as the
    operations on its edges together, so that sizes are linear in the one-hot encoding.
    """
    frame = pd.read_csv(locate(benchmark.proxies))
    if benchmark.task:
        frame = frame[frame["task"] == benchmark.task].drop_duplicates("arch")
    every = pd.read_csv(locate(benchmark.file))["arch"]
    if set(every) <= set(frame["arch"]):
        return frame.set_index("arch").loc[every, ["params", "flops"]].reset_index()
    space = load_space(benchmark.space)
    known_vectors, vectors = (one_hot(space, texts) for texts in (frame["arch"], every))
    filled = {"arch": every}
    for name in ("params", "flops"):
        known_sizes = frame[name].to_numpy(dtype=np.float64)
        weights = np.linalg.lstsq(known_vectors, known_sizes, rcond=None)[0]
        assert np.allclose(known_vectors @ weights, known_sizes, rtol=1e-4), f"{name} is not additive"
        filled[name] = vectors @ weights
    return pd.DataFrame(filled)


@cache
def proxies(benchmark: Benchmark) -> FloatArray:
    """Zero-cost proxies (N, P) of every architecture, by their places in [0, 1]; 1/2 where there is none."""
    frame = pd.read_csv(locate(benchmark.proxies))
    if benchmark.task:
        frame = frame[frame["task"] == benchmark.task]
    scores = frame.drop_duplicates("arch").set_index("arch")[
        [name for name in PLUGINS["proxy"] if name in frame]
    ]
    every = pd.read_csv(locate(benchmark.file))["arch"]
    return scores.rank(pct=True).reindex(every).fillna(0.5).to_numpy(dtype=np.float64)


def one_hot(space: SearchSpace, texts: Iterable[str]) -> FloatArray:
    """One-hot vectors (N, D) of architectures, a constant beside them."""
    vectors = OneHot().fit(space, 0).transform(space.parse(list(texts)))
    return np.column_stack([vectors, np.ones(len(vectors))])


def ridge(vectors: FloatArray, seen: IntArray, unseen: IntArray, values: FloatArray) -> FloatArray:
    """Ridge regression whose penalty is chosen by leave-one-out."""
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(np.logspace(-2, 3, 16)).fit(vectors[seen], values)
    return np.asarray(model.predict(vectors[unseen]))


def table(rows: pd.DataFrame, name: str, sizes: Sequence[int]) -> str:
    """A row per method, a column per number of samples."""
    lines = []
    for method in dict.fromkeys(rows["method"]):
        own = rows[rows["method"] == method]
        cells = [own.loc[own["setting"] == f"{name} {size}", "tau"] for size in sizes]
        if any(len(cell) for cell in cells):
            lines.append([f"`{method}`", *(mean_cell(cell, 3) for cell in cells)])
    published = dict(zip(SIZES, BENCHMARKS[name].published, strict=True))
    lines.append(["FLAN, published", *(f"{published[size]:.3f}" for size in sizes)])
    header = [name, *(f"{size}" for size in sizes)]
    return f"## {name}\n\n{markdown_table(header, lines)}"


NOTES = (
    "Kendall's tau, mean ± standard error over draws of the samples. Values are the warped errors of a\n"
    "search (`GapWarp`). `ridge` is on the one-hot encoding; `multitask_gp` and `ensemble` are on the cell\n"
    "features, those with `_size` with parameters and FLOPs beside them; `ensemble_prior` is the ensemble\n"
    f"with `size_prior={SIZE_PRIOR}`, which from {FADED} on changes nothing; `params` is the number of\n"
    "parameters alone, `networks` the graph networks of the ensemble alone, where there is such a row.\n\n"
    "`flan` is FLAN's predictor built anew from its description and trained on the same samples; a row\n"
    "`flan_proxies` is given zero-cost proxies as well. What is published was measured on other accuracies:\n"
    "of NAS-Bench-201, means of up to three trainings; here, by their scatter, they are of one. The\n"
    "NAS-Bench-301 of the authors' code is a million networks whose two cells are equal, with accuracies\n"
    "that a model predicts; here it is 1,218 networks of two different cells.\n"
)


if __name__ == "__main__":
    start(NAME)
