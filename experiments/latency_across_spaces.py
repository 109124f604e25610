"""How well latencies are ordered from a few measurements and what the device takes in another space."""

from collections.abc import Mapping, Sequence
from functools import cache, partial

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.few_shot_latency import TASK, alone, known
from experiments.report import markdown_table, mean_cell, origin, publish
from ktnas.arrays import IntArray
from ktnas.latency.base import DeviceLatencies
from ktnas.latency.few_shot import FewShot

NAME = "latency_across_spaces"
SIZES = (5, 10, 20, 40, 85)
METHODS = ("known", "unknown", "flops")
WAYS = {
    "NAS-Bench-201 to FBNet": ("nasbench201", "fbnet"),
    "FBNet to NAS-Bench-201": ("fbnet", "nasbench201"),
}
DEVICES = (
    "titan_rtx_1",
    "1080ti_32",
    "gold_6226",
    "silver_4210r",
    "pixel3",
    "samsung_a50",
    "essential_ph_1",
    "raspi4",
    "eyeriss",
    "fpga",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.set_defaults(seeds=5)
    parser.add_argument("--ways", type=names_among(list(WAYS)), default=list(WAYS), help="of both ways")
    parser.add_argument("--devices", type=names_among(DEVICES), default=list(DEVICES), help="of all devices")
    given = parser.parse_args(arguments)
    jobs = [
        Job(
            f"{way}: {device}",
            method,
            seed,
            config_hash({"way": way, "device": device, "method": method, "model": repr(FewShot())}),
            partial(measure, way, device, method, seed),
        )
        for way in given.ways
        for device in given.devices
        for seed in range(given.first_seed, given.first_seed + given.seeds)
        for method in given.methods
    ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    rows[["way", "device"]] = rows["setting"].str.split(": ", n=1, expand=True)
    parts = [f"## {way}\n\n{table(rows[rows['way'] == way])}" for way in given.ways]
    publish(
        given.out / f"{NAME}.md",
        "Latency across spaces",
        [*parts, NOTES, origin(command_line(NAME, arguments), rows)],
    )


def measure(way: str, device: str, method: str, seed: int) -> Mapping[str, float]:
    """Spearman's correlation at each of ``SIZES``."""
    _, target = WAYS[way]
    _, genotypes, latencies = known(target)
    latency = latencies[device].to_numpy(dtype=np.float64)
    numbers = {}
    for size in SIZES:
        seen = samples(way, device, method, seed)[:size]
        unseen = np.setdiff1d(np.arange(len(genotypes)), seen)
        if method == "flops":
            predicted = alone(target, method)[unseen]
        else:
            model = prepared(way, device, method).fit(genotypes[seen], latency[seen])
            predicted = model.predict(genotypes[unseen])
        numbers[f"spearman_{size}"] = float(spearmanr(predicted, latency[unseen])[0])
    return numbers


@cache
def prepared(way: str, device: str, method: str) -> FewShot:
    """The model of the target space; for ``known`` with all of the device's latencies in the other one."""
    source, target = WAYS[way]
    space, genotypes, latencies = known(source)
    table = DeviceLatencies(space, genotypes, latencies[[device]].to_numpy(), (device,))
    return FewShot().prepare(known(target)[0], TASK, 0, [table] if method == "known" else [])


@cache
def samples(way: str, device: str, method: str, seed: int) -> IntArray:
    """Rows (85,) of the target's table to measure, chosen from a random half of it."""
    _, genotypes, _ = known(WAYS[way][1])
    half = np.random.default_rng(seed).permutation(len(genotypes))[: len(genotypes) // 2]
    if method == "flops":
        return half[: max(SIZES)]
    return np.asarray(half[prepared(way, device, method).choose(genotypes[half], max(SIZES))])


def table(rows: pd.DataFrame) -> str:
    """Means over devices and draws, then a row per device with and without knowledge."""
    columns = [f"spearman_{size}" for size in SIZES]
    lines = []
    for method in dict.fromkeys(rows["method"]):
        drawn = rows[rows["method"] == method].groupby("seed")[columns].mean()
        lines.append([f"**mean**, `{method}`", *(mean_cell(drawn[column], 3) for column in columns)])
    for (device, method), own in rows.groupby(["device", "method"], sort=False):
        if method != "flops":
            cells = [mean_cell(own[column], 3) for column in columns]
            lines.append([f"{device}, `{method}`", *cells])
    return markdown_table(["", *map(str, SIZES)], lines)


NOTES = (
    "Spearman's correlation between prediction and measurement over all architectures of the target space\n"
    "that were not measured, mean over devices ± standard error over draws, by number of measurements. Each\n"
    "draw offers another random half of the table to choose from. `known` knows all latencies of the same\n"
    "device in the other space, `unknown` nothing but the measurements; both are `few_shot`. `flops` is the\n"
    "multiply-accumulates of the networks alone. Multi-Predict's headline is this transfer with fewer than\n"
    "85 measurements. Knowing the other space helps on average with 5 measurements of FBNet, and costs up\n"
    "to 0.008 elsewhere: the totals of the networks tell nearly as much without it.\n"
)


if __name__ == "__main__":
    start(NAME)
