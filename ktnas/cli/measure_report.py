"""What ``ktnas measure`` prints in the end, and the list of measured devices."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from ktnas.cli.tables import report_console
from ktnas.errors import UserError
from ktnas.measure.files import Row, RowFile, read_description
from ktnas.measure.session import COLUMNS, Measured
from ktnas.measure.timer import METRIC
from ktnas.tables.files import devices_dir

ENDS = 3


def print_report(measured: Measured, texts: Sequence[str], layers: Path | None) -> None:
    """Print the fastest and slowest of ``texts``, what failed, how the device drifted, and what is next."""
    rows = [measured.rows[text] for text in texts if text in measured.rows]
    timed = sorted((row for row in rows if row["status"] == "ok"), key=lambda row: float(row[METRIC]))
    console = report_console()
    if timed:
        console.print(_table(timed))
    for line in [
        _standing(measured, rows, timed),
        _drift(measured),
        *_files(measured, layers),
        _next(measured),
    ]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_devices() -> None:
    """Print the measured devices of this machine."""
    directory = devices_dir()
    table = Table("name", "space", "task", "runner", "on", title=f"Measured devices in {directory}")
    for column in ("architectures", "median ms"):
        table.add_column(column, justify="right")
    for path in sorted(directory.glob("*.json")):
        try:
            table.add_row(*_device(path))
        except UserError:
            continue  # another program's file
    console = report_console()
    if table.row_count:
        console.print(table)
    else:
        console.print(
            f"No devices in {directory}. Measure one: ktnas measure space=nasbench201 n=20",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip


def _table(timed: Sequence[Row]) -> Table:
    table = Table()
    table.add_column("arch", overflow="fold", ratio=1)
    for column in ("latency ms", "95 % interval", "spread ms", "runs"):
        table.add_column(column, justify="right")
    fast, slow = (timed, []) if len(timed) <= 2 * ENDS else (timed[:ENDS], timed[-ENDS:])
    for part in (fast, slow):
        for row in part:
            interval = f"{_short(row['low_ms'])} – {_short(row['high_ms'])}" if row["low_ms"] else "–"
            table.add_row(
                Text(row["arch"]), _short(row[METRIC]), interval, _short(row["spread_ms"]), row["repeats"]
            )
        table.add_section()
    return table


def _standing(measured: Measured, rows: Sequence[Row], timed: Sequence[Row]) -> str:
    failed = len(rows) - len(timed)
    parts = [f"{len(timed)} architectures measured as {measured.name}"]
    if timed:
        median = float(np.median([float(row[METRIC]) for row in timed]))
        parts.append(f"{_short(timed[0][METRIC])} to {_short(timed[-1][METRIC])} ms, median {median:.4g} ms")
    parts.append(f"{failed} failed" + (" (see the column message; retry=true tries again)" if failed else ""))
    return "; ".join(parts) + "."


def _drift(measured: Measured) -> str:
    count = len(measured.references)
    if math.isnan(measured.drift):
        return f"Drift: unknown, the reference network was measured {count} times."
    parts = [f"Drift: the reference network, measured {count} times, ranged over {measured.drift:.1%}"]
    if measured.again:
        parts.append(f"{len(measured.again)} architectures were looked at again")
    if measured.suspect:
        parts.append(
            f"{len(measured.suspect)} are still from times when it was off: let the machine rest, then "
            "measure under another name"
        )
    return "; ".join(parts) + "."


def _files(measured: Measured, layers: Path | None) -> list[str]:
    files = [str(measured.csv), str(measured.json), *([str(layers)] if layers else [])]
    return [f"Files: {files[0]}", *(f"       {file}" for file in files[1:])]


def _next(measured: Measured) -> str:
    space = measured.description["settings"]["space"]
    there = measured.csv.parent == devices_dir()
    device = measured.name if there else str(measured.csv)
    return f"Next:  ktnas search benchmark={space} device={device}\n       ktnas measure list"


def _device(path: Path) -> list[str]:
    description = read_description(path) or {}
    settings: dict[str, Any] = description["settings"]
    rows = RowFile(path.with_suffix(".csv"), COLUMNS).read()
    taken = [float(row[METRIC]) for row in rows if row["status"] == "ok"]
    machine = description["machine"]
    return [
        path.stem,
        settings["space"],
        settings["task"]["name"],
        settings["runner"]["name"],
        str(machine.get("gpu") or machine.get("cpu") or settings["runner"].get("command", "")),
        str(len(taken)),
        f"{np.median(taken):.4g}" if taken else "–",
    ]


def _short(value: str) -> str:
    return f"{float(value):.4g}"
