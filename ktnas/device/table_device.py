"""Devices whose latencies were published."""

from collections.abc import Callable

from ktnas.arrays import FloatArray, IntArray
from ktnas.device.base import Device
from ktnas.tables import Table


class TableDevice(Device):
    """Look-ups in a column of a table, or of one table per task.

    Args:
        name: the device's name.
        table: from the name of a task to the table, which is read when it is first asked for.
        column: column of latencies in ms.
        known: whether they may be consulted free of budget.
    """

    metric = None

    def __init__(self, name: str, table: Callable[[str], Table], column: str, known: bool = True) -> None:
        self.name = name
        self.known = known
        self._table = table
        self._column = column

    def latency(self, genotypes: IntArray, task: str) -> FloatArray:
        """Latency (N,) in ms of genotypes (N, V), NaN where the table has none.

        Raises:
            UserError: the table cannot be read, or its column.
        """
        return self._table(task).look_up(genotypes, [self._column])[:, 0]
