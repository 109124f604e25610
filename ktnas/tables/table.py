"""Architectures and what is known of them, one row each."""

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ktnas.arrays import FloatArray, IntArray, KeyArray
from ktnas.errors import UserError, unknown
from ktnas.space import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


class Table:
    """Rows of a file: an architecture and its values in named columns.

    Args:
        origin: the file, for messages.
        space: the space of the architectures.
        genotypes: (R, V) int64.
        frame: R rows in the same order; a column is read as numbers when it is asked for.
        lines: (R,) int64, the line of each row in the file, where it has lines.

    Raises:
        UserError: no rows, or an architecture that has two of them.
    """

    def __init__(
        self,
        origin: str,
        space: SearchSpace,
        genotypes: IntArray,
        frame: "pd.DataFrame",
        lines: IntArray | None = None,
    ) -> None:
        if not len(genotypes):
            raise UserError(f"{origin} has no rows.")
        self.origin = origin
        self.space = space
        self.genotypes = genotypes
        self._frame = frame
        self._lines = lines
        self._columns: dict[str, FloatArray] = {}
        identities = space.identities(genotypes)
        self._order = np.argsort(identities, kind="stable")
        self._sorted: KeyArray = identities[self._order]
        self._check_duplicates()

    def __len__(self) -> int:
        return len(self.genotypes)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns with at least one number, in the order of the file."""
        return tuple(name for name in self._frame.columns if not np.isnan(self._numbers(name)).all())

    def column(self, name: str) -> FloatArray:
        """Values (R,) float64 of a column; what is missing or infinite is NaN, and a log line counts it.

        Raises:
            UserError: an unknown column, a value that is no number, a column without a finite value.
        """
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def rows(self, genotypes: IntArray) -> IntArray:
        """Row (N,) int64 of each genotype (N, V), -1 where the table does not have it."""
        identities = self.space.identities(genotypes)
        position = np.minimum(np.searchsorted(self._sorted, identities), len(self) - 1)
        return np.where(self._sorted[position] == identities, self._order[position], -1)

    def look_up(self, genotypes: IntArray, columns: Sequence[str]) -> FloatArray:
        """Values (N, len(columns)) float64 of genotypes (N, V), NaN where unknown."""
        rows = self.rows(genotypes)
        values = np.full((len(rows), len(columns)), np.nan)
        for index, name in enumerate(columns):
            values[:, index] = np.where(rows >= 0, self.column(name)[rows], np.nan)
        return values

    def place(self, row: int, short: bool = False) -> str:
        """Where a row stands, for messages: file and line, or the line alone."""
        number = f"row {row + 1}" if self._lines is None else f"line {self._lines[row]}"
        return number if short else f"{self.origin}, {number}"

    def _numbers(self, name: str) -> FloatArray:
        import pandas as pd

        values = self._frame[name]
        if values.dtype == bool:
            return np.full(len(values), np.nan)
        return np.array(pd.to_numeric(values, errors="coerce"), dtype=np.float64)

    def _read(self, name: str) -> FloatArray:
        if name not in self._frame.columns:
            raise unknown(f"column of {self.origin}:", name, map(str, self._frame.columns))
        values = self._numbers(name)
        wrong = np.flatnonzero(np.isnan(values) & self._frame[name].notna())
        if len(wrong):
            raise UserError(
                f"{self.place(wrong[0])}: column '{name}' holds {self._frame[name].iloc[wrong[0]]!r}, "
                f"expected a number ({len(wrong)} such values in the column)."
            )
        values[~np.isfinite(values)] = np.nan
        missing = int(np.isnan(values).sum())
        if missing == len(values):
            raise UserError(f"{self.origin}: column '{name}' has no finite value.")
        if missing:
            logger.warning(
                "%s: column '%s' is missing, NaN or infinite in %d of %d rows; they count as not evaluated.",
                self.origin,
                name,
                missing,
                len(values),
            )
        values.flags.writeable = False
        return values

    def _check_duplicates(self) -> None:
        again = np.flatnonzero(self._sorted[1:] == self._sorted[:-1]) + 1
        if not len(again):
            return
        position = again[np.argmin(self._order[again])]
        first, second = self._order[position - 1], self._order[position]
        texts = " and ".join(dict.fromkeys(self.space.format(self.genotypes[[first, second]])))
        raise UserError(
            f"{self.place(second)}: same architecture as {self.place(first, short=True)}, {texts} "
            f"({len(again)} such rows in all). Keep one row of each architecture of {self.space.name}."
        )
