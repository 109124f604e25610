"""Zero-cost scores kept between runs: an SQLite file per setting in the user's cache directory."""

import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ktnas.arrays import FloatArray

TABLE = "CREATE TABLE IF NOT EXISTS score (arch TEXT, proxy TEXT, value REAL, PRIMARY KEY (arch, proxy))"
ASKED_AT_ONCE = 500
PATIENCE_S = 60.0


@dataclass(frozen=True)
class ScoreStore:
    """Scores by architecture and proxy. Several processes may use one file; the first value written stays.

    A score that is not defined is stored as such. Where the file cannot be used, a warning says so, and
    nothing is found or kept.

    Attributes:
        path: of the file.
    """

    path: Path

    def get(self, archs: Sequence[str], proxies: Sequence[str]) -> dict[str, FloatArray]:
        """Scores (P,) of each architecture all of whose ``proxies`` are known; NaN where not defined."""
        rows: dict[str, dict[str, float]] = {}
        with self._warning(), self._opened() as database:
            for start in range(0, len(archs), ASKED_AT_ONCE):
                asked = archs[start : start + ASKED_AT_ONCE]
                marks = ", ".join("?" * len(asked))
                query = f"SELECT arch, proxy, value FROM score WHERE arch IN ({marks})"
                for arch, proxy, value in database.execute(query, asked):
                    rows.setdefault(arch, {})[proxy] = np.nan if value is None else value
        return {
            arch: np.array([row[proxy] for proxy in proxies])
            for arch, row in rows.items()
            if all(proxy in row for proxy in proxies)
        }

    def put(self, archs: Sequence[str], proxies: Sequence[str], scores: FloatArray) -> None:
        """Keep ``scores`` (N, P)."""
        cells = [
            (arch, proxy, None if np.isnan(value) else value)
            for arch, row in zip(archs, scores.tolist(), strict=True)
            for proxy, value in zip(proxies, row, strict=True)
        ]
        with self._warning(), self._opened() as database:
            database.executemany("INSERT OR IGNORE INTO score VALUES (?, ?, ?)", cells)
            database.commit()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=PATIENCE_S)) as database:
            database.execute(TABLE)
            yield database

    @contextmanager
    def _warning(self) -> Iterator[None]:
        """Turn what goes wrong with the file into a warning."""
        try:
            yield
        except (OSError, sqlite3.Error) as problem:
            warnings.warn(
                f"Scores cannot be kept in {self.path} ({problem}). Delete that file, or set KTNAS_CACHE to "
                "a directory that can be written.",
                RuntimeWarning,
                stacklevel=4,
            )
