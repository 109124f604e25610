"""``ktnas status``: what runs are doing."""

import math
from datetime import datetime, timedelta
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ktnas.record.status import RunStatus, TaskStatus


def status(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Run directories, directories with runs below them (a sweep), or quoted patterns.",
        ),
    ],
) -> None:
    """Say what runs are doing: running and by whom, finished, or stopped.

    For each task: evaluations of its budget, the best error so far, failures;
    then when the last evaluation was recorded, and the command that goes on
    with a run that stopped. Reads only; a running search does not notice.
    """
    from ktnas.cli.tables import report_console
    from ktnas.record.runs import find_runs
    from ktnas.record.status import from_here, run_status

    console = report_console()
    for run_dir in find_runs(runs):
        found = run_status(from_here(run_dir))
        for line in headline(found, datetime.now().astimezone()):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
        console.print(_table(found))
        for line in (*_failure(found), next_step(found), ""):
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def headline(found: "RunStatus", now: datetime) -> list[str]:
    """State, process and time of the last record, in words."""
    config, who = found.record.description.config, f"process {found.holder['pid']} on {found.holder['host']}"
    if found.orphaned:
        who += ", which has ended, but a process it started still holds the run"
    states = {
        "running": f"running, by {who}",
        "finished": "finished",
        "stopped": f"stopped; it was {who}"
        + ("" if found.here else ", which this machine cannot see: it may still be running there"),
    }
    told = " ".join(f"{key}={config[key]}" for key in ("algorithm", "seed") if key in config)
    count = len(found.record.evaluations)
    what = "last recorded" if count else "nothing evaluated yet; begun"
    return [
        f"{found.record.run_dir} ({told})",
        f"{states[found.state]}; {what} {_ago(now - found.recorded)} ago, "
        f"at {found.recorded:%Y-%m-%d %H:%M:%S}",
    ]


def next_step(found: "RunStatus") -> str:
    """What to type next."""
    from shlex import quote

    if found.state == "finished":
        return f"See it with: ktnas report {quote(str(found.record.run_dir))}"
    when = "Continue it with" if found.state == "stopped" else "If it is killed, continue it with"
    return f"{when}: {found.continuation}"


def _table(found: "RunStatus") -> "Table":
    from rich.table import Table
    from rich.text import Text

    ratios = any(not math.isnan(task.hypervolume_ratio) for task in found.tasks)
    table = Table("task", "role")
    for name in ("evaluations", "best error", *["hypervolume"] * ratios, "failed"):
        table.add_column(name, justify="right")
    for task in found.tasks:
        ratio = [_number(task.hypervolume_ratio, ".1%")] * ratios
        cells = (_share(task), _number(task.best_error, ".4g"), *ratio, str(task.failed))
        table.add_row(Text(task.task), task.role, *cells)
    return table


def _failure(found: "RunStatus") -> list[str]:
    failed = found.last_failure
    if failed is None:
        return []
    said = shorten(failed.message, 300, placeholder=" …") or failed.status
    return [f"Last failure, of {failed.task}: {said} [{shorten(failed.architecture, 80, placeholder=' …')}]"]


def _share(task: "TaskStatus") -> str:
    text = f"{task.evaluations}/{task.budget}"
    return text if task.until is None else f"{text}, or until error ≤ {task.until:g}"


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)


def _ago(elapsed: timedelta) -> str:
    seconds = max(0, round(elapsed.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} s"
