"""The ``ktnas`` command: finds the sub-command, and turns a user's mistake into one message."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from ktnas.errors import UserError, unknown
from ktnas.version import __version__

if TYPE_CHECKING:
    from typer import Typer

COMMANDS = {
    "search": "search architectures for one or several tasks and devices",
    "status": "say what a run is doing: running, finished or stopped, and how it goes on",
    "report": "write a page about runs for the browser: fronts, convergence, failures",
    "compare": "compare finished runs over their seeds",
    "export": "write a run's evaluations and fronts, or the networks of its fronts, as files",
    "space": "list, show and draw search spaces",
    "measure": "time networks of a space on this machine or through a command of yours",
    "score": "score untrained networks of architectures by zero-cost proxies",
    "data": "import published benchmark files, and list, describe and verify them",
}
HELP = f"""Usage: ktnas COMMAND ...

Evolutionary, multi-task, hardware-aware neural architecture search.

Commands:
{os.linesep.join(f"  {name:<9} {purpose}" for name, purpose in COMMANDS.items())}

Options:
  --version  print the version
  --help     print this; `ktnas COMMAND --help` explains a command

Start with `ktnas search`: under a minute, and it needs nothing but this installation."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0, 1 for a failure, 2 for a user's mistake, 130 when interrupted."""
    try:
        return _dispatch(list(sys.argv[1:] if arguments is None else arguments))
    except UserError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(arguments: list[str]) -> int:
    match arguments:
        case [] | ["-h" | "--help", *_]:
            print(HELP)
            return 0
        case ["--version", *_]:
            print(f"ktnas {__version__}")
            return 0
        case ["search", *rest]:
            from ktnas.cli.search import search

            return search(rest)
        case ["measure", *rest]:
            from ktnas.cli.measure import measure

            return measure(rest)
        case ["space" | "data" as name, *rest]:
            return _run_typer(import_module(f"ktnas.cli.{name}").app, name, rest)
        case ["compare" | "export" | "report" | "score" | "status" as name, *rest]:
            from typer import Typer

            function: Callable[..., None] = getattr(import_module(f"ktnas.cli.{name}"), name)
            single = Typer(rich_markup_mode=None, add_completion=False)
            single.command()(function)
            return _run_typer(single, name, rest)
    raise unknown("command", arguments[0], COMMANDS)


def _run_typer(app: "Typer", name: str, arguments: list[str]) -> int:
    from typer.main import get_command

    try:
        get_command(app).main(args=arguments, prog_name=f"ktnas {name}")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
