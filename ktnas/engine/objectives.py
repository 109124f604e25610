"""What a search minimises, where each number comes from, and what is known of it before an evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.device.base import Device
from ktnas.engine.config import LimitsConfig
from ktnas.errors import UserError, unknown
from ktnas.record.description import Objective
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
                no finite number, or not positive where the quantity always is.
        """
        if not names:
            raise UserError("objectives=[]: name at least one of " + ", ".join(NAMES) + ".")
        for name in names:
            if name not in NAMES:
                raise unknown("objective", name, NAMES)
        if len(set(names)) < len(names):
            raise UserError(f"objectives={list(names)}: each may stand once.")
        given = {name: getattr(limits, name) for name in NAMES if getattr(limits, name) is not None}
        for name, limit in given.items():
            if not (math.isfinite(limit) and (name == "error" or limit > 0)):
                wanted = "a finite number" if name == "error" else "a finite number above 0"
                raise UserError(f"limits.{name}={limit}: must be {wanted}, or null for none.")
        if not devices and ("latency" in names or "latency" in given):
            raise UserError(
                "latency needs a device: device=NAME (this benchmark has none by default), or leave latency "
                "out: objectives=[error]."
            )
        columns = [
            Objective(name, column, device, UNITS.get(name, ""))
            for name in names
            for column, device in _columns(name, devices)
        ]
        bounds = {
            column: float(limit) for name, limit in given.items() for column, _ in _columns(name, devices)
        }
        return cls(tuple(columns), tuple(devices), bounds)

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

        A metric of the task that is called like one of the search's own columns is left out.
        """
        errors = task.error([metrics.get(task.searched, np.nan) for metrics in found])
        latencies = {
            column: [metrics.get(device.metric, np.nan) for metrics in found]
            if device.metric is not None
            else device.latency(genotypes, task.name).tolist()
            for device, column in self.latencies.items()
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

    def consult(self, task: Task, genotypes: IntArray, column: str) -> FloatArray:
        """Values (N,) of a free column, NaN where unknown."""
        for device, own in self.latencies.items():
            if column == own:
                return device.latency(genotypes, task.name)
        return task.look_up(genotypes, [column])[:, 0]

    @property
    def fronts(self) -> list[list[int]]:
        """Positions of the objectives of each front: one front per device."""
        owners = [objective.device for objective in self.columns]
        devices = dict.fromkeys(owner for owner in owners if owner is not None)
        return [
            [i for i, owner in enumerate(owners) if owner in (None, device)] for device in (devices or [None])
        ]


def _columns(name: str, devices: Sequence[Device]) -> list[tuple[str, str | None]]:
    if name == "latency":
        return [(latency_column(device.name), device.name) for device in devices]
    return [(METRIC_COLUMNS.get(name, name), None)]
