"""``ktnas score``: zero-cost proxies of architectures."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ktnas.cli.architectures import read_architectures
from ktnas.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


ROWS = 20
LINES = 10
WIDTH = 160


def score(
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="Name of a space, or a YAML file of your own.")
    ],
    archs: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARCH", help="Architectures in the text form of the space."),
    ] = None,
    task: Annotated[
        str, typer.Option("--task", help="What the networks are for: cifar10, class_scene, imagenet ...")
    ] = "cifar10",
    proxies: Annotated[
        str, typer.Option("--proxies", help="Names, separated by commas; or all.")
    ] = "params,flops,synflow,nwot",
    file: Annotated[
        Path | None,
        typer.Option("--file", help="More architectures: a CSV file with a column arch, or one per line."),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", help="Draw this many more at random.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV file to write: arch, then a column per proxy.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", help="Images a network is shown. Default: 8.", min=2)
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", help="Pixels of an image's side. Default: the task's.", min=1)
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Of initial weights, random images and labels, and of --sample.")
    ] = 0,
    repeats: Annotated[int, typer.Option("--repeats", help="Seeds to average over.", min=1)] = 1,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:NUMBER.")] = "cpu",
    workers: Annotated[int, typer.Option("--workers", help="Processes, one thread each.", min=1)] = 1,
) -> None:
    """Score untrained networks with zero-cost proxies.

    Higher is meant to be better. Networks see random images; no data set is
    needed. A proxy that is not defined for a network is shown as a dash and
    written as an empty field.

    Proxies: params, flops, synflow, grad_norm, snip, grasp, fisher, jacov,
    nwot, epe_nas, plain, l2_norm, zen.
    """
    import numpy as np

    from ktnas.network.task import network_task
    from ktnas.registry import PLUGINS
    from ktnas.space import load_space

    loaded = load_space(space)
    names = list(PLUGINS["proxy"]) if proxies == "all" else _names(proxies)
    genotypes = loaded.parse([*(archs or []), *([] if file is None else read_architectures(file))])
    drawn = loaded.sample(sample, np.random.default_rng(seed))
    genotypes = np.concatenate([genotypes, drawn])
    if not len(genotypes):
        raise UserError("No architectures: name some after the space, or use --file FILE or --sample NUMBER.")
    from ktnas.proxy.scoring import BATCH
    from ktnas.proxy.scoring import score as score_networks

    with _progress(Console(stderr=True), len(genotypes)) as progress:
        scores = score_networks(
            loaded,
            genotypes,
            network_task(task) if size is None else network_task(task, size=size),
            names,
            batch=batch or BATCH,
            seed=seed,
            repeats=repeats,
            device=device,
            workers=workers,
            progress=progress,
        )
    scores.insert(0, "arch", loaded.format(genotypes))
    _print(scores)
    if out is not None:
        from ktnas.record.files import write_atomically

        write_atomically(out, scores.to_csv(index=False).encode())
        typer.echo(f"Wrote {out}")


def _names(proxies: str) -> list[str]:
    from ktnas.registry import resolve

    names = [name.strip() for name in proxies.split(",")]
    for name in names:
        resolve("proxy", name)
    return list(dict.fromkeys(names))


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[int, int], None]]:
    """A moving bar on a terminal, at most ``LINES`` lines anywhere else; nothing of a single architecture."""
    if console.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("scored"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bars:
            bar = bars.add_task("", total=total)
            yield lambda done, _: bars.update(bar, completed=done)
        return
    started = time.monotonic()

    def tell(done: int, total: int) -> None:
        if total > 1 and done * LINES // total > (done - 1) * LINES // total:
            left = (time.monotonic() - started) / done * (total - done)
            console.print(f"{done}/{total} scored, {left:.0f} s left", soft_wrap=True, highlight=False)

    yield tell


def _print(scores: "pd.DataFrame") -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table()
    table.add_column("arch", overflow="fold", ratio=1)
    for name in scores.columns[1:]:
        table.add_column(name, justify="right")
    for _, row in scores[:ROWS].iterrows():
        table.add_row(Text(row["arch"]), *(_number(value) for value in row[1:]))
    console.print(table)
    if len(scores) > ROWS:
        typer.echo(f"… and {len(scores) - ROWS} more; --out FILE.csv writes all of them.")


def _number(value: float) -> str:
    if value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
