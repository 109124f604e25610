"""What a report says, in the types that its page is made of."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ktnas.arrays import FloatArray
from ktnas.errors import UserError
from ktnas.record.contest import TITLES, Contest, Member
from ktnas.record.description import uncertainty_column
from ktnas.record.evaluation import Evaluation
from ktnas.record.front import non_dominated
from ktnas.record.runs import Run
from ktnas.record.status import RunStatus, run_status
from ktnas.report.drawing import drawings
from ktnas.report.knowledge import Knowledge, target_knowledge
from ktnas.report.reproduce import deciding, reproduction, search_command
from ktnas.report.run_space import run_space

MEASURED_FRONTS = "measured_fronts.csv"
SHOWN_FAILURES = 200
NOT_KNOWN = "–"


@dataclass(frozen=True)
class RunPart:
    """One run, as the page tells of it.

    Attributes:
        number: of the run on the page.
        name: its directory.
        status: what it is doing.
        knowledge: for each target.
        without_source: command of the same search with no source; None where none is known or there is no
            source to leave out.
        failures: evaluations that failed, in the order asked, at most 200.
        failed: how many there were.
        config: as YAML.
        versions: name to version; of an unfinished run those that are known.
        command: how to make the run again.
        measured: rows of ``measured_fronts.csv``; None where there is no such file.
    """

    number: int
    name: str
    status: RunStatus
    knowledge: list[Knowledge]
    without_source: str | None
    failures: list[Evaluation]
    failed: int
    config: str
    versions: dict[str, str]
    command: str
    measured: pd.DataFrame | None


def run_part(number: int, run: Run, name: str) -> RunPart:
    """What there is to say of ``run``."""
    record = run.record
    config = record.description.config
    failures = [e for e in record.evaluations if e.status != "ok"]
    knowledge = target_knowledge(record)
    lent = any(lender.role == "source" for known in knowledge for lender in known.lenders)
    return RunPart(
        number,
        name,
        run_status(record.run_dir),
        knowledge,
        search_command(deciding(record), source="[]") if lent else None,
        failures[:SHOWN_FAILURES],
        len(failures),
        yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        _versions(run),
        reproduction(record),
        _measured(record.run_dir / MEASURED_FRONTS),
    )


def evaluation_table(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """The evaluations that succeeded, in columns: what is said of a point of a figure.

    ``order``, ``architecture``, ``key``, and ``metrics``, column to its values, null where not known.
    """
    rows = [e for e in evaluations if e.status == "ok"]
    columns = list(dict.fromkeys(["error", *sorted({name for e in rows for name in e.metrics})]))
    return {
        "order": [e.order + 1 for e in rows],
        "architecture": [e.architecture for e in rows],
        "key": [e.key for e in rows],
        "metrics": {name: [_number(e.metrics.get(name, math.nan)) for e in rows] for name in columns},
    }


def column_label(column: str) -> str:
    """A metric's column for people: ``latency_ms_gpu`` is ``latency on gpu (ms)``."""
    if column.startswith("latency_ms_"):
        return f"latency on {column.removeprefix('latency_ms_')} (ms)"
    name, _, unit = column.rpartition("_")
    return f"{name.replace('_', ' ')} (mJ)" if unit == "mj" else column.replace("_", " ")


@dataclass(frozen=True)
class FrontRow:
    """One architecture of the best of all runs of a contest.

    Attributes:
        run: number of the run on the page.
        group: label of the runs.
        row: of the evaluation in its table.
        evaluation: of it.
    """

    run: int
    group: str
    row: int
    evaluation: Evaluation


def joint_front(contest: Contest, numbers: Mapping[int, int]) -> list[FrontRow]:
    """What no run of the contest has found better, the lowest first objective first."""
    rows: list[FrontRow] = []
    points: list[FloatArray] = []
    for group, members in contest.groups.items():
        for member in members:
            view = member.view
            place = np.cumsum([e.status == "ok" for e in view.evaluations]) - 1
            for i in np.flatnonzero(view.front).tolist():
                number = numbers[id(member.run)]
                rows.append(FrontRow(number, group, int(place[i]), view.evaluations[i]))
                points.append(view.points[i])
    if not rows:
        return []
    best = np.flatnonzero(non_dominated(np.array(points)))
    return [rows[i] for i in sorted(best.tolist(), key=lambda i: tuple(points[i]))]


def front_columns(rows: Sequence[FrontRow], contest: Contest) -> list[str]:
    """Columns of the table of a front: its objectives, then every other metric but of other devices."""
    objectives = _member(contest).view.spec.columns
    devices = _member(contest).view.spec.device
    named = sorted({name for row in rows for name in row.evaluation.metrics})
    elsewhere = {
        name
        for name in named
        if name.startswith("latency_ms_") and devices is not None and name not in objectives
    }
    deviations = {uncertainty_column(name) for name in named}
    others = [name for name in named if name not in {*objectives, *elsewhere, *deviations}]
    return [*objectives, *others]


def cell(evaluation: Evaluation, column: str) -> str:
    """A metric as text, with its deviation where it is predicted."""
    text = number_text(evaluation.metric(column))
    deviation = evaluation.metric(uncertainty_column(column))
    return f"{text} ± {deviation:.2g}" if deviation > 0 else text


@dataclass(frozen=True)
class GroupRow:
    """What a group of runs came to on a contest.

    Attributes:
        group: label.
        runs: how many.
        unfinished: how many of them are not finished.
        evaluations: of the task, the fewest and the most.
        finals: measure to mean ± standard error, as text.
        needed: evaluations until the mean error is as low as that of the worst group in the end; None where
            there is one group.
    """

    group: str
    runs: int
    unfinished: int
    evaluations: str
    finals: dict[str, str]
    needed: int | None


def group_rows(contest: Contest) -> list[GroupRow]:
    """One row per group."""
    level = common_level(contest)
    rows = []
    for group, members in contest.groups.items():
        counts = sorted({len(member.view.evaluations) for member in members})
        rows.append(
            GroupRow(
                group,
                len(members),
                sum(not member.run.finished for member in members),
                str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}",
                {measure: mean_text(*contest.summary(measure, group)) for measure in contest.measures},
                None if level is None else _needed(contest, group, level),
            )
        )
    return rows


def common_level(contest: Contest) -> float | None:
    """The error that the mean of every group has reached; None with one group, or where one has none."""
    finals = [contest.curve("error", group).mean[-1:] for group in contest.groups]
    if len(finals) < 2 or not all(len(final) and math.isfinite(final[0]) for final in finals):
        return None
    return float(max(final[0] for final in finals))


def measure_titles(contest: Contest) -> dict[str, str]:
    """Measures of the contest, in words."""
    return {measure: TITLES[measure] for measure in contest.measures}


def front_drawings(runs: Iterable[tuple[Run, Iterable[Member]]]) -> tuple[dict[str, str], list[str]]:
    """SVG of each architecture on a front of ``runs``, by key, and why some are missing."""
    found: dict[str, str] = {}
    problems: dict[str, None] = {}
    for run, members in runs:
        rows = {
            e.key: e.architecture
            for member in members
            for e, on_front in zip(member.view.evaluations, member.view.front, strict=True)
            if on_front
        }
        missing = {key: text for key, text in rows.items() if key not in found}
        try:
            space = run_space(run.record.description.config) if missing else None
        except UserError as problem:
            problems[f"Architectures are not drawn: {problem}"] = None
            continue
        if space is not None:
            drawn = drawings(space, missing.values())
            found |= {key: drawn[text] for key, text in missing.items() if text in drawn}
    return found, list(problems)


def mean_text(mean: float, error: float) -> str:
    """Mean ± standard error, with the digits that the error leaves; the mean alone where there is none."""
    if math.isnan(error):
        return number_text(mean)
    decimals = max(0, 1 - math.floor(math.log10(error))) if error > 0 else 4
    return f"{mean:.{decimals}f} ± {error:.{decimals}f}"


def number_text(value: float) -> str:
    """Five digits, thousands with commas, a dash for NaN."""
    if math.isnan(value):
        return NOT_KNOWN
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.5g}"


def _needed(contest: Contest, group: str, level: float) -> int:
    return int(np.argmax(contest.curve("error", group).mean <= level)) + 1


def _member(contest: Contest) -> Member:
    return next(iter(contest.groups.values()))[0]


def _versions(run: Run) -> dict[str, str]:
    """Of a finished run those in its summary, else that of ktnas, which the ledger knows."""
    known = {"ktnas": run.record.version}
    if run.finished:
        try:
            text = (run.record.run_dir / "summary.json").read_text(encoding="utf-8")
            known |= {str(name): str(version) for name, version in json.loads(text)["versions"].items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return known
    return known


def _measured(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} cannot be read ({problem}). Delete it, or restore it from a copy.") from None


def _number(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None
