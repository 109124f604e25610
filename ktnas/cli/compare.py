"""``ktnas compare``: runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ktnas.arrays import FloatArray
    from ktnas.record.compare import AllErrors, Comparison
    from ktnas.record.runs import Run
    from ktnas.report.comparison import Grid


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run directories, directories that hold some (of a sweep, say), or patterns: 'runs/*/*'.",
            metavar="RUN...",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", help="Directory for the page comparison.html, its pictures and CSV files."),
    ] = Path("comparison"),
) -> None:
    """Compare runs: mean ± standard error over seeds, paired tests, convergence.

    Runs that differ in nothing but their seed form a group. Per target task
    and device: the final best error, its regret and rank in the table where
    those are known, the hypervolume (its ratio to the true front where that is
    known, measured from one reference point for all), the evaluations needed
    to come as far as each rival, and Wilcoxon signed-rank tests between groups
    on the seeds they share, with Holm's correction. Over all of them: which
    group beats which.

    Make the runs with, say: ktnas search -m algorithm=ktnas,random seed=0,1,2,3,4,5
    """
    from rich.console import Console

    from ktnas.record.compare import compare as compare_runs

    comparison = compare_runs(runs, _table_errors())
    written = _write(comparison, out)
    console = Console()
    for grid in _grids(comparison):
        console.print(_table(grid))
        console.print()
    for warning in comparison.warnings:
        console.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False)
    for path in written:
        typer.echo(path)


def _write(comparison: "Comparison", out: Path) -> list[Path]:
    """Write the page and its files, the page last."""
    from ktnas.record.files import write_atomically
    from ktnas.report.comparison import comparison_page

    tables = {
        "comparison.csv": comparison.table,
        "comparison_convergence.csv": comparison.convergence,
        "comparison_evaluations.csv": comparison.reached,
        "comparison_tests.csv": comparison.tests,
    }
    for name, table in tables.items():
        write_atomically(out / name, table.to_csv(index=False).encode())
    names = [*tables, "comparison.png"]
    comparison.plot(out / names[-1])
    if comparison.wins:
        names.append("comparison_wins.png")
        comparison.plot_wins(out / names[-1])
    names.append("comparison.html")
    write_atomically(out / names[-1], comparison_page(comparison).encode("utf-8", "backslashreplace"))
    return [out / name for name in names]


def _table_errors() -> "AllErrors":
    """Reads the errors of the tables that runs searched, each table once."""
    import numpy as np

    from ktnas.engine.benchmark import Benchmark, load_benchmark
    from ktnas.errors import UserError
    from ktnas.record.database import canonical

    benchmarks: dict[str, Benchmark] = {}

    def errors(run: "Run", task: str) -> "FloatArray | None":
        """Sorted; None where a run searched no table, or its file is not here."""
        config = run.record.description.config
        settings, space = config.get("benchmark"), config.get("space")
        if not isinstance(settings, dict) or settings.get("functions") or settings.get("data"):
            return None
        name = canonical([settings, space])
        try:
            if name not in benchmarks:
                benchmarks[name] = load_benchmark(settings, space)
            searched = benchmarks[name].task(task)
            table = searched.table()
        except UserError:
            return None
        if table is None:
            return None
        found = np.sort(searched.error(table[searched.searched]))
        return found[np.isfinite(found)]

    return errors


def _grids(comparison: "Comparison") -> "list[Grid]":
    """Everything that is printed, in this order."""
    from ktnas.report import comparison as told

    grids = []
    for contest in comparison.contests:
        grids.append(told.finals(comparison, contest))
        for measure in contest.measures if len(contest.groups) > 1 else ():
            grids += [told.levels(comparison, contest, measure), told.tests(contest, measure)]
    return [*grids, *(told.wins(comparison, measure) for measure in comparison.wins)]


def _table(grid: "Grid") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(grid.title), title_justify="left", title_style="bold")
    table.caption, table.caption_justify = escape(grid.note) or None, "left"
    for number, name in enumerate(grid.header):
        table.add_column(escape(name), justify="left" if number < grid.words else "right", overflow="fold")
    for row in grid.rows:
        table.add_row(*map(escape, row))
    return table
