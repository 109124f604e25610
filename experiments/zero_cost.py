"""Zero-cost proxies beside their published values: rank correlation, and what they cost.

No data set is used: networks see random images. Published values come from one initialisation and one batch
of the data set for each architecture: they would not correlate perfectly with a second draw of their own.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from experiments.common import RESULTS, command_line, names_among, start
from experiments.report import markdown_table, mean_cell, origin, publish
from ktnas.network.task import NetworkTask, network_task
from ktnas.proxy import score
from ktnas.proxy.scoring import BATCH, Progress
from ktnas.record.files import write_atomically
from ktnas.registry import PLUGINS
from ktnas.space import load_space
from ktnas.tables.files import locate

NAME = "zero_cost"
PROXIES = tuple(PLUGINS["proxy"])
TOGETHER = ("synflow", "nwot", "grad_norm")

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Setting:
    """Architectures of a published table and the networks they are scored as.

    Attributes:
        space: name of the space.
        column: value of the table's column ``task``; None where it has none.
        task: what networks are built for.
        architectures: drawn at random.
        batch: images that a network sees.
    """

    space: str
    column: str | None
    task: NetworkTask
    architectures: int
    batch: int

    def published(self, count: int) -> pd.DataFrame:
        """At most ``count`` rows of the table, the same for the same ``count``."""
        table = pd.read_csv(locate(f"{self.space}_zero_cost.csv.gz"))
        if self.column is not None:
            table = table[table["task"] == self.column]
        return table.sample(min(count, len(table)), random_state=0).reset_index(drop=True)


SETTINGS = {
    "nasbench201": Setting("nasbench201", "cifar10", network_task("cifar10"), 200, 16),
    "transnas_micro": Setting("transnas_micro", "class_scene", network_task("class_scene", size=64), 100, 8),
    "fbnet": Setting("fbnet", None, network_task("cifar100"), 100, 16),
}

NOTES = f"""Spearman rank correlations of our scores with the published ones, means ± standard errors over
seeds of initial weights, images and labels; a dash where a proxy is not defined. Seconds of one core per
architecture are measured for each proxy alone on {BATCH} images, building the network included. Images are
random. Those of TransNAS micro are of 64 pixels, where the published values come from 256.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Score, compare, then print and write the tables."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{NAME}", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="seeds that are scored (default: 1)")
    parser.add_argument("--architectures", type=int, help="of each space (default: 200, 100, 100)")
    parser.add_argument("--timed", type=int, default=10, help="architectures that are timed (default: 10)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--spaces", type=names_among(list(SETTINGS)), default=list(SETTINGS), help=f"of {','.join(SETTINGS)}"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help=f"directory of results (default: {RESULTS})"
    )
    given = parser.parse_args(arguments)
    parts, rows = [], []
    for name in given.spaces:
        setting = SETTINGS[name]
        published = setting.published(given.architectures or setting.architectures)
        correlations = [correlate(setting, published, seed, given.workers) for seed in range(given.seeds)]
        costs = cost(setting, published[: given.timed])
        parts.append(section(setting, len(published), correlations, costs))
        rows += [row for found in correlations for row in found]
        rows += [{"space": name, "proxy": proxy, "seconds": seconds} for proxy, seconds in costs.items()]
    given.out.mkdir(parents=True, exist_ok=True)
    numbers = pd.DataFrame(rows).convert_dtypes().to_csv(index=False)
    write_atomically(given.out / f"{NAME}.csv", numbers.encode())
    parts += [NOTES, origin(command_line(NAME, arguments))]
    publish(given.out / f"{NAME}.md", "Zero-cost proxies and their published values", parts)


def correlate(setting: Setting, published: pd.DataFrame, seed: int, workers: int) -> list[Row]:
    """Spearman correlation of each proxy with its published column, over the rows where both are finite."""
    found = _score(setting, published, PROXIES, setting.batch, seed, workers, partial(_report, setting, seed))
    rows: list[Row] = []
    for proxy in PROXIES:
        pair = pd.DataFrame({"ours": found[proxy], "published": published[proxy]})
        pair = pair.replace([np.inf, -np.inf], np.nan).dropna()
        constant = len(pair) < 2 or bool((pair.nunique() < 2).any())
        correlation = np.nan if constant else pair["ours"].corr(pair["published"], method="spearman")
        rows.append(
            {
                "space": setting.space,
                "proxy": proxy,
                "seed": seed,
                "architectures": len(pair),
                "spearman": round(correlation, 4),
            }
        )
    return rows


def cost(setting: Setting, published: pd.DataFrame) -> dict[str, float]:
    """Seconds of one core per architecture of each proxy alone, of some together, and of all."""
    groups = {proxy: (proxy,) for proxy in PROXIES} | {" + ".join(TOGETHER): TOGETHER, "all": PROXIES}
    _score(setting, published[:1], PROXIES, BATCH)
    return {
        name: round(_seconds(partial(_score, setting, published, group, BATCH)) / len(published), 3)
        for name, group in groups.items()
    }


def section(
    setting: Setting, architectures: int, correlations: Sequence[Sequence[Row]], costs: dict[str, float]
) -> str:
    """A table with a line per proxy."""
    found = pd.DataFrame([row for rows in correlations for row in rows])
    lines = [
        [str(proxy), mean_cell(own["spearman"], 3), f"{costs[str(proxy)]:.3f}"]
        for proxy, own in found.groupby("proxy", sort=False)
    ]
    lines += [[name, "", f"{seconds:.3f}"] for name, seconds in costs.items() if name not in PROXIES]
    size = f"{setting.batch} images of {setting.task.size} pixels"
    heading = (
        f"## {setting.space}, {setting.column or setting.task.name}: {architectures} architectures, {size}"
    )
    return f"{heading}\n\n{markdown_table(['proxy', 'Spearman', 'seconds'], lines)}"


def _score(
    setting: Setting,
    published: pd.DataFrame,
    proxies: Sequence[str],
    batch: int,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    space = load_space(setting.space)
    genotypes = space.parse(published["arch"].tolist())
    return score(
        space,
        genotypes,
        setting.task,
        proxies,
        batch=batch,
        seed=seed,
        workers=workers,
        progress=progress,
    )


def _report(setting: Setting, seed: int, done: int, total: int) -> None:
    if done % 20 == 0 or done == total:
        print(f"{setting.space}  seed {seed}  {done}/{total}", file=sys.stderr, flush=True)


def _seconds(work: Callable[[], object]) -> float:
    with threadpool_limits(1):
        started = time.process_time()
        work()
        return time.process_time() - started


if __name__ == "__main__":
    start(NAME)
