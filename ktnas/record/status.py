"""What a run is doing: who works on it, how far each task is, and how it goes on."""

import math
import shlex
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ktnas.record.database import LEDGER_NAME
from ktnas.record.evaluation import Evaluation, Role
from ktnas.record.ledger import RunRecord
from ktnas.record.lock import LOCK_NAME, alive
from ktnas.record.runs import load_run
from ktnas.record.view import FrontView

State = Literal["running", "finished", "stopped"]


@dataclass(frozen=True)
class TaskStatus:
    """How far one task is.

    Attributes:
        task: name.
        role: of the task.
        evaluations: recorded.
        budget: evaluations in all.
        best_error: lowest within the limits; NaN when nothing succeeded there.
        hypervolume_ratio: of each front to the true one, the mean over devices; NaN where not known.
        failed: evaluations that failed or timed out.
        until: error at which the task is done before its budget is; None for none.
    """

    task: str
    role: Role
    evaluations: int
    budget: int
    best_error: float
    hypervolume_ratio: float
    failed: int
    until: float | None


@dataclass(frozen=True)
class RunStatus:
    """What a run is doing.

    Attributes:
        record: what its ledger holds.
        state: ``running`` while a process holds the run, ``finished`` when its results are written,
            ``stopped`` otherwise: killed, interrupted or failed.
        recorded: when the ledger last changed, by the clock of the file system.
        tasks: sources first, as they are searched.
    """

    record: RunRecord
    state: State
    recorded: datetime
    tasks: list[TaskStatus]

    @property
    def holder(self) -> dict[str, Any]:
        """The process that last worked on the run: ``pid`` and ``host``."""
        return self.record.holder

    @property
    def here(self) -> bool:
        """Whether the run was last worked on by a process of this machine."""
        return bool(self.holder["host"] == socket.gethostname())

    @property
    def orphaned(self) -> bool:
        """Whether the process that opened a running run has ended, and one that it started goes on."""
        return self.state == "running" and self.here and not alive(self.holder["pid"])

    @property
    def last_failure(self) -> Evaluation | None:
        """The evaluation that failed last."""
        failures = [e for e in self.record.evaluations if e.status != "ok"]
        return max(failures, key=lambda e: e.answered, default=None)

    @property
    def continuation(self) -> str:
        """The command, or the call, that goes on with the run."""
        return continuation(self.record)


def run_status(run_dir: Path) -> RunStatus:
    """Read what the run in ``run_dir`` is doing; nothing is changed.

    Raises:
        UserError: there is no run, or its ledger cannot be read.
    """
    run = load_run(run_dir)
    path = run_dir / LEDGER_NAME
    state: State = "finished" if run.finished else "stopped"
    return RunStatus(
        run.record,
        "running" if _in_use(run_dir / LOCK_NAME) else state,
        datetime.fromtimestamp(path.stat().st_mtime).astimezone(),
        _tasks(run.record),
    )


def from_here(path: Path) -> Path:
    """``path`` as it is called from the working directory, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def continuation(record: RunRecord) -> str:
    """The command, or for functions of a script the call, that goes on with a run."""
    if is_of_script(record.description.config):
        return f"the same script: ktnas.search(…, run_dir={str(record.run_dir)!r})"
    if not (record.run_dir / "config.yaml").is_file():
        return f"the command it was started with, and hydra.run.dir={shlex.quote(str(record.run_dir))}"
    return f"ktnas search resume={shlex.quote(str(record.run_dir))}"


def is_of_script(config: dict[str, Any]) -> bool:
    """Whether a run evaluates functions that nothing but the script that defines them can find."""
    functions = (config.get("benchmark") or {}).get("functions") or {}
    return any(str(f).startswith("__main__:") or "<" in str(f) for f in functions.values())


def _tasks(record: RunRecord) -> list[TaskStatus]:
    views: dict[str, list[FrontView]] = {}
    for spec in sorted(record.description.fronts(), key=lambda spec: spec.role == "target"):
        views.setdefault(spec.task, []).append(FrontView.of(spec, record.evaluations))
    until = record.description.config.get("until") or {}
    return [
        TaskStatus(
            task,
            of_task[0].spec.role,
            len(of_task[0].evaluations),
            _budget(record, of_task[0]),
            min((e.metrics["error"] for view in of_task if (e := view.best)), default=math.nan),
            sum(view.hypervolume_ratio for view in of_task) / len(of_task),
            of_task[0].failed,
            until.get(task),
        )
        for task, of_task in views.items()
    ]


def _budget(record: RunRecord, view: FrontView) -> int:
    """Evaluations in all; those of a source that another run lends are there from the start."""
    config = record.description.config
    if view.spec.role == "target":
        return int(config["budget"])
    lent = isinstance(record.fingerprint.get("source"), dict)
    return len(view.evaluations) if lent else int(config["source_budget"])


def _in_use(lock: Path) -> bool:
    """Whether a process holds the lock; asking leaves no trace and needs no right to write."""
    import fcntl

    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock, or a file system without locks
        return False
    return False
