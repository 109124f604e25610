"""Networks timed on this machine: how well timings repeat, and how well models of latency predict them.

NAS-Bench-201 networks for cifar10 are measured with ``ktnas measure``, twice for each way of running them.
Models learn from some networks of the first run and predict its others; beside them stands what the second
run says of these. Measurements are kept and continued, so this can be interrupted. Run it on a
machine that does nothing else.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.stats import spearmanr

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.report import NOTHING, markdown_table, mean_cell, origin, publish
from ktnas.arrays import FloatArray
from ktnas.engine.informative import known_devices
from ktnas.latency.base import LatencyModel
from ktnas.measure.files import read_description
from ktnas.measure.layers import measure_layers
from ktnas.measure.measuring import draw, measure
from ktnas.measure.session import Measured, Plan
from ktnas.measure.timing import Limits
from ktnas.network.task import NetworkTask, network_task
from ktnas.registry import build
from ktnas.resources import resource_dir
from ktnas.space import SearchSpace, load_space

NAME = "device_table"
SPACE = "nasbench201"
RUNNERS = {"torch": "cpu", "onnxruntime": "onnxruntime", "cuda": "cuda"}
CPU_RUNNERS = ("torch", "onnxruntime")
RUNS = (1, 2)
SIZES = (20, 100)
METHODS = ("second_run", "flops", "layer_wise", "layers_measured", "gcn", "few_shot_alone", "few_shot")
SHARES = (0.05, 0.10)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print and write the tables."""
    parser = options(NAME, __doc__ or "", METHODS)
    parser.set_defaults(seeds=5)
    parser.add_argument("--networks", type=int, default=200, help="that are measured (default: 200)")
    parser.add_argument("--pixels", type=int, default=32, help="of an image's side (default: 32)")
    parser.add_argument("--max-seconds", type=float, default=0.25, help="of a look (default: 0.25)")
    parser.add_argument("--looks", type=int, default=3, help="at each network (default: 3)")
    parser.add_argument(
        "--drift", type=float, default=0.05, help="of the reference, from which on looks are repeated"
    )
    parser.add_argument("--space", default=SPACE, help=f"(default: {SPACE})")
    parser.add_argument("--runners", type=names_among(list(RUNNERS)), default=list(CPU_RUNNERS))
    parser.add_argument("--sizes", type=names_among(list(map(str, SIZES))), default=list(map(str, SIZES)))
    given = parser.parse_args(arguments)
    jobs = []
    measure_all(given)
    for runner in given.runners:
        for size in map(int, given.sizes):
            for method in given.methods:
                jobs += [
                    Job(
                        f"{runner} {size}",
                        method,
                        seed,
                        config_hash({"method": method, "size": size, "measured": digest(given.out, runner)}),
                        partial(judge, given.out, given.space, runner, method, size, seed),
                    )
                    for seed in range(given.first_seed, given.first_seed + given.seeds)
                ]
    rows = run_jobs(given.out / f"{NAME}.csv", jobs, given.workers, given.replace)
    parts = [
        hardware(given.out, given.runners),
        repeatability(given.out, given.runners),
        *(errors(rows, given.out, runner, list(map(int, given.sizes))) for runner in given.runners),
        NOTES,
        origin(command_line(NAME, arguments), rows),
    ]
    publish(given.out / f"{NAME}.md", "Latencies measured here", parts)


def measure_all(given: argparse.Namespace) -> None:
    """Measure networks with every runner, run after run, and the layers of the networks once."""
    space, task = load_space(given.space), network_task("cifar10", size=given.pixels)
    genotypes = draw(space, given.networks, seed=0)
    plan = Plan(Limits(max_seconds=given.max_seconds), looks=given.looks, every=10, tolerance=given.drift)
    texts = space.format(genotypes)
    for run in RUNS:
        for runner in given.runners:
            if not _finished(given.out / NAME / f"{runner}_{run}", texts):
                _measure(space, task, runner, run, genotypes, plan, given.out / NAME)
    if "layers_measured" in given.methods:
        for runner in given.runners:
            path = given.out / NAME / f"{runner}.operations.csv"
            measure_layers(space, texts, _runner(runner), task, path, plan, _progress(f"{runner}, layers"))


def _finished(stem: Path, texts: Sequence[str]) -> bool:
    """Whether all of ``texts`` were measured; they can then be judged on another machine."""
    description = read_description(stem.with_name(f"{stem.name}.json"))
    if description is None or not description["finished"]:
        return False
    return set(texts) <= set(pd.read_csv(stem.with_name(f"{stem.name}.csv"))["arch"])


def _measure(
    space: SearchSpace,
    task: NetworkTask,
    runner: str,
    run: int,
    genotypes: Any,
    plan: Plan,
    directory: Path,
) -> Measured:
    return measure(
        space,
        genotypes,
        _runner(runner),
        task,
        name=f"{runner}_{run}",
        directory=directory,
        plan=plan,
        progress=_progress(f"{runner}, run {run}"),
        tell=lambda message: print(message, file=sys.stderr, flush=True),
    )


def _runner(name: str) -> Any:
    preset = resource_dir("conf") / "runner" / f"{RUNNERS[name]}.yaml"
    return build("runner", yaml.safe_load(preset.read_text(encoding="utf-8")))


def _progress(what: str) -> Any:
    return lambda done, total: print(f"[{done}/{total}] {what}", file=sys.stderr, flush=True)


def latencies(out: Path, runner: str) -> pd.DataFrame:
    """Latencies in ms of the networks measured in both runs: index ``arch``, a column per run."""
    columns = {
        run: pd.read_csv(out / NAME / f"{runner}_{run}.csv").set_index("arch")["latency_ms"] for run in RUNS
    }
    return pd.DataFrame(columns).dropna()


def digest(out: Path, runner: str) -> str:
    """Short hash of what was measured."""
    files = sorted((out / NAME).glob(f"{runner}*.csv"))
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=6).hexdigest()


def judge(out: Path, space_name: str, runner: str, method: str, size: int, seed: int) -> Mapping[str, float]:
    """How a method that has seen ``size`` random networks of the first run predicts its other ones."""
    table, space = latencies(out, runner), load_space(space_name)
    order = np.random.default_rng(seed).permutation(len(table))
    seen, unseen = order[:size], order[size:]
    first, second = table[1].to_numpy(), table[2].to_numpy()
    if method == "second_run":
        predicted = second[unseen]
    else:
        genotypes = space.parse(table.index.tolist())
        model = _model(method, out, runner)
        model.prepare(space, "cifar10", seed, known_devices(space) if method == "few_shot" else ())
        predicted = model.fit(genotypes[seen], first[seen]).predict(genotypes[unseen])
    return agreement(predicted, first[unseen])


def _model(method: str, out: Path, runner: str) -> LatencyModel:
    if method == "layers_measured":
        measured = str((out / NAME / f"{runner}.operations.csv").resolve())
        model: LatencyModel = build("latency_model", {"name": "layer_wise", "operations": measured})
        return model
    model = build("latency_model", {"name": method.removesuffix("_alone")})
    return model


def agreement(values: FloatArray, truth: FloatArray) -> dict[str, float]:
    """Spearman's rho (0 of equal values), median relative difference and shares within ±5 and ±10 %, in %."""
    off = np.abs(values / truth - 1)
    return {
        "spearman": float(spearmanr(values, truth)[0]) if np.ptp(values) > 0 else 0.0,
        "median": 100 * float(np.median(off)),
        **{f"within_{share:.0%}".rstrip("%"): 100 * float((off <= share).mean()) for share in SHARES},
    }


def hardware(out: Path, runners: Sequence[str]) -> str:
    """What was measured on, in words."""
    lines = []
    for runner in runners:
        description = read_description(out / NAME / f"{runner}_1.json")
        assert description is not None
        machine, settings = description["machine"], description["settings"]
        parameters = settings["runner"]
        version = (
            f"onnxruntime {machine['onnxruntime']}"
            if runner == "onnxruntime"
            else f"torch {machine['torch']}"
        )
        lines.append(
            f"- {runner}: {machine.get('gpu') or machine['cpu']}, {machine['usable_cores']} cores, "
            f"{machine['memory_gib']:g} GiB, {machine['os'].partition('-')[0]}; {version}, "
            f"{parameters['threads']} thread, batch {parameters['batch']}, float32, at most "
            f"{settings['max_seconds']:g} s per look."
        )
    return "\n".join(lines) + "\n"


def repeatability(out: Path, runners: Sequence[str]) -> str:
    """A row per runner: what its two runs have in common."""
    header = ["runner", "networks", "median ms", "Spearman", "median difference"]
    header += [*(f"within ±{share:.0%}" for share in SHARES), "drift of the reference"]
    lines = []
    for runner in runners:
        table = latencies(out, runner)
        same = agreement(table[2].to_numpy(), table[1].to_numpy())
        drifts = " and ".join(_drift(out / NAME / f"{runner}_{run}.json") for run in RUNS)
        lines.append(
            [
                runner,
                f"{len(table)}",
                f"{table[1].median():.2f}",
                f"{same['spearman']:.4f}",
                f"{same['median']:.1f} %",
                *(f"{same[f'within_{share:.0%}'.rstrip('%')]:.1f} %" for share in SHARES),
                drifts,
            ]
        )
    return f"## Two runs\n\n{markdown_table(header, lines)}"


def _drift(path: Path) -> str:
    description = read_description(path)
    assert description is not None
    taken = np.array(description["reference"]["latency_ms"], dtype=np.float64)
    return f"{np.ptp(taken[np.isfinite(taken)]) / np.nanmedian(taken):.1%}"


def errors(rows: pd.DataFrame, out: Path, runner: str, sizes: Sequence[int]) -> str:
    """A row per method, three columns per number of training networks."""
    header = ["method"]
    for size in sizes:
        header += [f"{size}: Spearman", f"{size}: median error", f"{size}: within ±10 %"]
    lines = []
    for method in dict.fromkeys(rows["method"]):
        cells = []
        for size in sizes:
            own = rows[(rows["method"] == method) & (rows["setting"] == f"{runner} {size}")]
            cells += [
                mean_cell(own["spearman"], 3),
                mean_cell(own["median"], 1),
                mean_cell(own["within_10"], 1),
            ]
        if any(cell != NOTHING for cell in cells):
            lines.append([f"`{method}`", *cells])
    return f"## {runner}: {len(latencies(out, runner))} networks\n\n{markdown_table(header, lines)}"


NOTES = (
    "Models learn from 20 or 100 random networks of the first run and predict its others; mean ± standard\n"
    "error over draws, median error and shares in per cent. `second_run` is what the second run measured:\n"
    "how well timings repeat. `layers_measured` is `layer_wise` with every layer timed alone.\n"
    "`few_shot` knows the published latencies of other devices, `few_shot_alone` does not.\n"
)


if __name__ == "__main__":
    start(NAME)
