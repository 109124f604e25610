"""Tables of an experiment, as Markdown: means, standard errors, paired tests, and what made them."""

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from ktnas.record.files import write_atomically
from ktnas.record.statistics import MIN_PAIRS, holm, mean_and_error, paired_tests
from ktnas.record.summary import versions

REFERENCE = "ktnas"
NOTHING = "–"

TESTS = (
    f"Means ± standard errors over seeds. p: two-sided Wilcoxon signed-rank test against {REFERENCE} over\n"
    f"the common seeds, from {MIN_PAIRS} of them on, with Holm's correction over the methods of the table."
)


def mean_cell(values: Sequence[float] | pd.Series, digits: int) -> str:
    """Mean ± standard error; the mean alone of one value."""
    mean, error = (float(number) for number in mean_and_error(pd.Series(values, dtype=float).to_numpy()))
    if math.isnan(mean):
        return NOTHING
    return f"{mean:.{digits}f}" + ("" if math.isnan(error) else f" ± {error:.{digits}f}")


def p_cells(rows: pd.DataFrame, measure: str) -> dict[str, str]:
    """Corrected p value of each method's paired test against ``ktnas``, as text.

    Args:
        rows: of one setting, with columns ``method``, ``seed`` and ``measure``.
        measure: the column that is compared.
    """
    groups = {
        str(method): dict(zip(own["seed"], own[measure], strict=True))
        for method, own in rows.groupby("method")
    }
    rivals = [method for method in groups if method != REFERENCE]
    if REFERENCE not in groups:
        return dict.fromkeys(groups, NOTHING)
    tests = [paired_tests({REFERENCE: groups[REFERENCE], rival: groups[rival]})[0] for rival in rivals]
    corrected = holm([test.p for test in tests])
    return {REFERENCE: NOTHING} | dict(zip(rivals, map(_p_cell, corrected), strict=True))


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table with its first column to the left and the others to the right."""
    rules = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rules, *lines)) + "\n"


def origin(command: str, rows: pd.DataFrame | None = None) -> str:
    """How a page was made: the command, the versions, and what is to be known of the runs behind it."""
    found = versions() | {"optuna": version("optuna"), "joblib": version("joblib")}
    lines = [f"Made by `{command}` with {', '.join(f'{name} {number}' for name, number in found.items())}."]
    if rows is not None:
        lines.append(
            f"Its {len(rows)} runs took {rows['seconds'].sum():,.0f} s, one core each. The CSV file beside\n"
            "this page has a row of each, with hashes of its configuration and of the engine's code."
        )
        states = rows[["ktnas", "code"]].drop_duplicates()
        if len(states) > 1:
            listed = ", ".join(f"{state.ktnas} ({state.code})" for state in states.itertuples())
            lines.append(f"**The runs were made by {len(states)} states of the engine's code: {listed}.**")
    return "\n\n".join(lines) + "\n"


def publish(path: Path, title: str, parts: Sequence[str]) -> None:
    """Write a page of ``parts``, and print it."""
    page = "\n".join([f"# {title}\n", *parts])
    write_atomically(path, page.encode())
    print(page)


def by_seed(rows: pd.DataFrame, measures: Sequence[str], settings: Sequence[str]) -> pd.DataFrame:
    """Mean over settings of each method and seed that has all of ``settings``, columns as in ``rows``."""
    groups = rows.groupby(["method", "seed"], sort=False)
    means = groups[list(measures)].mean()[groups["setting"].nunique() == len(settings)]
    return means.reset_index()


def published_cells(values: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    """Quoted numbers in the order of ``columns``; a dash where there is none."""
    return [f"{values[column]:g}" if column in values else NOTHING for column in columns]


def _p_cell(p: float) -> str:
    if math.isnan(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
