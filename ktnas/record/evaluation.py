"""One evaluation: an architecture, asked on one task, and what came back."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Status = Literal["ok", "failed", "timeout"]
Role = Literal["source", "target"]


@dataclass(frozen=True)
class Evaluation:
    """One row of a ledger.

    Attributes:
        order: when it was asked, from 0 within the run.
        generation: of the search that asked.
        task: judged on.
        role: of the task in the run.
        architecture: in the official text form of the space.
        key: identity of the architecture, 16 hexadecimal digits.
        status: ``ok``, ``failed`` (raised, exited, or its score is not finite) or ``timeout``.
        metrics: natural units; ``error`` is minimised, latency columns are ``latency_ms_<device>``. NaN is
            "not known" and is kept as it is.
        seconds: the evaluation took; NaN when nobody knows.
        message: why it failed.
        host: where it ran.
        answered: when the answer arrived, from 0 within the run.
    """

    order: int
    generation: int
    task: str
    role: Role
    architecture: str
    key: str
    status: Status
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = math.nan
    message: str = ""
    host: str = ""
    answered: int = 0

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status must be one of {', '.join(get_args(Status))}, got '{self.status}'")
        if self.role not in get_args(Role):
            raise ValueError(f"role must be one of {', '.join(get_args(Role))}, got '{self.role}'")

    def metric(self, column: str) -> float:
        """Value of ``column``; NaN when the evaluation did not succeed or has no such column."""
        return self.metrics.get(column, math.nan) if self.status == "ok" else math.nan

    def to_row(self) -> tuple[int | float | str, ...]:
        """The values of a ledger row, in the order of ``COLUMNS``; metrics as JSON that keeps every bit."""
        metrics = json.dumps({name: float(value) for name, value in self.metrics.items()})
        return (
            int(self.answered),
            int(self.order),
            int(self.generation),
            self.task,
            self.role,
            self.architecture,
            self.key,
            self.status,
            metrics,
            float(self.seconds),
            _writable(self.message),
            _writable(self.host),
        )

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> "Evaluation":
        """Inverse of ``to_row``."""
        (
            answered,
            order,
            generation,
            task,
            role,
            architecture,
            key,
            status,
            metrics,
            seconds,
            message,
            host,
        ) = row
        return cls(
            order=order,
            generation=generation,
            task=task,
            role=role,
            architecture=architecture,
            key=key,
            status=status,
            metrics=json.loads(metrics),
            seconds=math.nan if seconds is None else seconds,
            message=message,
            host=host,
            answered=answered,
        )


COLUMNS = (
    "answered",
    "asked",
    "generation",
    "task",
    "role",
    "architecture",
    "key",
    "status",
    "metrics",
    "seconds",
    "message",
    "host",
)


def _writable(text: str) -> str:
    """``text`` with what UTF-8 cannot hold (lone surrogates of a broken file name, say) escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
