"""A comparison of runs as one page that needs no network."""

import math
from base64 import b64encode
from dataclasses import dataclass

import pandas as pd

from ktnas.record.compare import Comparison
from ktnas.record.compare_plot import convergence_png, wins_png
from ktnas.record.contest import TITLES, Contest
from ktnas.report.content import mean_text
from ktnas.report.templates import page_environment
from ktnas.version import __version__

FINALS = {"error": TITLES["error"], "regret": "regret", "rank": "rank in table"} | TITLES
"""Columns of means of ``Comparison.table``, in words."""

NOTHING = "–"


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Attributes:
        title: what it shows.
        header: of its columns; the first ``words`` of them are words, the rest numbers.
        rows: of cells.
        words: columns that are set to the left.
        note: how to read it.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    words: int = 1
    note: str = ""


def finals(comparison: Comparison, contest: Contest) -> Grid:
    """What each group came to: means ± standard errors of what is known, and seconds per evaluation."""
    rows = _of(comparison.table, contest)
    known = [name for name in FINALS if rows[name].notna().any()]
    lines = []
    for row in rows.to_dict("records"):
        group, unfinished = str(row["group"]), int(row["unfinished"])
        runs = f"{row['runs']}" + (f" ({unfinished} unfinished)" if unfinished else "")
        counts = {len(member.view.evaluations) for member in contest.groups[group]}
        asked = f"{min(counts)}" + (f"–{max(counts)}" if len(counts) > 1 else "")
        means = [mean_text(row[name], row[f"{name}_se"]) for name in known]
        lines.append([group, runs, asked, *means, number_text(row["seconds"])])
    titles = [FINALS[name] for name in known]
    return Grid(contest.title, ["group", "runs", "evaluations", *titles, "s per evaluation"], lines)


def levels(comparison: Comparison, contest: Contest, measure: str) -> Grid:
    """Evaluations that each group needs to come as far as each other one."""
    rows = _of(comparison.reached, contest)
    rows = rows[rows["measure"] == measure]
    found = contest.levels(measure)
    cells = {
        (row["group"], row["level"]): f"{number_text(row['evaluations'])} ({row['reached']}/{row['runs']})"
        for row in rows.to_dict("records")
    }
    header = ["group", *(f"{level}: {number_text(value)}" for level, value in found.items())]
    return Grid(
        f"Evaluations to a level of {TITLES[measure]}",
        header,
        [[group, *(cells[group, level] for level in found)] for group in contest.groups],
        note="A level is the mean of a group's last values, or the smallest error there is. Median over runs "
        f"and how many of them come there; {NOTHING} where half do not.",
    )


def tests(contest: Contest, measure: str) -> Grid:
    """Paired tests between the groups."""
    results = contest.tests(measure)
    noted = any(test.note for test in results)
    return Grid(
        f"Paired tests of {TITLES[measure]}",
        ["a", "b", "common seeds", "mean a−b", "p", "p (Holm)", *["note"] * noted],
        [
            [
                *(test.a, test.b, str(test.n)),
                *map(number_text, (test.difference, test.p, test.p_holm)),
                *[test.note] * noted,
            ]
            for test in results
        ],
        words=2,
        note="Wilcoxon signed-rank test over common seeds, with Holm's correction over the pairs.",
    )


def wins(comparison: Comparison, measure: str) -> Grid:
    """Who beats whom."""
    matrix = comparison.wins[measure]
    return Grid(
        f"Wins in {TITLES[measure]}",
        ["row beats column", *map(str, matrix.columns)],
        [[str(group), *(_share(value) for value in row)] for group, row in matrix.iterrows()],
        note="Share of tasks, devices and common seeds in which the row ends better; ties count half.",
    )


def comparison_page(comparison: Comparison) -> str:
    """All tables and pictures of a comparison, as HTML."""
    contests = [
        {
            "id": f"c{number}",
            "picture": _embedded(convergence_png([contest])),
            "finals": finals(comparison, contest),
            "grids": [
                grid
                for measure in contest.measures
                if len(contest.groups) > 1
                for grid in (levels(comparison, contest, measure), tests(contest, measure))
            ],
        }
        for number, contest in enumerate(comparison.contests)
    ]
    return (
        page_environment()
        .get_template("comparison.html.j2")
        .render(
            contests=contests,
            wins=[wins(comparison, measure) for measure in comparison.wins],
            wins_picture=_embedded(wins_png(comparison.wins)) if comparison.wins else None,
            warnings=comparison.warnings,
            version=__version__,
        )
    )


def number_text(value: float) -> str:
    """A number to four digits; a dash for NaN."""
    return NOTHING if math.isnan(value) else f"{value:.4g}"


def _share(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.2f}"


def _of(table: pd.DataFrame, contest: Contest) -> pd.DataFrame:
    """The rows of a contest."""
    device = table["device"].isna() if contest.device is None else table["device"] == contest.device
    return table[(table["problem"] == contest.problem) & (table["task"] == contest.task) & device]


def _embedded(png: bytes) -> str:
    """Address of a picture that holds the picture itself."""
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"
