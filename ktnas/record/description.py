"""What a run minimises, stored beside its fingerprint: all that fronts, files and plots need to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ktnas.arrays import FloatArray
from ktnas.record.evaluation import Role


def uncertainty_column(column: str) -> str:
    """Metric column of the standard deviation of what ``column`` holds."""
    return f"{column}_std"


@dataclass(frozen=True)
class Objective:
    """A minimised metric.

    Attributes:
        name: error, latency, params, flops or energy.
        column: of the metrics that holds it, ``latency_ms_<device>`` say.
        device: it belongs to; None when it is the same on every device.
        unit: for people; empty when there is none.
    """

    name: str
    column: str
    device: str | None = None
    unit: str = ""

    @property
    def uncertainty(self) -> str:
        """Metric column of its standard deviation, there where values may be predictions; 0 of the others."""
        return uncertainty_column(self.column)

    @property
    def label(self) -> str:
        """Name and unit, as on an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True, eq=False)
class FrontSpec:
    """One front of a run: a task, a device, what is minimised there and under which limits.

    Attributes:
        task: whose evaluations are meant.
        role: of the task.
        device: None when no objective belongs to a device.
        objectives: m of them, the columns of the front in this order.
        limits: column to largest admitted value, those that concern this front.
        true_front: (R, m) the best that can be had, within the limits; None when nobody knows.
    """

    task: str
    role: Role
    device: str | None
    objectives: tuple[Objective, ...]
    limits: dict[str, float]
    true_front: FloatArray | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Metric columns of the objectives."""
        return tuple(objective.column for objective in self.objectives)

    @property
    def optimum(self) -> float | None:
        """Smallest possible error; None when nobody knows."""
        if self.true_front is None or "error" not in self.columns or not len(self.true_front):
            return None
        return float(self.true_front[:, self.columns.index("error")].min())


@dataclass(frozen=True, eq=False)
class RunDescription:
    """A run in its own words.

    Attributes:
        objectives: all of them; one with a device appears once per device.
        tasks: task to its role, in the order in which they are to be shown.
        devices: of the run.
        limits: column to largest admitted value.
        config: the whole configuration in plain types; ``seed`` and ``algorithm`` are read from it.
        true_fronts: (task, device or None) to an (R, m) array, columns as in the front's objectives.
    """

    objectives: tuple[Objective, ...]
    tasks: dict[str, Role]
    devices: tuple[str, ...] = ()
    limits: dict[str, float] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    true_fronts: dict[tuple[str, str | None], FloatArray] = field(default_factory=dict)

    def fronts(self) -> list[FrontSpec]:
        """One per task and device; the device is None when no objective belongs to one."""
        owners = {objective.device for objective in self.objectives}
        devices: list[str | None] = [device for device in self.devices if device in owners]
        return [
            FrontSpec(
                task=task,
                role=role,
                device=device,
                objectives=tuple(o for o in self.objectives if o.device in (None, device)),
                limits={c: v for c, v in self.limits.items() if self._concerns(c, device)},
                true_front=self.true_fronts.get((task, device)),
            )
            for task, role in self.tasks.items()
            for device in devices or [None]
        ]

    def _concerns(self, column: str, device: str | None) -> bool:
        named = [name for name in self.devices if column.endswith(f"_{name}")]
        return device is None or not named or max(named, key=len) == device

    def to_json(self) -> dict[str, Any]:
        """Plain types for the ledger."""
        return {
            "objectives": [
                {"name": o.name, "column": o.column, "device": o.device, "unit": o.unit}
                for o in self.objectives
            ],
            "tasks": dict(self.tasks),
            "devices": list(self.devices),
            "limits": dict(self.limits),
            "config": self.config,
            "true_fronts": [
                {"task": task, "device": device, "points": np.asarray(points, dtype=float).tolist()}
                for (task, device), points in self.true_fronts.items()
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RunDescription":
        """Inverse of ``to_json``."""
        return cls(
            objectives=tuple(Objective(**entry) for entry in data["objectives"]),
            tasks=data["tasks"],
            devices=tuple(data["devices"]),
            limits=data["limits"],
            config=data["config"],
            true_fronts={
                (entry["task"], entry["device"]): np.array(entry["points"], dtype=float)
                for entry in data["true_fronts"]
            },
        )
