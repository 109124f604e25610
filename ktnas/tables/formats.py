"""Formats of tables by name."""

from collections.abc import Callable
from pathlib import Path

from ktnas.errors import unknown
from ktnas.space import SearchSpace
from ktnas.tables.delimited import read_csv
from ktnas.tables.nas_bench_graph import read_nas_bench_graph
from ktnas.tables.table import Table

FORMATS: dict[str, Callable[[Path, SearchSpace, str], Table]] = {
    "csv": read_csv,
    "nas_bench_graph": read_nas_bench_graph,
}


def read_table(path: Path, space: SearchSpace, format: str = "csv", arch: str = "arch") -> Table:
    """Read the table in the file ``path``, whose architectures are of ``space`` and stand in the column
    ``arch``.

    Raises:
        UserError: an unknown format, or a file that does not hold such a table.
    """
    if format not in FORMATS:
        raise unknown("format of a table", format, FORMATS)
    return FORMATS[format](path, space, arch)
