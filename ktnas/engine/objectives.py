"""What a search minimises, where each number comes from, and what is known of it before an evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.device.base import Device
from ktnas.engine.config import LimitsConfig
from ktnas.errors import UserError, unknown
from ktnas.record.description import Objective, uncertainty_column
from ktnas.task.base import Task

NAMES = ("error", "latency", "params", "flops", "energy")
METRIC_COLUMNS = {"params": "params", "flops": "flops", "energy": "energy_mj"}
UNITS = {"latency": "ms", "energy": "mJ"}


def latency_column(device: str) -> str:
    """Metric column of the latency on a device, in ms."""
    return f"latency_ms_{device}"


@dataclass(frozen=True)
class Objectives:
    """The minimised columns of a search and its limits.

    Attributes:
        columns: m objectives, one per device for latency.
        devices: of the search, in the order given.
        limits: column to largest admitted value.
    """

    columns: tuple[Objective, ...]
    devices: tuple[Device, ...]
    limits: dict[str, float]

    @classmethod
    def of(cls, names: Sequence[str], devices: Sequence[Device], limits: LimitsConfig) -> "Objectives":
        """Objectives of their names.

        Raises:
            UserError: an unknown or repeated name, no objective, latency without a device, a limit that is
                no finite number, or not positive where the quantity always is, or one for another device.
        """
        if not names:
            raise UserError("objectives=[]: name at least one of " + ", ".join(NAMES) + ".")
        for name in names:
            if name not in NAMES:
                raise unknown("objective", name, NAMES)
        if len(set(names)) < len(names):
            raise UserError(f"objectives={list(names)}: each may stand once.")
        if not devices and ("latency" in names or limits.latency is not None):
            raise UserError(
                "latency needs a device: device=NAME (this benchmark has none by default), or leave latency "
                "out: objectives=[error]."
            )
        columns = [
            Objective(name, column, device, UNITS.get(name, ""))
            for name in names
            for column, device in _columns(name, devices)
        ]
        return cls(tuple(columns), tuple(devices), _bounds(limits, devices))

    @property
    def names(self) -> tuple[str, ...]:
        """Metric columns, in order."""
        return tuple(objective.column for objective in self.columns)

    @property
    def latencies(self) -> dict[Device, str]:
        """Latency column of each device."""
        return {device: latency_column(device.name) for device in self.devices}

    def check(self, task: Task) -> None:
        """``UserError`` unless ``task`` has every metric that is minimised or limited."""
        for column in (*self.names, *self.limits):
            if column != "error" and not column.startswith("latency_ms_") and column not in task.metrics:
                have = [name for name, metric in METRIC_COLUMNS.items() if metric in task.metrics]
                raise UserError(
                    f"Task '{task.name}' has no {column}; its objectives are "
                    f"{', '.join(['error', 'latency', *have])}."
                )

    def metrics(
        self, task: Task, genotypes: IntArray, found: Sequence[Mapping[str, float]]
    ) -> list[dict[str, float]]:
        """All columns of evaluations (N): error first, the latency on each device, then the task's metrics.

        Where latencies may be predictions, their standard deviations follow them.

        A metric of the task that is called like one of the search's own columns is left out.
        """
        errors = task.error([metrics.get(task.searched, np.nan) for metrics in found])
        latencies = {
            column: [metrics.get(device.metric, np.nan) for metrics in found]
            if device.metric is not None
            else device.latency(genotypes, task.name).tolist()
            for device, column in self.latencies.items()
        }
        latencies |= {
            uncertainty_column(column): device.predict(genotypes, task.name)[1].tolist()
            for device, column in self.latencies.items()
            if not device.certain
        }
        own = {"error", *latencies, *(device.metric for device in self.devices)}
        return [
            {"error": float(errors[i])}
            | {name: float(values[i]) for name, values in latencies.items()}
            | {name: float(value) for name, value in metrics.items() if name not in own}
            for i, metrics in enumerate(found)
        ]

    def free(self, task: Task) -> tuple[str, ...]:
        """Columns that may be consulted without an evaluation."""
        known = [column for device, column in self.latencies.items() if device.known]
        return tuple(column for column in (*self.names, *self.limits) if column in (*known, *task.free))

    def consult(self, task: Task, genotypes: IntArray, column: str) -> tuple[FloatArray, FloatArray]:
        """Values (N,) of a free column, NaN where unknown, and their standard deviations, 0 where certain."""
        for device, own in self.latencies.items():
            if column == own:
                return device.predict(genotypes, task.name)
        return task.look_up(genotypes, [column])[:, 0], np.zeros(len(genotypes))

    @property
    def fronts(self) -> list[list[int]]:
        """Positions of the objectives of each front: one front per device."""
        return [
            [i for i, objective in enumerate(self.columns) if objective.device in (None, device)]
            for device in self._owners
        ]

    def front_limits(self, columns: Sequence[str]) -> FloatArray:
        """Largest admitted value of ``columns`` (C) on each front, (R, C), inf where there is none.

        A front keeps the limits of its own device, and those that are of none. Where no objective belongs to
        a device there is one front, which keeps all of them.
        """
        of_device = {column: device.name for device, column in self.latencies.items()}
        limits = np.full((len(self._owners), len(columns)), np.inf)
        for row, owner in enumerate(self._owners):
            for place, column in enumerate(columns):
                if owner is None or of_device.get(column, owner) == owner:
                    limits[row, place] = self.limits.get(column, np.inf)
        return limits

    @property
    def _owners(self) -> list[str | None]:
        """Device of each front."""
        owners = dict.fromkeys(entry.device for entry in self.columns if entry.device is not None)
        return list(owners) or [None]


def _bounds(limits: LimitsConfig, devices: Sequence[Device]) -> dict[str, float]:
    """Column to limit, checked."""
    bounds: dict[str, float] = {}
    for name in NAMES:
        given = getattr(limits, name)
        by_device = isinstance(given, Mapping)
        if by_device and not (known := {device.name for device in devices}).issuperset(given):
            stranger = next(device for device in given if device not in known)
            raise unknown("device in limits.latency:", stranger, known)
        for column, device in _columns(name, devices):
            limit = given.get(device) if by_device else given
            if limit is not None:
                key = f"limits.{name}.{device}" if by_device else f"limits.{name}"
                bounds[column] = _checked_limit(key, limit, name == "error")
    return bounds


def _checked_limit(key: str, limit: Any, any_sign: bool) -> float:
    number = not isinstance(limit, bool) and isinstance(limit, int | float)
    if number and math.isfinite(limit) and (any_sign or limit > 0):
        return float(limit)
    wanted = "a finite number" if any_sign else "a finite number above 0"
    each = ", or device to number" if key == "limits.latency" else ""
    raise UserError(f"{key}={limit}: must be {wanted}{each}, or null for none.")


def _columns(name: str, devices: Sequence[Device]) -> list[tuple[str, str | None]]:
    if name == "latency":
        return [(latency_column(device.name), device.name) for device in devices]
    return [(METRIC_COLUMNS.get(name, name), None)]
