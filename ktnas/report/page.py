"""Runs as one page that needs no network: template, style, script and plotly in one file."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from ktnas.record.compare import compare
from ktnas.record.contest import Contest, Member
from ktnas.record.files import plain, write_atomically
from ktnas.record.runs import Run, find_runs
from ktnas.record.status import from_here
from ktnas.report import content
from ktnas.report.figures import contest_figures, table_name
from ktnas.report.templates import page_environment
from ktnas.version import __version__


def write_report(runs: Iterable[str | Path], out: Path | None = None) -> Path:
    """Write the page of ``runs``, finished or not.

    The same runs give the same page, as long as they do not go on.

    Args:
        runs: run directories, directories with runs below them, or glob patterns of either.
        out: file to write; None is ``report.html`` in the directory of a single run, else in the working
            directory.

    Returns:
        The path written.

    Raises:
        UserError: a path holds no run, a run cannot be read, or the file cannot be written.
    """
    found = [from_here(run) for run in find_runs(runs)]
    if out is None:
        out = (found[0] if len(found) == 1 else Path()) / "report.html"
    write_atomically(out, render(found).encode("utf-8", "backslashreplace"))
    return out


def render(runs: Sequence[Path]) -> str:
    """The page of run directories, as HTML."""
    comparison = compare(runs)
    shown = _runs(comparison.contests)
    numbers = {id(run): number for number, run in enumerate(shown)}
    names = _names([run.record.run_dir for run in shown])
    parts = [content.run_part(number, run, names[number]) for number, run in enumerate(shown)]
    drawn, problems = content.front_drawings(
        (run, [m for m in _members(comparison.contests) if m.run is run]) for run in shown
    )
    contests = [_contest(contest, number, numbers) for number, contest in enumerate(comparison.contests)]
    tables = _tables(comparison.contests, numbers, names)
    columns = {column for table in tables.values() for column in table["metrics"]}
    data = {
        "figures": {f.name: {"data": f.data, "layout": f.layout} for c in contests for f in c["figures"]},
        "tables": tables,
        "drawings": drawn,
        "labels": {column: content.column_label(column) for column in sorted(columns)},
    }
    return _template().render(
        title=_title(parts),
        contests=contests,
        runs=parts,
        warnings=[*comparison.warnings, *problems],
        data=Markup(script_json(data)),
        version=__version__,
        plotly=Markup(_plotly()),
    )


def script_json(data: Any) -> str:
    """``data`` as JSON that may stand inside a ``<script>`` element."""
    text = json.dumps(plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _contest(contest: Contest, number: int, numbers: dict[int, int]) -> dict[str, Any]:
    rows = content.joint_front(contest, numbers)
    several = sum(map(len, contest.groups.values())) > 1
    return {
        "id": f"c{number}",
        "title": contest.task + (f" on {contest.device}" if contest.device else ""),
        "problem": contest.problem,
        "task": contest.task,
        "figures": contest_figures(contest, number, numbers),
        "groups": content.group_rows(contest),
        "measures": content.measure_titles(contest),
        "level": content.common_level(contest),
        "rows": rows,
        "columns": content.front_columns(rows, contest),
        "limits": _first(contest).view.spec.limits,
        "objectives": len(_first(contest).view.spec.objectives),
        "several": several,
        "known": contest.true_front is not None,
        "regret": content.number_text(_first(contest).view.regret) if not several else content.NOT_KNOWN,
        "size": int(_first(contest).view.front.sum()),
    }


def _tables(
    contests: Sequence[Contest], numbers: dict[int, int], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for contest in contests:
        for group in contest.groups.values():
            for member in group:
                number = numbers[id(member.run)]
                name = table_name(number, contest.task)
                if name not in tables:
                    tables[name] = content.evaluation_table(member.view.evaluations)
                    tables[name]["run"] = names[number]
    return tables


def _runs(contests: Sequence[Contest]) -> list[Run]:
    """Each run once, in the order of their directories."""
    runs = {id(member.run): member.run for member in _members(contests)}
    return sorted(runs.values(), key=lambda run: str(run.record.run_dir))


def _members(contests: Sequence[Contest]) -> list[Member]:
    return [member for contest in contests for group in contest.groups.values() for member in group]


def _first(contest: Contest) -> Member:
    return next(iter(contest.groups.values()))[0]


def _names(directories: Sequence[Path]) -> list[str]:
    """Directories without what all of them have in common; the last part of a single one."""
    if len(directories) == 1:
        return [directories[0].name]
    depth = 0
    while len({directory.parts[: depth + 1] for directory in directories}) == 1:
        depth += 1
    return [str(Path(*directory.parts[depth:])) for directory in directories]


def _title(parts: Sequence[content.RunPart]) -> str:
    return parts[0].name if len(parts) == 1 else f"{len(parts)} runs"


@cache
def _template() -> Template:
    environment = page_environment()
    environment.filters |= {"number": content.number_text, "label": content.column_label}
    environment.globals["cell"] = content.cell
    environment.globals["table_name"] = table_name
    return environment.get_template("page.html.j2")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("</script", "<\\/script")
