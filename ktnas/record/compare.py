"""Runs side by side: means over seeds, paired tests, evaluations to a level, convergence."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ktnas.arrays import FloatArray
from ktnas.errors import UserError
from ktnas.record.contest import Contest, Member
from ktnas.record.database import canonical
from ktnas.record.files import SUMMARY_NAME, write_atomically
from ktnas.record.runs import Run, find_runs, labels, load_run
from ktnas.record.statistics import mean_and_error
from ktnas.record.view import FrontView

AllErrors = Callable[[Run, str], FloatArray | None]
"""Errors (R,) of every architecture of a run's task, sorted; None where it is not a table."""


@dataclass(frozen=True)
class Comparison:
    """Runs grouped by everything but their seed, and compared per task and device.

    Attributes:
        contests: one per problem, target task and device.
        warnings: what a reader of the numbers has to know.
    """

    contests: list[Contest]
    warnings: list[str]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per contest and group.

        Columns: ``problem``, ``task``, ``device``, ``group``, ``runs``, ``unfinished``, ``evaluations`` (of
        the task, mean over runs), ``seconds`` (that a finished run took per evaluation, its own work
        included, mean over runs), and for ``error``, ``regret`` (less the smallest possible error), ``rank``
        (in the table, of the best found), ``hypervolume`` and ``hypervolume_ratio`` the mean and, with
        ``_se``, its standard error over runs. Hypervolume is measured from one reference point per contest;
        where the true front is known its ratio stands instead. NaN is "not known".
        """
        return pd.DataFrame([_row(contest, group) for contest in self.contests for group in contest.groups])

    @cached_property
    def tests(self) -> pd.DataFrame:
        """One row per contest, measure and pair of groups.

        Columns: ``problem``, ``task``, ``device``, ``measure``, ``a``, ``b``, ``n`` (common seeds),
        ``difference`` (mean of a - b), ``lower`` (share of seeds with a < b, ties half), ``p`` (two-sided
        Wilcoxon signed-rank test over seeds), ``p_holm`` (corrected over the pairs of the contest and
        measure) and ``note`` (why there is no test).
        """
        columns = ["problem", "task", "device", "measure", "a", "b", "n", "difference"]
        columns += ["lower", "p", "p_holm", "note"]
        return pd.DataFrame([row for contest in self.contests for row in _tests(contest)], columns=columns)

    @cached_property
    def reached(self) -> pd.DataFrame:
        """One row per contest, measure, group and level to reach.

        Columns: ``problem``, ``task``, ``device``, ``measure``, ``group``, ``level`` (whose mean final value
        it is, or ``optimum``), ``value`` (of the level), ``runs``, ``reached`` (how many of them came there)
        and ``evaluations`` (median over runs; NaN where half of them or more did not come there).
        """
        rows = [row for contest in self.contests for row in _reached(contest)]
        columns = ["problem", "task", "device", "measure", "group", "level", "value", "runs", "reached"]
        return pd.DataFrame(rows, columns=[*columns, "evaluations"])

    @cached_property
    def convergence(self) -> pd.DataFrame:
        """One row per contest, measure, group and number of evaluations of the task.

        Columns: ``problem``, ``task``, ``device``, ``measure``, ``group``, ``evaluations``, ``mean`` over
        runs of the best error or the hypervolume by then, and ``se``, its standard error.
        """
        columns = ["problem", "task", "device", "measure", "group", "evaluations", "mean", "se"]
        rows = [row for contest in self.contests for row in _convergence(contest)]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def wins(self) -> dict[str, pd.DataFrame]:
        """Measure to the share of contests and common seeds in which the row's group beats the column's.

        Ties count half; NaN where two groups share no seed of any contest. Every pair of a contest and a
        seed weighs alike.
        """
        return {str(measure): _wins(tests) for measure, tests in self.tests.groupby("measure", sort=False)}

    def plot(self, path: Path) -> None:
        """Write the convergence of every contest as PNG: best error, and hypervolume, over evaluations.

        Raises:
            UserError: the file cannot be written.
        """
        from ktnas.record.compare_plot import convergence_png

        write_atomically(path, convergence_png(self.contests))

    def plot_wins(self, path: Path) -> None:
        """Write ``wins`` as PNG, a matrix per measure; needs two groups that share a contest.

        Raises:
            UserError: the file cannot be written.
        """
        from ktnas.record.compare_plot import wins_png

        write_atomically(path, wins_png(self.wins))


def compare(runs: Iterable[str | Path], all_errors: AllErrors | None = None) -> Comparison:
    """Compare runs.

    Args:
        runs: run directories, directories with runs below them, or glob patterns of either.
        all_errors: reads the tables that ranks are taken from; without it no rank is known.

    Raises:
        UserError: a path holds no run, or a run that cannot be read.
    """
    loaded = [load_run(path) for path in find_runs(runs)]
    warnings = [
        f"{run.record.run_dir} is not finished: it counts with its {len(run.record.evaluations)} evaluations"
        for run in loaded
        if not run.finished
    ]
    contests: list[Contest] = []
    for problem, members in _split_problems(loaded):
        kept, repeated = _without_repeats(members)
        warnings += repeated
        contests += _contests(problem, kept, all_errors)
    if not contests:
        raise UserError("Nothing to compare: none of the runs has a target task.")
    return Comparison(contests, warnings)


def _split_problems(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    problems: dict[str, list[Run]] = {}
    for run in runs:
        problems.setdefault(run.problem, []).append(run)
    names = [members[0].problem_label for members in problems.values()]
    numbered = [
        f"{name} #{names[:i].count(name) + 1}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]
    return list(zip(numbered, problems.values(), strict=True))


def _without_repeats(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    kept: dict[str, Run] = {}
    warnings = []
    for run in runs:
        identity = canonical([run.settings, run.seed])
        if identity in kept:
            first = kept[identity].record.run_dir
            warnings.append(f"{run.record.run_dir} repeats {first} (same configuration and seed): left out")
        else:
            kept[identity] = run
    return list(kept.values()), warnings


def _contests(problem: str, runs: Sequence[Run], all_errors: AllErrors | None) -> list[Contest]:
    sides: dict[tuple[str, str | None], list[Member]] = {}
    for run in runs:
        for spec in run.record.description.fronts():
            if spec.role == "target":
                member = Member(run, FrontView.of(spec, run.record.evaluations))
                sides.setdefault((spec.task, spec.device), []).append(member)
    return [
        Contest(
            problem,
            task,
            device,
            _groups(members),
            None if all_errors is None or members[0].view.spec.limits else all_errors(members[0].run, task),
        )
        for (task, device), members in sides.items()
    ]


def _groups(members: Sequence[Member]) -> dict[str, list[Member]]:
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(canonical(member.run.settings), []).append(member)
    names = labels([group[0].run.settings for group in groups.values()])
    ordered = sorted(zip(names, groups.values(), strict=True), key=lambda pair: pair[0])
    return {name: sorted(group, key=lambda m: canonical(m.run.seed)) for name, group in ordered}


def _row(contest: Contest, group: str) -> dict[str, object]:
    members = contest.groups[group]
    row: dict[str, object] = {
        "problem": contest.problem,
        "task": contest.task,
        "device": contest.device,
        "group": group,
        "runs": len(members),
        "unfinished": sum(not member.run.finished for member in members),
        "evaluations": float(np.mean([len(member.view.evaluations) for member in members])),
        "seconds": float(mean_and_error(np.array([_seconds(member.run) for member in members]))[0]),
    }
    known = {measure: contest.summary(measure, group) for measure in contest.measures}
    error, spread = known["error"]
    if contest.optimum is not None:
        known["regret"] = (error - contest.optimum, spread)
    rank, rank_error = mean_and_error(contest.ranks(group))
    known["rank"] = (float(rank), float(rank_error))
    for measure in ("error", "regret", "rank", "hypervolume", "hypervolume_ratio"):
        row[measure], row[f"{measure}_se"] = known.get(measure, (math.nan, math.nan))
    return row


def _seconds(run: Run) -> float:
    """Wall-clock seconds of a finished run per evaluation; NaN if they are not known."""
    if not run.finished:
        return math.nan
    summary = json.loads((run.record.run_dir / SUMMARY_NAME).read_text(encoding="utf-8"))
    return float(summary.get("seconds", math.nan)) / max(len(run.record.evaluations), 1)


def _reached(contest: Contest) -> list[dict[str, object]]:
    place = {"problem": contest.problem, "task": contest.task, "device": contest.device}
    rows: list[dict[str, object]] = []
    for measure in contest.measures:
        for level, value in contest.levels(measure).items():
            for group in contest.groups:
                needed = contest.evaluations_to(measure, group, value)
                middle = float(np.median(needed))
                rows.append(
                    {
                        **place,
                        "measure": measure,
                        "group": group,
                        "level": level,
                        "value": value,
                        "runs": len(needed),
                        "reached": int(np.isfinite(needed).sum()),
                        "evaluations": middle if math.isfinite(middle) else math.nan,
                    }
                )
    return rows


def _convergence(contest: Contest) -> list[dict[str, object]]:
    place = {"problem": contest.problem, "task": contest.task, "device": contest.device}
    rows: list[dict[str, object]] = []
    for measure in contest.measures:
        for group in contest.groups:
            curve = contest.curve(measure, group)
            for number, (mean, error) in enumerate(zip(curve.mean, curve.error, strict=True), start=1):
                found = {"evaluations": number, "mean": float(mean), "se": float(error)}
                rows.append({**place, "measure": measure, "group": group, **found})
    return rows


def _wins(tests: pd.DataFrame) -> pd.DataFrame:
    """Matrix of one measure's tests."""
    groups = sorted({*tests["a"], *tests["b"]})
    won = pd.DataFrame(0.0, index=groups, columns=groups)
    met = won.copy()
    for a, b, n, lower in tests[tests["n"] > 0][["a", "b", "n", "lower"]].itertuples(index=False):
        share = lower if tests["measure"].iloc[0] == "error" else 1 - lower
        won.loc[a, b] += n * share
        won.loc[b, a] += n * (1 - share)
        met.loc[a, b] += n
        met.loc[b, a] += n
    return won / met.where(met > 0)


def _tests(contest: Contest) -> list[dict[str, object]]:
    place = {"problem": contest.problem, "task": contest.task, "device": contest.device}
    return [
        {**place, "measure": measure, **vars(test)}
        for measure in contest.measures
        for test in contest.tests(measure)
    ]
