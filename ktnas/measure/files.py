"""The files of a measured device: rows that are never lost, and what they were measured with."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ktnas.errors import UserError
from ktnas.record.files import json_bytes, write_atomically

Row = dict[str, str]


def file_name(text: str) -> str:
    """``text`` with a dash for every run of characters that a file name had better not have."""
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "device"


@dataclass(frozen=True)
class RowFile:
    """A CSV file that grows row by row; killed in the middle of a row, it is whole without it.

    Attributes:
        path: the file.
        columns: of every row.
    """

    path: Path
    columns: Sequence[str]

    def read(self) -> list[Row]:
        """Rows of the file, none where there is none; a row that was cut off is taken away.

        Raises:
            UserError: another file is there, or it cannot be read.
        """
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        except (OSError, UnicodeDecodeError) as problem:
            raise UserError(f"{self.path} cannot be read: {problem}. Choose another name=.") from None
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            write_atomically(self.path, whole.encode())
        lines = list(csv.reader(whole.splitlines()))
        if not lines:
            return []
        if lines[0] != list(self.columns):
            raise UserError(
                f"{self.path} has the columns {', '.join(lines[0])}, expected {', '.join(self.columns)}: "
                "it is no file of ktnas measure. Choose another name=."
            )
        return [dict(zip(self.columns, line, strict=False)) for line in lines[1:]]

    def append(self, row: Row) -> None:
        """Add a row; it is on the disk when this returns."""
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(_lines([] if file.tell() else [self.columns], [row], self.columns))
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise UserError(
                f"Cannot write {self.path}: {problem.strerror}. Free space, then go on."
            ) from None

    def replace(self, rows: Sequence[Row]) -> None:
        """Have these rows and no others."""
        write_atomically(self.path, _lines([self.columns], rows, self.columns).encode())


def _lines(header: Sequence[Sequence[str]], rows: Sequence[Row], columns: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([*header, *([row[column] for column in columns] for row in rows)])
    return text.getvalue()


def read_description(path: Path) -> dict[str, Any] | None:
    """What is known of a measured device, None where nothing is; ``UserError`` for other content."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} cannot be read: {problem}. Choose another name=.") from None
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        raise UserError(f"{path} is no description by ktnas measure. Choose another name=.")
    return content


def write_description(path: Path, description: dict[str, Any]) -> None:
    """Write what is known of a measured device, whole or not at all."""
    write_atomically(path, json_bytes(description))


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else measures into ``path`` meanwhile; ``UserError`` where somebody does."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"{path} is being measured by another process. Wait, or choose another name=."
        ) from None
    except OSError as problem:
        raise UserError(
            f"Cannot write in {path.parent}: {problem.strerror or problem}. Name another directory with "
            "out=DIR, or change its permissions."
        ) from None
    try:
        yield
    finally:
        lock.release()
