"""Runs side by side: means over seeds, paired tests, convergence."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ktnas.errors import UserError
from ktnas.record.contest import Contest, Member
from ktnas.record.database import canonical
from ktnas.record.files import write_atomically
from ktnas.record.runs import Run, find_runs, labels, load_run
from ktnas.record.view import FrontView


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
        the task, mean over runs), and for ``error``, ``hypervolume`` and ``hypervolume_ratio`` the mean
        and, with ``_se``, its standard error over runs. Hypervolume is measured from one reference point
        per contest; where the true front is known its ratio stands instead. NaN is "not known".
        """
        return pd.DataFrame([_row(contest, group) for contest in self.contests for group in contest.groups])

    @cached_property
    def tests(self) -> pd.DataFrame:
        """One row per contest, measure and pair of groups.

        Columns: ``problem``, ``task``, ``device``, ``measure``, ``a``, ``b``, ``n`` (common seeds),
        ``difference`` (mean of a - b), ``p`` (two-sided Wilcoxon signed-rank test over seeds), ``p_holm``
        (corrected over the pairs of the contest and measure) and ``note`` (why there is no test).
        """
        columns = ["problem", "task", "device", "measure", "a", "b", "n", "difference", "p", "p_holm", "note"]
        return pd.DataFrame([row for contest in self.contests for row in _tests(contest)], columns=columns)

    def plot(self, path: Path) -> None:
        """Write the convergence of every contest as PNG: best error, and hypervolume, over evaluations.

        Raises:
            UserError: the file cannot be written.
        """
        from ktnas.record.compare_plot import convergence_png

        write_atomically(path, convergence_png(self.contests))


def compare(runs: Iterable[str | Path]) -> Comparison:
    """Compare runs.

    Args:
        runs: run directories, directories with runs below them, or glob patterns of either.

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
        contests += _contests(problem, kept)
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


def _contests(problem: str, runs: Sequence[Run]) -> list[Contest]:
    sides: dict[tuple[str, str | None], list[Member]] = {}
    for run in runs:
        for spec in run.record.description.fronts():
            if spec.role == "target":
                member = Member(run, FrontView.of(spec, run.record.evaluations))
                sides.setdefault((spec.task, spec.device), []).append(member)
    return [Contest(problem, task, device, _groups(members)) for (task, device), members in sides.items()]


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
    }
    for measure in ("error", "hypervolume", "hypervolume_ratio"):
        known = measure in contest.measures
        mean, error = contest.summary(measure, group) if known else (math.nan, math.nan)
        row |= {measure: mean, f"{measure}_se": error}
    return row


def _tests(contest: Contest) -> list[dict[str, object]]:
    place = {"problem": contest.problem, "task": contest.task, "device": contest.device}
    return [
        {**place, "measure": measure, **vars(test)}
        for measure in contest.measures
        for test in contest.tests(measure)
    ]
