"""How well latencies on a new device are ordered from a few measurements and what other devices take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.few_samples import ridge
from experiments.report import markdown_table, mean_cell, origin, publish
from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.latency.base import DeviceLatencies
from ktnas.latency.few_shot import FewShot
from ktnas.space import SearchSpace, load_space
from ktnas.tables import locate

NAME = "few_shot_latency"
SIZES = (5, 10, 20, 50)
METHODS = ("few_shot", "random", "ridge", "flops", "blocks", "layers")
TASK = "cifar100"
GPUS = [
    f"{name}_{batch}"
    for name in ("1080ti", "2080ti", "titan_rtx", "titanx", "titanxp")
    for batch in (1, 32, 64)
]


@dataclass(frozen=True)
class Pool:
    """Devices that are known, and devices to predict.

    Attributes:
        space: of the architectures; its table has a column per device.
        sources: known for every architecture.
        targets: known for a few.
        published: Spearman's correlation with 20 samples of HELP, Multi-Predict and NASFLAT.
    """

    space: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    published: tuple[str, str, str] = ("", "", "")


def pool(space: str, sources: str, targets: str, *published: str) -> Pool:
    """A pool, its devices separated by blanks."""
    help_, multi_predict, nasflat = published
    return Pool(space, tuple(sources.split()), tuple(targets.split()), (help_, multi_predict, nasflat))


_CROSS = "silver_4114 silver_4210r samsung_a50 pixel3 essential_ph_1 samsung_s7"
POOLS = {
    "ND": pool(
        "nasbench201",
        f"1080ti_1 1080ti_32 1080ti_256 {_CROSS}",
        "titan_rtx_256 gold_6226 fpga pixel2 raspi4 eyeriss",
        *("0.949", "0.930", "0.975"),
    ),
    "FD": pool(
        "fbnet",
        f"1080ti_1 1080ti_32 1080ti_64 {_CROSS}",
        "fpga raspi4 eyeriss",
        *("0.966", "0.944", "0.969"),
    ),
    "F1": pool(
        "fbnet",
        "2080ti_1 essential_ph_1 silver_4114 titan_rtx_1 titan_rtx_32",
        "eyeriss fpga raspi4 samsung_a50 samsung_s7",
        *("0.794", "0.757", "0.809"),
    ),
    "F2": pool(
        "fbnet",
        "essential_ph_1 gold_6226 gold_6240 pixel3 raspi4",
        "1080ti_1 1080ti_32 2080ti_32 titan_rtx_1 titanxp_1",
        *("0.544", "0.567", "0.884"),
    ),
    "F3": pool(
        "fbnet",
        "essential_ph_1 pixel2 pixel3 raspi4 samsung_s7",
        "1080ti_1 1080ti_32 2080ti_1 titan_rtx_1 titan_rtx_32",
        *("0.414", "0.435", "0.863"),
    ),
    "F4": pool(
        "fbnet",
        "1080ti_64 2080ti_1 eyeriss gold_6226 gold_6240 raspi4 samsung_s7 silver_4210r titan_rtx_1 "
        "titan_rtx_32",
        "1080ti_1 pixel2 essential_ph_1",
        *("0.799", "0.764", "0.872"),
    ),
    "FA": pool(
        "fbnet",
        " ".join(GPUS),
        "gold_6226 essential_ph_1 samsung_s7 pixel2",
        *("0.407", "0.470", "0.625"),
    ),
}
TABLES = {"nasbench201": "nasbench201_latency_ms.csv.gz", "fbnet": "fbnet_latency_ms.csv.gz"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.set_defaults(seeds=10)
    parser.add_argument("--pools", type=names_among(list(POOLS)), default=list(POOLS), help="of all pools")
    given = parser.parse_args(arguments)
    jobs = [
        Job(
            f"{name} {device}",
            method,
            seed,
            config_hash({"pool": name, "device": device, "method": method, "model": repr(FewShot())}),
            partial(measure, name, device, method, seed),
        )
        for name in given.pools
        for seed in range(given.first_seed, given.first_seed + given.seeds)
        for method in given.methods
        for device in POOLS[name].targets
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    rows[["pool", "device"]] = rows["setting"].str.split(" ", n=1, expand=True)
    pages = [f"## {size} measurements\n\n{table(rows, given.pools, size)}" for size in reversed(SIZES)]
    publish(
        given.out / f"{NAME}.md",
        "Latency on a new device from a few measurements",
        [*pages, f"## By device\n\n{by_device(rows)}", NOTES, origin(command_line(NAME, arguments), rows)],
    )


def measure(name: str, device: str, method: str, seed: int) -> Mapping[str, float]:
    """Spearman's correlation at each of ``SIZES``; with 20, the share within 2 deviations (1 without any)."""
    _, genotypes, latencies = known(POOLS[name].space)
    latency = latencies[device].to_numpy(dtype=np.float64)
    numbers: dict[str, float] = {}
    covered = 1.0
    for size in SIZES:
        seen = samples(name, method, seed)[:size]
        unseen = np.setdiff1d(np.arange(len(genotypes)), seen)
        if method in ("few_shot", "random"):
            model = prepared(name).fit(genotypes[seen], latency[seen])
            predicted, deviation = model.predict(genotypes[unseen], return_std=True)
            if size == 20:
                covered = float((np.abs(predicted - latency[unseen]) < 2 * deviation).mean())
        elif method == "ridge":
            predicted = ridge(logarithms(name), seen, unseen, np.log(latency[seen]))
        else:
            predicted = alone(POOLS[name].space, method)[unseen]
        numbers[f"spearman_{size}"] = float(spearmanr(predicted, latency[unseen])[0])
    return numbers | {"covered": covered}


@cache
def known(name: str) -> tuple[SearchSpace, IntArray, pd.DataFrame]:
    """Space, genotypes (N, V) and latencies of a table."""
    frame = pd.read_csv(locate(TABLES[name]))
    space = load_space(name)
    return space, space.parse(frame.pop("arch").tolist()), frame


@cache
def prepared(name: str) -> FewShot:
    """The model with a pool's source devices known."""
    space, genotypes, latencies = known(POOLS[name].space)
    sources = POOLS[name].sources
    table = DeviceLatencies(space, genotypes, latencies[list(sources)].to_numpy(), sources)
    return FewShot().prepare(space, TASK, 0, [table] if sources else [])


@cache
def samples(name: str, method: str, seed: int) -> IntArray:
    """Rows (50,) to measure, from a random half of the table: chosen by ``few_shot``, else at random."""
    _, genotypes, _ = known(POOLS[name].space)
    half = np.random.default_rng(seed).permutation(len(genotypes))[: len(genotypes) // 2]
    chosen = prepared(name).choose(genotypes[half], max(SIZES)) if method == "few_shot" else slice(max(SIZES))
    return np.asarray(half[chosen])


@cache
def logarithms(name: str) -> FloatArray:
    """Logarithms (N, D) of the latencies of a pool's sources, each of variance 1."""
    _, _, latencies = known(POOLS[name].space)
    logs = np.log(latencies[list(POOLS[name].sources)].to_numpy())
    return np.asarray((logs - logs.mean(axis=0)) / logs.std(axis=0))


@cache
def alone(name: str, method: str) -> FloatArray:
    """A total (N,) of the networks of a table."""
    space, genotypes, _ = known(name)
    column = TOTALS.index({"flops": "macs"}.get(method, method))
    return network_totals(space, genotypes, TASK)[:, column]


def table(rows: pd.DataFrame, pools: Sequence[str], size: int) -> str:
    """A row per method, a column per pool: means over its devices, then over draws."""
    measured = rows.groupby(["method", "pool", "seed"], sort=False)[f"spearman_{size}"].mean().reset_index()
    lines = []
    for method in dict.fromkeys(rows["method"]):
        own = measured[measured["method"] == method]
        cells = [mean_cell(own.loc[own["pool"] == name, f"spearman_{size}"], 3) for name in pools]
        lines.append([f"`{method}`", *cells])
    if size == 20:
        for number, author in enumerate(("HELP", "Multi-Predict", "NASFLAT, best")):
            lines.append([f"{author}, published", *(POOLS[name].published[number] for name in pools)])
    return markdown_table(["", *pools], lines)


def by_device(rows: pd.DataFrame) -> str:
    """A row per pool and device, with 20 measurements."""
    methods = list(dict.fromkeys(rows["method"]))
    lines = []
    for setting, own in rows.groupby("setting", sort=False):
        cells = [mean_cell(own.loc[own["method"] == method, "spearman_20"], 3) for method in methods]
        within = own.loc[own["method"] == "few_shot", "covered"]
        lines.append([str(setting), *cells, mean_cell(within, 2)])
    return markdown_table(["20 measurements", *(f"`{name}`" for name in methods), "within 2 sd"], lines)


NOTES = (
    "Spearman's correlation between prediction and measurement over all architectures that were not\n"
    "measured, mean over target devices ± standard error over draws. The pools are those of Multi-Predict\n"
    "and NASFLAT (ND on NAS-Bench-201, the others on FBNet). What `few_shot` chooses to measure depends on\n"
    "nothing random; each draw therefore offers it another random half of the table. `random` is the same\n"
    "model on random architectures of that half, `ridge` a ridge regression on the logarithms of the source\n"
    "devices' latencies, on the same ones. `flops`, `blocks` and `layers` are totals of the networks,\n"
    "without any measurement. The last column is the share of architectures within 2 standard deviations of\n"
    "what `few_shot` predicts. The model's settings were chosen on pools of other target devices, with and\n"
    "without noise added to their latencies; these pools were looked at in between with seeds 900 to 902.\n"
)


if __name__ == "__main__":
    start(NAME)
