"""What an evaluation came to."""

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "failed", "timeout"]


@dataclass(frozen=True)
class Outcome:
    """Result of evaluating one architecture.

    Attributes:
        status: ``ok``, or why there is none: ``failed`` or ``timeout``.
        metrics: name to value in natural units; the searched one is finite where the status is ``ok``,
            others may be NaN; empty where it is not.
        seconds: wall-clock time the evaluation took; 0 for a look-up.
        message: what went wrong; empty where the status is ``ok``.
        host: name of the machine that evaluated; empty for a look-up.
    """

    status: Status
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    host: str = ""
