"""``ktnas export``: the rows of a run for other tools."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[
        Path, typer.Argument(help="Directory of a run of 'ktnas search': finished, killed or still running.")
    ],
    kind: Annotated[
        str,
        typer.Option("--format", help="csv, json or parquet (parquet needs: pip install 'ktnas[parquet]')."),
    ] = "csv",
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory to write to. Default: the run's own.")
    ] = None,
) -> None:
    """Write evaluations and fronts of a run as files, from its ledger alone.

    Writes evaluations.FORMAT, one row per evaluation, and front_TASK.FORMAT,
    one row per architecture of the Pareto set (front_TASK_DEVICE.FORMAT when
    the run has several devices). All objectives are minimised.
    """
    from ktnas.record.export import export_run
    from ktnas.record.ledger import read_ledger

    record = read_ledger(run)
    for path in export_run(run if out is None else out, record.evaluations, record.description, kind):
        typer.echo(path)
