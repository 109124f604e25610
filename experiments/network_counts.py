"""Parameters and FLOPs of our networks beside those of the published tables, row by row."""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from joblib import Parallel, delayed

from experiments.common import RESULTS, command_line
from experiments.report import NOTHING, markdown_table, origin, publish
from ktnas.engine.benchmark import load_benchmark
from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.task import network_task
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.tables import locate

NAME = "network_counts"
CHUNK = 50
GRAPHS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")


@dataclass(frozen=True)
class Published:
    """A table with counts.

    Attributes:
        space: whose networks it counts.
        file: CSV file.
        convention: of its FLOPs.
        arch: column of architectures.
        scale: what its counts are multiplied with.
        task: of all its rows; None where column ``task`` says it.
        outputs: outputs of a task's networks where they are not the task's own.
    """

    space: str
    file: str
    convention: str = "suite_zero"
    arch: str = "arch"
    scale: float = 1e6
    task: str | None = None
    outputs: Mapping[str, int] = field(default_factory=dict)


SUITE_ZERO_CLASSES = {"class_object": 100, "class_scene": 63}
TABLES = (
    Published("nasbench201", "nasbench201_zero_cost.csv.gz"),
    Published("transnas_micro", "transnas_micro_zero_cost.csv.gz", outputs=SUITE_ZERO_CLASSES),
    Published("transnas_macro", "transnas_macro_zero_cost.csv.gz", outputs=SUITE_ZERO_CLASSES),
    Published("darts", "darts_nasbench301_sample.csv.gz", task="cifar10"),
    Published("nasbench101", "nasbench101_sample.csv.gz", task="cifar10"),
    Published("fbnet", "fbnet_zero_cost.csv.gz", "flopth", scale=1, task="cifar100"),
    *(
        Published(
            "mobilenetv3", f"mobilenetv3_mtlp_jr_{part}.csv", "once_for_all", "arch_config", 1, "imagenet"
        )
        for part in ("train", "valid")
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, then print and write the table."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{NAME}", description=__doc__)
    parser.add_argument("--rows", type=int, help="random rows of each task of a table (default: all)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--spaces", help="some of the spaces, with commas between (default: all)")
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help=f"directory of results (default: {RESULTS})"
    )
    given = parser.parse_args(arguments)
    known = list(dict.fromkeys([*(table.space for table in TABLES), "nasbench_graph"]))
    chosen = given.spaces.split(",") if given.spaces else known
    for name in chosen:
        if name not in known:
            parser.error(f"--spaces: no table counts networks of '{name}'; there are {', '.join(known)}")
    lines: list[list[str]] = []
    with Parallel(given.workers) as parallel:
        for table in (table for table in TABLES if table.space in chosen):
            lines += compare_table(table, given.rows, parallel)
        if "nasbench_graph" in chosen:
            lines += [compare_graph(task, given.rows, parallel) for task in GRAPHS]
    header = [
        "space",
        "task",
        "convention of FLOPs",
        "rows",
        "parameters equal",
        "FLOPs equal",
        "ms per network",
    ]
    publish(given.out / f"{NAME}.md", "Networks counted", [markdown_table(header, lines), *notes(arguments)])


def compare_table(table: Published, rows: int | None, parallel: Parallel) -> list[list[str]]:
    """A line for each task of a table."""
    frame = pd.read_csv(locate(table.file))
    tasks = frame["task"] if table.task is None else pd.Series(table.task, index=frame.index)
    lines = []
    for task, own in frame.groupby(tasks, sort=False):
        part = own if rows is None else own.sample(min(rows, len(own)), random_state=0)
        texts = part[table.arch].tolist()
        started = time.perf_counter()
        counted = run(table, str(task), texts, parallel)
        each = 1e3 * (time.perf_counter() - started) * parallel.n_jobs / len(texts)
        equal = [
            int((counted[name] == (part[name].to_numpy() * table.scale).round()).sum())
            for name in ("params", "flops")
        ]
        lines.append([table.space, str(task), table.convention, *cells(len(texts), equal), f"{each:.0f}"])
        print(" | ".join(lines[-1]), flush=True)
    return lines


def compare_graph(task: str, rows: int | None, parallel: Parallel) -> list[str]:
    """The line of a data set of NAS-Bench-Graph, which counts parameters alone."""
    known = load_benchmark("nasbench_graph").task(task)
    genotypes, frame = known.universe(), known.table()
    assert genotypes is not None
    assert frame is not None
    part = frame if rows is None else frame.sample(min(rows, len(frame)), random_state=0)
    texts = known.space.format(genotypes[part.index])
    started = time.perf_counter()
    counted = run(Published("nasbench_graph", "", ""), task, texts, parallel)
    each = 1e3 * (time.perf_counter() - started) * parallel.n_jobs / len(texts)
    # the table rounds to thousandths of a million, or less
    equal = int(((counted["params"] - part["params"].to_numpy()).abs() < 1).sum())
    line = ["nasbench_graph", task, NOTHING, *cells(len(texts), [equal]), NOTHING, f"{each:.0f}"]
    print(" | ".join(line), flush=True)
    return line


def run(table: Published, task: str, texts: Sequence[str], parallel: Parallel) -> pd.DataFrame:
    """Columns ``params`` and ``flops`` of our networks, a row per text."""
    parts = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    counted = parallel(delayed(count)(table, task, part) for part in parts)
    return pd.DataFrame([row for part in counted for row in part], columns=["params", "flops"])


def count(table: Published, name: str, texts: Sequence[str]) -> list[tuple[int, int]]:
    """Parameters and FLOPs of the networks of some architectures; nothing is computed on the meta device."""
    torch.set_num_threads(1)
    space = load_space(table.space)
    task = network_task(name)
    if name in table.outputs:
        task = network_task(name, outputs=table.outputs[name])
    builder = build("network", space.network)
    rows = []
    for genotype in space.parse(texts):
        with torch.device("meta"):
            network = builder.build(space, genotype, task, seed=0)
        flops = 0
        if table.convention:
            shape = builder.task_of(space, genotype, task).input_shape
            flops = count_flops(network, torch.empty(1, *shape, device="meta"), table.convention)
        rows.append((count_parameters(network), flops))
    return rows


def cells(rows: int, equal: Sequence[int]) -> list[str]:
    """Number of rows, and of those that are equal, bold where not all are."""
    return [f"{rows:,}", *(f"{number:,}" if number == rows else f"**{number:,}**" for number in equal)]


def notes(arguments: Sequence[str] | None) -> list[str]:
    """What is to be known of the table."""
    return [
        "Equal means the same integer. The networks are those of `space.build` with its defaults, except for the\n"
        "classes of TransNAS-Bench-101: NAS-Bench-Suite-Zero's networks have 100 for `class_object` and 63 for\n"
        "`class_scene`, the benchmark's own 75 and 47.\n"
        "docs/networks.md says why rows of NAS-Bench-Graph's `physics` differ.\n",
        origin(command_line(NAME, arguments)),
    ]


if __name__ == "__main__":
    try:
        main()
    except UserError as problem:
        raise SystemExit(f"error: {problem}") from None
