"""``ktnas data``: benchmarks imported from files that others publish."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ktnas.errors import UserError
from ktnas.imports import FORMATS, Imported, import_benchmark, imported, remove, verify
from ktnas.tables.files import imported_benchmarks, imports_dir

WIDTH = 120

app = typer.Typer(
    no_args_is_help=True,
    help="Import benchmark files, and list, describe, verify and remove what was imported.",
    rich_markup_mode=None,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of an imported benchmark.")]


@app.command("import")
def import_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Files of one benchmark, as their authors publish them."),
    ],
    name: Annotated[
        str, typer.Option("--as", metavar="NAME", help="What the benchmark is called from now on.")
    ],
    format: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(FORMATS)}.", show_default="found out from the files"),
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Name or YAML file of the space, where the files do not tell.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Task to keep; may be repeated.", show_default="all")
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of a CSV file that holds latencies in ms; may be repeated.", show_default="none"
        ),
    ] = None,
    arch: Annotated[str, typer.Option(help="Column of a CSV file that holds the architectures.")] = "arch",
    force: Annotated[
        bool, typer.Option("--force", help="Replace an imported benchmark of that name.")
    ] = False,
) -> None:
    """Import files as the benchmark NAME."""
    with Console(stderr=True).status("Reading") as status:
        benchmark = import_benchmark(
            files,
            name,
            format=format,
            space=space,
            tasks=task or (),
            devices=device or (),
            arch=arch,
            replace=force,
            say=status.update,
        )
    console = _console()
    _say(console, f"Imported {name} into {benchmark.directory}")
    _print(console, benchmark)
    if not benchmark.provenance["tasks"]:
        file = next(iter(benchmark.tables))
        _say(console, f"Next: ktnas search benchmark=NAME benchmark.latency=imported:{name}/{file}")
        return
    alone = "" if benchmark.provenance["devices"] else " objectives=[error]"
    _say(console, f"Next: ktnas search benchmark={name}{alone}")


@app.command("list")
def list_command() -> None:
    """List the imported benchmarks."""
    names = imported_benchmarks()
    console = _console()
    if not names:
        _say(console, f"Nothing was imported into {imports_dir()}. Import: ktnas data import FILE --as NAME")
        return
    table = Table("name", "from", "space", title="Imported benchmarks")
    for heading in ("tasks", "devices", "rows"):
        table.add_column(heading, justify="right")
    table.add_column("imported")
    for name in names:
        try:
            table.add_row(*map(Text, _row(imported(name))))
        except UserError:
            table.add_row(name, "damaged; see ktnas data verify")
    console.print(table)


@app.command("describe")
def describe_command(name: Name) -> None:
    """Describe an imported benchmark: where it came from, its tables and their columns."""
    benchmark = imported(name)
    console = _console()
    told = benchmark.provenance
    for label, value in (
        ("name", name),
        ("from", told["title"]),
        ("space", told["space"]),
        ("tasks", ", ".join(told["tasks"]) or "none"),
        ("devices", ", ".join(told["devices"]) or "none"),
        ("imported", f"{told['imported']} by ktnas {told['ktnas']}"),
        ("directory", str(benchmark.directory)),
        *(("file", _source(source)) for source in told["sources"]),
    ):
        _say(console, f"{label:<12}{value}")
    _print(console, benchmark)


@app.command("verify")
def verify_command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An imported benchmark.", show_default="all")
    ] = None,
) -> None:
    """Compare the tables of imported benchmarks with the checksums of their import."""
    console = _console()
    wrong: list[str] = []
    for each in [name] if name is not None else imported_benchmarks():
        try:
            benchmark = imported(each)
            found = verify(benchmark)
        except UserError as problem:
            if each not in imported_benchmarks():
                raise
            found = [str(problem)]
        if not found:
            _say(console, f"{each}: {len(benchmark.tables)} tables as imported")
        wrong += found
    if wrong:
        raise UserError("; ".join(wrong) + ". Import again, with --force, what is to be used.")


@app.command("remove")
def remove_command(name: Name) -> None:
    """Delete an imported benchmark; the files it came from stay."""
    _say(_console(), f"Removed {remove(name)}")


def _row(benchmark: Imported) -> Sequence[str]:
    told = benchmark.provenance
    rows = max(table["rows"] for table in benchmark.tables.values())
    counts = (f"{len(told['tasks'])}", f"{len(told['devices'])}", f"{rows:,}")
    return (benchmark.name, told["title"], told["space"], *counts, told["imported"][:10])


def _print(console: Console, benchmark: Imported) -> None:
    for file, content in benchmark.tables.items():
        _say(console, f"\n{file}: {content['rows']:,} architectures")
        table = Table("column")
        for heading in ("values", "min", "mean", "max"):
            table.add_column(heading, justify="right")
        for column, summary in content["columns"].items():
            numbers = (_number(summary[key]) for key in ("min", "mean", "max"))
            table.add_row(Text(column), f"{summary['values']:,}", *numbers)
        console.print(table)
    for note in benchmark.provenance["notes"]:
        _say(console, f"Note: {note}")


def _number(value: float | None) -> str:
    return (
        "–"
        if value is None
        else f"{value:,.0f}"
        if abs(value) >= 1e5 and abs(value) < 1e15
        else f"{value:.6g}"
    )


def _source(source: dict[str, Any]) -> str:
    if "bytes" not in source:
        return f"{source['name']}, a directory of {source['files']:,} files"
    return f"{source['name']}, {source['bytes']:,} bytes, sha256 {source['sha256']}"


def _console() -> Console:
    """Console as wide as the terminal; wide enough for a table where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)
