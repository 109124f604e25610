"""Comma-separated tables, plain or compressed."""

import lzma
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ktnas.arrays import IntArray
from ktnas.errors import UserError, unknown
from ktnas.space import SearchSpace, TextError
from ktnas.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    ImportError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


def read_csv(path: Path, space: SearchSpace, arch: str = "arch") -> Table:
    """Read a CSV file with a header; ``.gz``, ``.bz2``, ``.xz`` and ``.zip`` are decompressed.

    Column ``arch`` holds official texts of ``space``. Blank lines are skipped.

    Raises:
        UserError: a file that is empty, truncated, binary or not a CSV; a missing column; an architecture
            that cannot be read or comes twice, by its line.
    """
    frame = _frame(path, arch)
    lines: IntArray = frame.index.to_numpy(dtype=np.int64) + 2
    texts = frame.pop(arch)
    empty = np.flatnonzero(texts.isna())
    if len(empty):
        raise UserError(
            f"{path}, line {lines[empty[0]]}: column '{arch}' is empty, expected an architecture."
        )
    try:
        genotypes = space.parse(texts.tolist())
    except TextError as problem:
        raise UserError(f"{path}, line {lines[problem.position]}: {problem}") from None
    return Table(str(path), space, genotypes, frame, lines)


def _frame(path: Path, arch: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                dtype={arch: "str"},
                encoding="utf-8-sig",
                index_col=False,
                low_memory=False,
                skip_blank_lines=False,
                skipinitialspace=True,
            )
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty, expected a header line with a column '{arch}'.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text, expected comma-separated values in UTF-8.") from None
    except (*READ_ERRORS, pd.errors.ParserWarning) as problem:
        reason = " ".join(str(problem).split())
        raise UserError(
            f"{path} cannot be read as comma-separated values, is it truncated? ({reason})"
        ) from None
    if arch not in frame.columns:
        raise unknown(f"column of {path}:", arch, map(str, frame.columns))
    return frame.dropna(how="all")
