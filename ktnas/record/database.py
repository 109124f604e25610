"""The SQLite file below a ledger: its layout, how it is opened, and what is said when it cannot be.

Rows are only ever appended, to one table without a second index, in rollback-journal mode: the whole ledger
is one file, any process of any host that sees the file may read it while it grows, and a network file
system will do (the write-ahead log needs memory shared between processes of one host).
``synchronous=EXTRA`` flushes file and directory at each commit.
"""

import json
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ktnas.errors import UserError
from ktnas.record.evaluation import COLUMNS, Evaluation
from ktnas.version import __version__

LEDGER_NAME = "ledger.sqlite"
SCHEMA = 1
APPLICATION = 0x6B746E61
"""SQLite's application id of a ledger, ``ktna`` in ASCII."""

WAIT_SECONDS = 60.0
_MAGIC = b"SQLite format 3\0"
_NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC")
"""What SQLite says of a full disk, and of a quota or a limit that is used up."""

_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE evaluation (
        answered INTEGER PRIMARY KEY, asked INTEGER NOT NULL, generation INTEGER NOT NULL, task TEXT NOT NULL,
        role TEXT NOT NULL, architecture TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL,
        metrics TEXT NOT NULL, seconds REAL, message TEXT NOT NULL, host TEXT NOT NULL)""",
)


class FailedCheckError(sqlite3.DatabaseError):
    """SQLite can open the file, but its parts do not fit together."""


@contextmanager
def explained(path: Path | None) -> Iterator[None]:
    """Turn SQLite's errors about the file at ``path`` into a ``UserError`` that says what to do.

    Errors of a database in memory, where ``path`` is None, are nobody's mistake and stay as they are.
    """
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise
    except sqlite3.Error as error:
        if path is None:
            raise
        name = getattr(error, "sqlite_errorname", "")
        if isinstance(error, FailedCheckError) or name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise damaged(path, str(error)) from error
        remedy = "Check that the file and its directory can be read and written."
        if name.startswith(_NO_ROOM):
            kept = "nothing recorded before is lost"
            remedy = f"Free space, then continue the run with resume={path.parent}: {kept}."
        elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            remedy = (
                f"Another process has held it for {WAIT_SECONDS:.0f} seconds: end it, then continue the run."
            )
        raise UserError(f"Cannot use the ledger {path}: {error}. {remedy}") from error


def damaged(path: Path, reason: str) -> UserError:
    """The error of a file that was a ledger once, or never."""
    return UserError(
        f"The ledger {path} is damaged ({reason}): it was cut off or changed by something else. "
        "Restore it from a copy, or start again in another run directory."
    )


def has_ledger(path: Path) -> bool:
    """Whether ``path`` holds a ledger of this version; an absent or empty file does not. Changes nothing.

    Raises:
        UserError: the file is something else, or of another version.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UserError(f"Cannot read the ledger {path}: {error.strerror or error}.") from error
    if not header:
        return False
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise UserError(
            f"{path} is not a ledger of ktnas (not an SQLite database, or cut off). "
            "Restore it from a copy, or choose another run directory."
        )
    (version,) = struct.unpack_from(">I", header, 60)
    (application,) = struct.unpack_from(">I", header, 68)
    if application != APPLICATION:
        raise UserError(
            f"{path} is not a ledger of ktnas but another application's SQLite database. "
            "Choose another run directory."
        )
    if version != SCHEMA:
        raise UserError(
            f"The ledger {path} has schema version {version}, but ktnas {__version__} reads {SCHEMA}. "
            "Use the version of ktnas that wrote it, or start again in another run directory."
        )
    return True


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the database at ``path``, made if absent; None is one in memory."""
    target = ":memory:" if path is None else f"{path.resolve().as_uri()}?mode=rwc"
    return _connect(target, "synchronous = EXTRA", "journal_mode = DELETE")


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for reading.

    The connection may write where permissions allow, for one reason: what a killed process left half-written
    must be undone before anything can be read.
    """
    return _connect(f"{path.resolve().as_uri()}?mode=rw", "query_only = ON")


def _connect(target: str, *settings: str) -> sqlite3.Connection:
    connection = sqlite3.connect(target, uri=True, isolation_level=None, timeout=WAIT_SECONDS)
    try:
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """All or nothing."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def create(connection: sqlite3.Connection, meta: Mapping[str, Any]) -> None:
    """Lay out an empty database and store ``meta``, in one transaction."""
    with transaction(connection):
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        for statement in _TABLES:
            connection.execute(statement)
        store(connection, meta)


def store(connection: sqlite3.Connection, meta: Mapping[str, Any]) -> None:
    """Set entries of the meta table, as canonical JSON."""
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [(name, canonical(value)) for name, value in meta.items()],
    )


def append(connection: sqlite3.Connection, evaluations: list[Evaluation]) -> None:
    """Add rows, in one transaction that is on the disk when this returns."""
    marks = ", ".join("?" * len(COLUMNS))
    with transaction(connection):
        connection.executemany(f"INSERT INTO evaluation VALUES ({marks})", [e.to_row() for e in evaluations])


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever committed: a process was killed while it made the file."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    return bool(pages == 0)


def load(connection: sqlite3.Connection) -> tuple[dict[str, Any], list[Evaluation]]:
    """Meta entries and evaluations in asked order, from one consistent state that has been checked."""
    with transaction(connection, "DEFERRED"):
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise FailedCheckError(verdict.replace("\n", " "))
        meta = {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM meta")}
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM evaluation ORDER BY asked").fetchall()
    return meta, [Evaluation.from_row(row) for row in rows]


def canonical(value: Any) -> str:
    """``value`` as JSON with sorted names, equal for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
