"""Architectures that a user lists in a file."""

from pathlib import Path

from ktnas.errors import UserError


def read_architectures(file: Path) -> list[str]:
    """Texts in the column ``arch`` of a CSV file, or one per line of another.

    Raises:
        UserError: a file that cannot be read, or a CSV file without that column.
    """
    import pandas as pd

    try:
        if file.suffix != ".csv":
            lines = file.read_text(encoding="utf-8").splitlines()
            return [line.strip() for line in lines if line.strip()]
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise UserError(f"{file}: cannot be read: {reason}. Expected architectures, one per line.") from None
    if "arch" not in table:
        found = ", ".join(map(str, table.columns))
        raise UserError(f"{file}: no column 'arch' among {found}. Name the column with the architectures so.")
    return [str(text) for text in table["arch"]]
