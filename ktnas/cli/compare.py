"""``ktnas compare``: runs side by side."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ktnas.record.contest import Contest


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Run directories, directories with runs below them (a sweep), or quoted patterns.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", help="Directory for comparison.csv, comparison_tests.csv and comparison.png."),
    ] = Path("comparison"),
) -> None:
    """Compare runs: mean ± standard error over seeds, paired tests, convergence.

    Runs that differ in nothing but their seed form a group. Per target task
    and device: the final best error, the hypervolume (its ratio to the true
    front where that is known, measured from one reference point for all), and
    Wilcoxon signed-rank tests between groups on the seeds they share, with
    Holm's correction.

    Make the runs with, say: ktnas search -m algorithm=ktnas,random seed=0,1,2,3,4,5
    """
    from rich.console import Console

    from ktnas.record.compare import compare as compare_runs
    from ktnas.record.files import write_atomically

    comparison = compare_runs(runs)
    table, tests, picture = (out / f"comparison{end}" for end in (".csv", "_tests.csv", ".png"))
    write_atomically(table, comparison.table.to_csv(index=False).encode())
    write_atomically(tests, comparison.tests.to_csv(index=False).encode())
    comparison.plot(picture)
    console = Console()
    for contest in comparison.contests:
        console.print(_means(contest))
        for measure in contest.measures:
            if len(contest.groups) > 1:
                console.print(_tests(contest, measure))
        console.print()
    for warning in comparison.warnings:
        console.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False)
    for path in (table, tests, picture):
        typer.echo(path)


def _means(contest: "Contest") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    from ktnas.record.contest import TITLES

    table = Table(title=escape(contest.title), title_justify="left", title_style="bold")
    table.add_column("group", overflow="fold")
    for name in ("runs", "evaluations", *(TITLES[measure] for measure in contest.measures)):
        table.add_column(name, justify="right")
    for group, members in contest.groups.items():
        counts = sorted({len(member.view.evaluations) for member in members})
        asked = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
        values = [_mean(contest.summary(measure, group)) for measure in contest.measures]
        table.add_row(escape(group), str(len(members)), asked, *values)
    return table


def _tests(contest: "Contest", measure: str) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    from ktnas.record.contest import TITLES

    table = Table(title=f"{TITLES[measure]}: Wilcoxon test on common seeds, Holm", title_justify="left")
    for name in ("a", "b"):
        table.add_column(name, overflow="fold")
    for name in ("n", "mean a-b", "p", "p (Holm)"):
        table.add_column(name, justify="right")
    tests = contest.tests(measure)
    notes = any(test.note for test in tests)
    if notes:
        table.add_column("note")
    for test in tests:
        numbers = [_number(value) for value in (test.difference, test.p, test.p_holm)]
        table.add_row(escape(test.a), escape(test.b), str(test.n), *numbers, *[test.note] * notes)
    return table


def _mean(value: tuple[float, float]) -> str:
    mean, error = value
    if math.isnan(error):
        return _number(mean)
    decimals = max(0, 1 - math.floor(math.log10(error))) if error > 0 else 4
    return f"{mean:.{decimals}f} ± {error:.{decimals}f}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
