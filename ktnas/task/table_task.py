"""Tasks whose answers were published."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.tables import Table
from ktnas.task.base import Task
from ktnas.task.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd


class TableTask(Task):
    """Look-ups in a table.

    A row whose searched metric is missing, NaN or infinite was not evaluated: the architecture is not part
    of the task. Other metrics may be NaN.

    Args:
        name: the task's name.
        table: its rows.
        columns: metric to column of the table.
        searched: as in ``Task``, as are the other arguments.
        reported: metric that is only reported.
        better: metric to direction.
        units: metric to unit.
        free: metrics known without an evaluation.

    Raises:
        UserError: a column that is unknown, not of numbers, or without a finite value.
    """

    def __init__(
        self,
        name: str,
        table: Table,
        columns: Mapping[str, str],
        *,
        searched: str,
        reported: str | None = None,
        better: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        free: Sequence[str] = (),
    ) -> None:
        super().__init__(
            name,
            table.space,
            tuple(columns),
            searched=searched,
            reported=reported,
            better=better,
            units=units,
            free=free,
        )
        self._table = table
        self._columns = dict(columns)
        self._values = {metric: table.column(column) for metric, column in columns.items()}
        self._evaluated = np.isfinite(self._values[searched])

    @cached_property
    def _universe(self) -> IntArray:
        universe = self.space.representative(self._table.genotypes[self._evaluated])
        universe.flags.writeable = False
        return universe

    def universe(self) -> IntArray:
        """Representatives (R, V) of the evaluated rows, in the order of the table; read-only."""
        return self._universe

    def contains(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes (N, V) that have an evaluated row."""
        rows = self._table.rows(genotypes)
        return (rows >= 0) & self._evaluated[rows]

    def look_up(self, genotypes: IntArray, metrics: Sequence[str]) -> FloatArray:
        """Metrics (N, len(metrics)) of genotypes (N, V), NaN where the table has none."""
        return self._table.look_up(genotypes, [self._columns[metric] for metric in metrics])

    def table(self) -> "pd.DataFrame":
        """Metrics of ``universe()``, one column each."""
        import pandas as pd

        return pd.DataFrame({metric: values[self._evaluated] for metric, values in self._values.items()})

    def evaluate(self, genotypes: IntArray) -> list[Outcome]:
        """Rows of the table; one that it does not have is a failed evaluation."""
        known = self.contains(genotypes).tolist()
        values = self.look_up(genotypes, self.metrics).tolist()
        absent = Outcome("failed", message=f"{self._table.origin} has no value of {self.searched} for it")
        return [
            Outcome("ok", dict(zip(self.metrics, row, strict=True))) if is_known else absent
            for is_known, row in zip(known, values, strict=True)
        ]
