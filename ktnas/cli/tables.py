"""What a finished search prints: Pareto sets, how good they are, where the files are, what to type next."""

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ktnas.record.description import uncertainty_column

if TYPE_CHECKING:
    import pandas as pd

    from ktnas.engine.result import SearchResult

ROWS = 20
WIDTH = 120
COSTS = ("latency", "energy", "params", "flops")
NOT_SHOWN = {"order", "architecture", "seconds", "key"}


def report_console() -> Console:
    """Console as wide as the terminal; wide enough for a table where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def print_report(result: "SearchResult", console: Console) -> None:
    """Print all there is to say of ``result``."""
    summary = result.summary
    for task, entry in summary["tasks"].items():
        for front in entry["fronts"]:
            if entry["role"] == "target":
                _print_front(console, result.front(task, front["device"]), task, front)
            _say(console, standing(task, entry, front))
    if result.measured_fronts is not None:
        _print_measured(console, result.measured_fronts)
    _say(console, f"\n{summary['evaluations']} evaluations in {summary['seconds']:.1f} s.{_busy(summary)}")
    if result.run_dir is not None:
        _say(console, _what_next(result.run_dir, str(result.config.benchmark.get("name"))))


def _busy(summary: Mapping[str, Any]) -> str:
    if summary["utilisation"] is None:
        return ""
    workers = "The worker was" if summary["workers"] == 1 else f"The {summary['workers']} workers were"
    return f" {workers} busy {summary['utilisation']:.0%} of the time."


def standing(task: str, entry: Mapping[str, Any], front: Mapping[str, Any]) -> str:
    """One line on what a task has reached."""
    failed = f", {entry['failed']} failed" if entry["failed"] else ""
    parts = [f"{entry['role']} {_place(task, front)}: {entry['evaluations']} evaluations{failed}"]
    if front["best_error"] is None:
        return f"{parts[0]}; nothing succeeded{' within the limits' if front['limits'] else ''}"
    parts.append(f"best error {front['best_error']:.4g}" + _known(", regret {:.3g}", front["regret"]))
    parts.append(_known("hypervolume {:.1%} of the true front's", front["hypervolume_ratio"]))
    return "; ".join(part for part in parts if part)


def _print_front(console: Console, rows: "pd.DataFrame", task: str, front: Mapping[str, Any]) -> None:
    if rows.empty:
        return
    kind = "Best architecture" if len(front["objectives"]) == 1 else "Pareto set"
    limits = "".join(f", {column} ≤ {limit:g}" for column, limit in front["limits"].items())
    console.print(Text(f"\n{kind} of {_place(task, front)}{limits}", style="bold"))
    table = Table()
    table.add_column("architecture", overflow="fold", ratio=1)
    columns = _columns(rows)
    for column in columns:
        table.add_column(_heading(column, front["device"]), justify="right")
    texts = {column: _cells(rows, column) for column in columns}
    for row in range(min(len(rows), ROWS)):
        table.add_row(Text(str(rows["architecture"].iloc[row])), *(texts[column][row] for column in columns))
    console.print(table)
    if any("±" in text for cells in texts.values() for text in cells):
        _say(console, "Latencies with ± are predicted, with their standard deviation; the others measured.")
    if len(rows) > ROWS:
        _say(console, f"… and {len(rows) - ROWS} more in the files of the run.")


def _print_measured(console: Console, rows: "pd.DataFrame") -> None:
    """What was predicted for the architectures of the fronts, and what was then measured."""
    for (task, device), front in rows.groupby(["task", "device"], sort=False):
        console.print(Text(f"\nMeasured latencies of {task} on {device}", style="bold"))
        table = Table()
        table.add_column("architecture", overflow="fold", ratio=1)
        for name in ("error", "predicted\n(ms)", "measured\n(ms)", "off by"):
            table.add_column(name, justify="right")
        shown = front.rename(columns={"std_ms": uncertainty_column("predicted_ms")})
        texts = [_cells(shown, column) for column in ("error", "predicted_ms", "measured_ms")]
        off = (front["measured_ms"] / front["predicted_ms"] - 1).tolist()
        for row, share in enumerate(off[:ROWS]):
            cells = [column[row] for column in texts]
            known = "–" if math.isnan(share) else f"{share:+.1%}"
            table.add_row(Text(str(front["architecture"].iloc[row])), *cells, known)
        console.print(table)


def _place(task: str, front: Mapping[str, Any]) -> str:
    return task if front["device"] is None else f"{task} on {front['device']}"


def _columns(rows: "pd.DataFrame") -> list[str]:
    """Scores first (validation, then test), costs after them; the error only where no score says the same."""
    hidden = NOT_SHOWN | {uncertainty_column(column) for column in rows.columns}
    metrics = [column for column in rows.columns if column not in hidden and rows[column].notna().any()]
    scores = [column for column in metrics if column != "error" and not column.startswith(COSTS)]
    costs = [column for column in metrics if column.startswith(COSTS)]
    return [*(sorted(scores, key=lambda column: not column.startswith("valid")) or ["error"]), *costs]


def _heading(column: str, device: str | None) -> str:
    """One word per line, so that the table leaves room for the architectures."""
    if device is not None and column == f"latency_ms_{device}":
        return "latency\n(ms)"
    return column.replace("latency_ms_", "latency\n(ms)\n").replace("_", "\n")


def _cells(rows: "pd.DataFrame", column: str) -> list[str]:
    """Values as text: four digits for the largest, as many decimals for all; ± the deviation if predicted."""
    values = rows[column]
    largest = float(values.abs().max())
    decimals = 0 if largest >= 1000 or largest == 0 else min(6, 3 - math.floor(math.log10(largest)))
    texts = ["–" if math.isnan(value) else f"{value:,.{decimals}f}" for value in values]
    if (uncertainty := uncertainty_column(column)) not in rows:
        return texts
    deviations = zip(texts, rows[uncertainty], strict=True)
    return [f"{text} ± {std:,.{decimals}f}" if std > 0 else text for text, std in deviations]


def _known(text: str, value: float | None) -> str:
    return "" if value is None else text.format(value)


def _what_next(run_dir: Path, benchmark: str) -> str:
    run = shlex.quote(str(run_dir))
    same = "" if benchmark == "nasbench_graph" else f"benchmark={benchmark} ... "
    return (
        f"Files in {run_dir}: evaluations.csv, front_*.csv, .json and .png, summary.json, config.yaml\n"
        "Next:\n"
        f"  ktnas report {run}  # a page for the browser\n"
        f"  ktnas export {run} --format json  # for another program\n"
        f"  ktnas search {same}source={run} target=[TASK]  # use what was learned for another target\n"
        f"  ktnas search {same}-m seed=0,1,2 algorithm=ktnas,random  # then: ktnas compare multirun/..."
    )


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)
