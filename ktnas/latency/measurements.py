"""Latencies that someone measured on a device, as a file has them."""

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.errors import UserError
from ktnas.latency.base import LEAST
from ktnas.network.task import is_network_task
from ktnas.space.base import SearchSpace
from ktnas.tables import Table, read_table
from ktnas.tables.files import devices_dir

UNITS = {"latency_ms": 1.0, "latency_s": 1e3, "latency_us": 1e-3}
JUMP = 100.0
LOOKED_AT = 20
FASTEST = 1e-3
"""Devices take longer for a kernel on average, in ms: starting one takes the fastest a microsecond."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured on one device.

    Attributes:
        path: the file.
        space: of the architectures.
        genotypes: (N, V) int64, all different.
        latency: (N,) in ms.
        description: of the device and of how it was measured, where a JSON file of the same name has one.
    """

    path: Path
    space: SearchSpace
    genotypes: IntArray
    latency: FloatArray
    description: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the device: the file's, without its suffix."""
        return self.path.stem

    @property
    def task(self) -> str | None:
        """What the networks were built for, where the description says so."""
        task = _settings(self.description).get("task")
        return (
            str(task["name"]) if isinstance(task, dict) and is_network_task(str(task.get("name"))) else None
        )

    @property
    def digest(self) -> str:
        """Short hash of the measurements."""
        hashed = blake2b(digest_size=8)
        hashed.update(np.ascontiguousarray(self.genotypes).tobytes())
        hashed.update(np.ascontiguousarray(self.latency).tobytes())
        return hashed.hexdigest()


def measured_devices(space: SearchSpace) -> dict[str, Path]:
    """Files of the devices measured with ``ktnas measure`` on architectures of ``space``, by name."""
    found = sorted(devices_dir().glob("*.json"))
    return {
        path.stem: path.with_suffix(".csv")
        for path in found
        if path.with_suffix(".csv").is_file() and _settings(_description(path)).get("space") == space.name
    }


def read_measurements(path: Path, space: SearchSpace, task: str) -> Measurements:
    """Read and check a CSV file of measurements.

    Its column ``arch`` holds architectures. Latencies are in ``latency_ms``, ``latency_s`` or ``latency_us``,
    or in ms in the only column of numbers there is. Rows without a latency are measurements that failed.

    Args:
        path: of the file; a JSON file beside it describes the device.
        space: of the architectures.
        task: what their networks are built for, to tell whether the latencies can be milliseconds.

    Raises:
        UserError: a file that cannot be read, or is of another space; a latency of 0 or below; latencies in
            different units, or in seconds where ms were stated; fewer than 3 of them, or all equal.
    """
    description = _description(path.with_suffix(".json"))
    other = _settings(description).get("space", space.name)
    if other != space.name:
        raise UserError(
            f"{path} was measured on architectures of {other}, and the search is in {space.name}. "
            f"Measure some of {space.name}: ktnas measure space={space.name}"
        )
    table = read_table(path, space)
    column = _column(table)
    latency = table.column(column) * UNITS.get(column, 1.0)
    for row in np.flatnonzero(latency <= 0)[:1].tolist():
        raise UserError(
            f"{table.place(row)}: {column} is {table.column(column)[row]:g}, expected a time above 0. "
            "Leave the field empty where a measurement failed."
        )
    measured = np.isfinite(latency)
    _check_unit(table, column, latency)
    genotypes, latency = table.genotypes[measured], latency[measured]
    if len(latency) < LEAST:
        raise UserError(
            f"{path} has {len(latency)} latencies: a device is predicted from {LEAST} or more, better 20. "
            "Measure more architectures."
        )
    if (latency == latency[0]).all():
        raise UserError(
            f"{path}: all {len(latency)} latencies are {latency[0]:g} ms, so nothing can be learned from "
            "them. Measure with a finer clock, or other architectures."
        )
    if space.network and column != "latency_us":
        looked_at = slice(None, LOOKED_AT)
        totals = network_totals(space, genotypes[looked_at], task)
        _check_speed(path, column, latency[looked_at], totals)
    return Measurements(path, space, genotypes, latency, description)


def _description(path: Path) -> dict[str, Any]:
    """Content of a device's JSON file; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} is no description of a device ({problem}). Measure it again.") from None
    return content if isinstance(content, dict) else {}


def _settings(description: dict[str, Any]) -> dict[str, Any]:
    """How ``ktnas measure`` was told to measure; nothing of a device that was measured otherwise."""
    found = description.get("settings")
    return found if isinstance(found, dict) else {}


def _column(table: Table) -> str:
    known = [name for name in UNITS if name in table.columns]
    if len(known) > 1:
        raise UserError(f"{table.origin} has {' and '.join(known)}: keep the one that is meant.")
    if known:
        return known[0]
    if len(table.columns) != 1:
        found = ", ".join(table.columns) or "none"
        raise UserError(
            f"{table.origin}: expected latencies in a column latency_ms (or latency_s, latency_us); the "
            f"columns of numbers are: {found}. Rename the one that is meant."
        )
    return table.columns[0]


def _check_unit(table: Table, column: str, latency: FloatArray) -> None:
    """Refuse latencies of which some are a hundred times and more beyond all others."""
    rows = np.argsort(latency)[: np.isfinite(latency).sum()]
    steps = latency[rows[1:]] / latency[rows[:-1]]
    if not len(steps) or steps.max() < JUMP:
        return
    cut = int(np.argmax(steps)) + 1
    few, many = sorted((rows[:cut], rows[cut:]), key=len)
    low, high = np.median(table.column(column)[many]), table.column(column)[few[0]]
    raise UserError(
        f"{table.place(int(few.min()))}: {column} is {high:g} where most are about {low:g}. Are some in "
        "seconds and others in milliseconds? State all in one unit."
    )


def _check_speed(path: Path, column: str, latency: FloatArray, totals: FloatArray) -> None:
    """Refuse latencies that no device is known to reach, which are seconds taken for milliseconds."""
    kernels = np.maximum(totals[:, TOTALS.index("kernels")], 1)
    if np.median(latency / kernels) >= FASTEST:
        return
    raise UserError(
        f"{path}: {column} says that networks of about {np.median(kernels):.0f} convolutions and poolings "
        f"take {np.median(latency):.3g} ms, which is faster than any device. Are these seconds? Name the "
        "column latency_s. If they are right, state them in microseconds, in a column latency_us."
    )
