"""The durable record of every evaluation of a run, and the replay of a run from it."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock

from ktnas.errors import UserError
from ktnas.record import database
from ktnas.record.database import LEDGER_NAME
from ktnas.record.description import RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.lock import busy, this_process, try_lock
from ktnas.version import __version__


class Ledger:
    """One row per evaluation, written by one process.

    What ``record`` returned from survives the death of the process and of the machine. A run is continued by
    asking its questions again: ``replay`` answers those that were answered before.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        evaluations: Sequence[Evaluation],
        run_dir: Path | None = None,
        lock: FileLock | None = None,
    ):
        self.run_dir = run_dir
        self._path = None if run_dir is None else run_dir / LEDGER_NAME
        self._connection = connection
        self._lock = lock
        self._by_order: dict[int, Evaluation] = {}
        self._by_question: dict[tuple[str, str], Evaluation] = {}
        self._answers: set[int] = set()
        self._remember(evaluations)

    @classmethod
    def open(
        cls, run_dir: Path | None, fingerprint: Mapping[str, Any], description: RunDescription
    ) -> "Ledger":
        """Make the ledger of a run, or open the one that is there, and lock the run until ``close``.

        Args:
            run_dir: made if absent; None keeps the ledger in memory.
            fingerprint: the configuration that decides the rows, in plain types.
            description: stored when the ledger is made.

        Raises:
            UserError: another process has the run; the ledger there is of another fingerprint or version, or
                is no ledger; the directory cannot be written.
        """
        if run_dir is None:
            connection = database.connect(None)
            database.create(connection, _meta(fingerprint, description))
            return cls(connection, [])
        path = run_dir / LEDGER_NAME
        database.has_ledger(path)
        lock = try_lock(run_dir)
        if lock is None:
            raise busy(run_dir, _holder(path))
        try:
            with database.explained(path):
                connection = database.connect(path)
                try:
                    evaluations = _start(connection, run_dir, _meta(fingerprint, description))
                except BaseException:
                    connection.close()
                    raise
            return cls(connection, evaluations, run_dir, lock)
        except BaseException:
            lock.release()
            raise

    def record(self, evaluations: Sequence[Evaluation]) -> None:
        """Add rows; they are on the disk when this returns, all or none of them.

        Raises:
            ValueError: an order, an answer's number or a (task, key) is there already.
            UserError: the disk is full or the file cannot be written.
        """
        if not evaluations:
            return
        self._check_new(evaluations)
        with database.explained(self._path):
            database.append(self._connection, list(evaluations))
        self._remember(evaluations)

    def answer(self, task: str, key: str) -> Evaluation | None:
        """The evaluation of the architecture ``key`` on ``task``; None when there is none."""
        return self._by_question.get((task, key))

    def replay(self, order: int, task: str, key: str) -> Evaluation | None:
        """The recorded answer to the question asked as number ``order``; None when it was never answered.

        Raises:
            UserError: the recorded run asked another question here, or this one elsewhere: it was written by
                another version or on other data, and its answers are of no use.
        """
        here = self._by_order.get(order)
        there = self._by_question.get((task, key))
        if here is there:
            return here
        recorded = (
            f"asked '{here.architecture}' on task '{here.task}' as number {order}"
            if here is not None
            else f"asked that as number {there.order if there is not None else order}"
        )
        raise UserError(
            f"The ledger {self._path} does not fit this search: as number {order} the search asks the "
            f"architecture {key} on task '{task}', but the recorded run {recorded}. It was written by "
            "another version of ktnas, of a library or of the data. Continue it with the versions that "
            "wrote it, or start again in another run directory."
        )

    def evaluations(self) -> list[Evaluation]:
        """All rows in asked order."""
        return [self._by_order[order] for order in sorted(self._by_order)]

    def __len__(self) -> int:
        return len(self._by_order)

    def close(self) -> None:
        """Close the file and let go of the run; again does nothing."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_new(self, evaluations: Sequence[Evaluation]) -> None:
        orders = {e.order for e in evaluations}
        answers = {e.answered for e in evaluations}
        questions = {(e.task, e.key) for e in evaluations}
        for what, new, known in (
            ("order", orders, self._by_order.keys()),
            ("answered", answers, self._answers),
            ("task and key", questions, self._by_question.keys()),
        ):
            if len(new) < len(evaluations) or new & known:
                clash = sorted(new & known) or "twice among the new rows"
                raise ValueError(f"an evaluation with this {what} is recorded already: {clash}")

    def _remember(self, evaluations: Sequence[Evaluation]) -> None:
        self._by_order.update((e.order, e) for e in evaluations)
        self._by_question.update(((e.task, e.key), e) for e in evaluations)
        self._answers.update(e.answered for e in evaluations)


@dataclass(frozen=True)
class RunRecord:
    """What a ledger held when it was read.

    Attributes:
        run_dir: of the run.
        fingerprint: the configuration that decides its rows.
        description: what it minimises.
        evaluations: in asked order.
        version: of ktnas that began the run.
        holder: the process that last opened the ledger to write: ``pid`` and ``host``.
    """

    run_dir: Path
    fingerprint: dict[str, Any]
    description: RunDescription
    evaluations: list[Evaluation]
    version: str
    holder: dict[str, Any]


def read_ledger(run_dir: Path) -> RunRecord:
    """Read the ledger of a run that is finished, killed, or running in another process.

    Raises:
        UserError: there is no ledger, or it cannot be read.
    """
    path = run_dir / LEDGER_NAME
    if not database.has_ledger(path):
        state = "is empty: the run has only just begun" if path.exists() else "does not exist"
        raise UserError(
            f"No run to read: {path} {state}. "
            f"Expected the directory of a run of 'ktnas search', with {LEDGER_NAME} in it."
        )
    with database.explained(path):
        connection = database.connect_reader(path)
        try:
            meta, evaluations = database.load(connection)
        finally:
            connection.close()
    description = RunDescription.from_json(meta["description"])
    return RunRecord(
        run_dir, meta["fingerprint"], description, evaluations, meta["ktnas"], dict(meta["holder"])
    )


def _start(connection: sqlite3.Connection, run_dir: Path, meta: dict[str, Any]) -> list[Evaluation]:
    """Create the ledger or check the one that is there; its evaluations."""
    if database.is_empty(connection):
        database.create(connection, meta)
        return []
    stored, evaluations = database.load(connection)
    _check_fingerprint(run_dir, stored["fingerprint"], json.loads(database.canonical(meta["fingerprint"])))
    with database.transaction(connection):
        database.store(connection, {"holder": meta["holder"]})
    return evaluations


def _meta(fingerprint: Mapping[str, Any], description: RunDescription) -> dict[str, Any]:
    return {
        "fingerprint": dict(fingerprint),
        "description": description.to_json(),
        "ktnas": __version__,
        "holder": this_process(),
    }


def _holder(path: Path) -> dict[str, Any] | None:
    """The process that last opened the ledger; None when it has not said so yet."""
    try:
        connection = database.connect_reader(path)
        try:
            meta, _ = database.load(connection)
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return dict(meta["holder"])


def _check_fingerprint(run_dir: Path, stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    before, after = flatten(stored), flatten(now)
    names = sorted(before.keys() | after.keys())
    different = [name for name in names if _shown(before, name) != _shown(after, name)]
    if not different:
        return
    lines = [
        f"  {name}: {_shown(before, name)} in the ledger, {_shown(after, name)} now" for name in different
    ]
    raise UserError(
        f"The ledger in {run_dir} belongs to another configuration:\n"
        + "\n".join(lines)
        + "\nContinue the run with the values of its ledger, or choose another one with hydra.run.dir=DIR."
    )


def _shown(values: Mapping[str, Any], name: str) -> str:
    return database.canonical(values[name]) if name in values else "absent"


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names; an empty mapping stays a value."""
    result: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            result.update(flatten(value, f"{prefix}{name}."))
        else:
            result[f"{prefix}{name}"] = value
    return result
