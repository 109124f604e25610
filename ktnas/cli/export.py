"""``ktnas export``: the rows of a run, or the networks of its fronts, for other tools."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ktnas.errors import UserError, unknown

if TYPE_CHECKING:
    from ktnas.record.ledger import RunRecord
    from ktnas.report.networks import NetworkFormat

NETWORKS = "networks"


def export(
    run: Annotated[
        Path, typer.Argument(help="Directory of a run of 'ktnas search': finished, killed or still running.")
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv, json or parquet (parquet needs: pip install 'ktnas[parquet]'); for networks onnx "
            "(needs: pip install 'ktnas[onnx]') or torch.",
        ),
    ] = "csv",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Directory to write to. Default: RUN; of networks RUN/networks/FORMAT."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", help="What networks are for: cifar10, class_scene ... Default: the run's."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", help="Pixels of a side of their inputs. Default: the task's.", min=1),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of untrained weights. Default: 0.", min=0)
    ] = None,
) -> None:
    """Write a run's evaluations and fronts, or the networks of its fronts.

    csv, json, parquet: evaluations.FORMAT, one row per evaluation, and
    front_TASK.FORMAT, one row per architecture of the Pareto set
    (front_TASK_DEVICE.FORMAT when the run has several devices). All objectives
    are minimised.

    onnx, torch: each network of the fronts of target tasks, checked against
    torch, as TASK_KEY.onnx or TASK_KEY.safetensors, beside TASK_KEY.json (how
    it is built) and TASK_KEY.md (a model card). Weights are those that the run
    trained (benchmark=train); else, or with --task, the initial ones.
    """
    from ktnas.record.export import FORMATS, export_run
    from ktnas.record.ledger import read_ledger

    if kind in FORMATS:
        for option, value in (("--task", task), ("--size", size), ("--seed", seed)):
            if value is not None:
                raise UserError(
                    f"{option} {value} is of networks: give it with --format onnx or --format torch."
                )
        record = read_ledger(run)
        for path in export_run(run if out is None else out, record.evaluations, record.description, kind):
            typer.echo(path)
        return

    from ktnas.report.networks import NETWORK_FORMATS

    for format_of_networks in NETWORK_FORMATS:
        if kind == format_of_networks:
            directory = run / NETWORKS / kind if out is None else out
            _export_networks(read_ledger(run), directory, format_of_networks, task, size, seed)
            return
    raise unknown("format", kind, [*FORMATS, *NETWORK_FORMATS])


def _export_networks(
    record: "RunRecord",
    directory: Path,
    kind: "NetworkFormat",
    task: str | None,
    size: int | None,
    seed: int | None,
) -> None:
    from ktnas.report.networks import export_networks

    with _progress() as tell:
        written = export_networks(record, directory, kind, task, size, seed, tell)
    for path in written:
        typer.echo(path)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing anywhere else."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("networks"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
