"""``ktnas report``: runs as one page for the browser."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Run directories, directories with runs below them (a sweep), or quoted patterns.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write. Default: RUN/report.html; of several runs report.html."),
    ] = None,
) -> None:
    """Write one page about runs, for the browser: no network needed.

    For each target task and device the front (a click draws an architecture),
    its table and how the search converged; then what other tasks lent, what
    failed, the configuration, and the command that makes each run again.
    Several runs lie over each other. A run may still be going on.
    """
    from ktnas.report.page import write_report

    typer.echo(write_report(runs, out))
