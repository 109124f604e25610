"""``ktnas space``: the search spaces, their texts and pictures."""

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ktnas.cli.tables import report_console
from ktnas.space import SearchSpace, list_spaces, load_space

app = typer.Typer(
    no_args_is_help=True,
    help="List, show and draw search spaces.",
    rich_markup_mode=None,
    add_completion=False,
)

LARGE = 10**12
SHOWN = 6

SpaceName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a space, or a YAML file of your own.")
]


@app.command("list")
def list_command() -> None:
    """List the search spaces."""
    table = Table("name", "family", title="Search spaces")
    table.add_column("genotypes", justify="right")
    table.add_column("architectures", justify="right")
    table.add_column("description")
    for name in list_spaces():
        space = load_space(name)
        table.add_row(name, space.family, _number(space.size), _count(space), space.description)
    report_console().print(table)


@app.command("show")
def show_command(name: SpaceName) -> None:
    """Show a space: its variables, operations and text form."""
    space = load_space(name)
    console = Console()
    for label, value in (
        ("name", space.name),
        ("family", space.family),
        ("about", space.description),
        ("paper", space.paper),
        ("genotypes", _number(space.size)),
        ("architectures", f"{_count(space)} distinct, {_sameness(space)}"),
        ("text", space.text),
        ("example", space.example),
        *(("also read", other.text) for other in space.also),
        ("networks", "none" if not space.network else f"yes, built by '{space.network['name']}'"),
    ):
        console.print(f"{label:<14}{value}", markup=False, highlight=False, soft_wrap=True)

    operations = Table("operation", "written", "role", title="Operations", title_justify="left")
    roles = {space.zero: "zero: passes nothing on", space.identity: "identity: passes its input on"}
    for operation, symbol in zip(space.operations, space.symbols, strict=True):
        operations.add_row(Text(operation), Text(symbol), roles.get(operation, ""))
    console.print(operations)

    variables = Table("variable", "choices", "values", title="Variables", title_justify="left")
    for names, values in _grouped(space):
        written = "an operation" if values == space.symbols else " ".join(values)
        variables.add_row(names, str(len(values)), Text(written))
    console.print(variables)


@app.command("draw")
def draw_command(
    name: SpaceName,
    arch: Annotated[
        str, typer.Argument(metavar="ARCH", help="An architecture in the text form of the space.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write, .svg or .png.", show_default="NAME.svg")
    ] = None,
    pruned: Annotated[
        bool, typer.Option("--pruned", help="Leave out what takes no part in the result.")
    ] = False,
) -> None:
    """Draw the cell of an architecture."""
    space = load_space(name)
    path = out or Path(f"{space.name}.svg")
    space.architecture(arch).draw(path, pruned)
    Console().print(f"Wrote {path}", markup=False, highlight=False, soft_wrap=True)


def _grouped(space: SearchSpace) -> list[tuple[str, tuple[str, ...]]]:
    """Variables with the same values that follow each other, as «first … last»."""
    groups = [list(group) for _, group in groupby(space.variables.items(), key=lambda item: item[1])]
    names = [[name for name, _ in group] for group in groups]
    shown = [f"{group[0]} … {group[-1]}" if len(group) > SHOWN else ", ".join(group) for group in names]
    return [(text, group[0][1]) for text, group in zip(shown, groups, strict=True)]


def _count(space: SearchSpace) -> str:
    count = space.n_architectures
    return "too many to count" if count is None else _number(count)


def _number(value: int) -> str:
    return f"{value:,}" if value < LARGE else f"{value:.3g}".replace("e+", "e")


def _sameness(space: SearchSpace) -> str:
    return "isomorphic ones are one" if space.distinct == "canonical" else "isomorphic ones apart"
