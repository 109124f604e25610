"""Parameters and FLOPs of our networks beside those of the published tables, row by row.

Each finished task of a table is a row of ``network_counts.csv``; called again, it counts only what
is missing.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from experiments.common import RESULTS, command_line, start
from experiments.report import NOTHING, markdown_table, origin, publish
from ktnas.engine.benchmark import load_benchmark
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.task import network_task
from ktnas.record.files import write_atomically
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.tables import locate

NAME = "network_counts"
CHUNK = 50
GRAPH_ROWS = 2000
GRAPHS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")


@dataclass(frozen=True)
class Published:
    """A table with counts.

    Attributes:
        space: whose networks it counts.
        files: CSV files.
        convention: of its FLOPs.
        arch: column of architectures.
        scale: what its counts are multiplied with.
        task: of all its rows; None where column ``task`` says it.
        device: where networks are counted: nothing is computed on ``meta``, small ones are faster on ``cpu``.
        outputs: outputs of a task's networks where they are not the task's own.
    """

    space: str
    files: tuple[str, ...]
    convention: str = "suite_zero"
    arch: str = "arch"
    scale: float = 1e6
    task: str | None = None
    device: str = "meta"
    outputs: Mapping[str, int] = field(default_factory=dict)


HEADER = ["space", "task", "convention of FLOPs", "rows", "parameters equal", "FLOPs equal", "ms per network"]
SUITE_ZERO_CLASSES = {"class_object": 100, "class_scene": 63}
MTLP_JR = ("mobilenetv3_mtlp_jr_train.csv", "mobilenetv3_mtlp_jr_valid.csv")
TABLES = (
    Published("transnas_micro", ("transnas_micro_zero_cost.csv.gz",), outputs=SUITE_ZERO_CLASSES),
    Published("transnas_macro", ("transnas_macro_zero_cost.csv.gz",), outputs=SUITE_ZERO_CLASSES),
    Published("darts", ("darts_nasbench301_sample.csv.gz",), task="cifar10"),
    Published("nasbench101", ("nasbench101_sample.csv.gz",), task="cifar10"),
    Published("fbnet", ("fbnet_zero_cost.csv.gz",), "flopth", scale=1, task="cifar100", device="cpu"),
    Published("mobilenetv3", MTLP_JR, "once_for_all", "arch_config", 1, "imagenet"),
    Published("nasbench201", ("nasbench201_zero_cost.csv.gz",), device="cpu"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, then print and write the table."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{NAME}", description=__doc__)
    parser.add_argument(
        "--rows",
        type=int,
        help="random rows of each task of a table (default: all; 2,000 of NAS-Bench-Graph's)",
    )
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
    path = given.out / f"{NAME}.csv"
    known_lines = pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else pd.DataFrame()
    lines = [list(map(str, line)) for line in known_lines.to_numpy()]
    with Parallel(given.workers) as parallel:
        for job in jobs(chosen, given.rows):
            if not any(line[:4] == job.label for line in lines):
                lines.append([*job.label, *job.compare(parallel)])
                print(" | ".join(lines[-1]), flush=True)
                write_atomically(path, pd.DataFrame(lines, columns=HEADER).to_csv(index=False).encode())
    publish(given.out / f"{NAME}.md", "Networks counted", [markdown_table(HEADER, lines), *notes(arguments)])


@dataclass(frozen=True)
class Job:
    """The rows of one task of a table.

    Attributes:
        table: the table.
        task: the task.
        published: columns ``arch``, ``params`` and ``flops``; NaN where nothing is published.
    """

    table: Published
    task: str
    published: pd.DataFrame

    @property
    def label(self) -> list[str]:
        """Space, task, convention and number of rows."""
        return [self.table.space, self.task, self.table.convention or NOTHING, f"{len(self.published):,}"]

    def compare(self, parallel: Parallel) -> list[str]:
        """How many parameters and FLOPs are equal, and milliseconds per network."""
        texts = self.published["arch"].tolist()
        started = time.perf_counter()
        counted = run(self.table, self.task, texts, parallel)
        each = 1e3 * (time.perf_counter() - started) * parallel.n_jobs / len(texts)
        cells = []
        for name in ("params", "flops"):
            given = self.published[name].to_numpy()
            equal = int((np.abs(counted[name].to_numpy() - given) < 1).sum())
            full = f"{equal:,}" if equal == len(texts) else f"**{equal:,}**"
            cells.append(NOTHING if np.isnan(given).all() else full)
        return [*cells, f"{each:.0f}"]


def jobs(spaces: Sequence[str], rows: int | None) -> list[Job]:
    """All tasks of the tables of some spaces, each with at most ``rows`` random rows."""
    found = []
    for table in (table for table in TABLES if table.space in spaces):
        frame = pd.concat([pd.read_csv(locate(file)) for file in table.files], ignore_index=True)
        frame = frame.rename(columns={table.arch: "arch"})
        frame[["params", "flops"]] = (frame[["params", "flops"]] * table.scale).round()
        tasks = frame["task"] if table.task is None else pd.Series(table.task, index=frame.index)
        for task, own in frame.groupby(tasks, sort=False):
            part = own if rows is None else own.sample(min(rows, len(own)), random_state=0)
            found.append(Job(table, str(task), part[["arch", "params", "flops"]]))
    for task in GRAPHS if "nasbench_graph" in spaces else ():
        known = load_benchmark("nasbench_graph").task(task)
        genotypes, frame = known.universe(), known.table()
        assert genotypes is not None
        assert frame is not None
        part = frame.sample(min(rows or GRAPH_ROWS, len(frame)), random_state=0)
        texts = known.space.format(genotypes[part.index])
        graphs = pd.DataFrame({"arch": texts, "params": part["params"].to_numpy(), "flops": np.nan})
        found.append(Job(Published("nasbench_graph", (), ""), task, graphs))
    return found


def run(table: Published, task: str, texts: Sequence[str], parallel: Parallel) -> pd.DataFrame:
    """Columns ``params`` and ``flops`` of our networks, a row per text."""
    parts = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    counted = parallel(delayed(count)(table, task, part) for part in parts)
    return pd.DataFrame([row for part in counted for row in part], columns=["params", "flops"])


def count(table: Published, name: str, texts: Sequence[str]) -> list[tuple[int, int]]:
    """Parameters and FLOPs of the networks of some architectures."""
    torch.set_num_threads(1)
    space = load_space(table.space)
    task = network_task(name)
    if name in table.outputs:
        task = network_task(name, outputs=table.outputs[name])
    builder = build("network", space.network)
    rows = []
    for genotype in space.parse(texts):
        with torch.device(table.device):
            network = builder.build(space, genotype, task, seed=0)
        flops = 0
        if table.convention:
            shape = builder.task_of(space, genotype, task).input_shape
            flops = count_flops(network, torch.zeros(1, *shape, device=table.device), table.convention)
        rows.append((count_parameters(network), flops))
    return rows


def notes(arguments: Sequence[str] | None) -> list[str]:
    """What is to be known of the table."""
    return [
        "Equal means the same integer. The networks are those of `space.build` with its defaults, except\n"
        "for the classes of TransNAS-Bench-101: NAS-Bench-Suite-Zero's networks have 100 for `class_object`\n"
        "and 63 for `class_scene`, the benchmark's own 75 and 47. [Networks](../../docs/networks.md) says\n"
        "why rows of NAS-Bench-Graph's `physics` differ.\n",
        origin(command_line(NAME, arguments)),
    ]


if __name__ == "__main__":
    start(NAME)
