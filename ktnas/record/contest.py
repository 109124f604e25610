"""Groups of runs on one task and device, and how each converges."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ktnas.arrays import FloatArray
from ktnas.record.front import best_so_far, hypervolume, hypervolume_curve, non_dominated, reference_point
from ktnas.record.runs import Run
from ktnas.record.statistics import PairedTest, mean_and_error, paired_tests
from ktnas.record.view import FrontView

TITLES = {"error": "best error", "hypervolume": "hypervolume", "hypervolume_ratio": "hypervolume ratio"}
"""The measures that are compared, in words."""


@dataclass(frozen=True)
class Member:
    """One run on one task and device.

    Attributes:
        run: the run.
        view: its evaluations of the task.
    """

    run: Run
    view: FrontView


@dataclass(frozen=True)
class Curve:
    """A group's convergence: mean over runs, and standard error, after 1, 2, ... evaluations.

    Attributes:
        mean: (T,).
        error: (T,) standard error; NaN with one run.
    """

    mean: FloatArray
    error: FloatArray


@dataclass(frozen=True)
class Contest:
    """All groups on one task and device of one problem.

    Attributes:
        problem: benchmark and objectives, for people.
        task: name.
        device: name or None.
        groups: label to runs that differ in their seed alone, sorted by seed.
        all_errors: (R,) errors of every architecture of a table, sorted; None where they are not known.
    """

    problem: str
    task: str
    device: str | None
    groups: dict[str, list[Member]]
    all_errors: FloatArray | None = None

    @property
    def title(self) -> str:
        """Problem, task and device."""
        return f"{self.problem}: {self.task}" + (f" on {self.device}" if self.device else "")

    @cached_property
    def true_front(self) -> FloatArray | None:
        """As the runs know it; None when none does."""
        members = (member for group in self.groups.values() for member in group)
        fronts = (member.view.spec.true_front for member in members)
        return next((front for front in fronts if front is not None), None)

    @property
    def optimum(self) -> float | None:
        """Smallest error that is possible; None where nobody knows."""
        if self.all_errors is not None:
            return float(self.all_errors[0])
        specs = (member.view.spec for group in self.groups.values() for member in group)
        return next((spec.optimum for spec in specs if spec.optimum is not None), None)

    @cached_property
    def reference(self) -> FloatArray | None:
        """One reference point for every run: by the true front, else by the union of all fronts."""
        members = [member for group in self.groups.values() for member in group]
        if len(members[0].view.spec.objectives) < 2:
            return None
        if self.true_front is not None:
            return reference_point(self.true_front)
        union = np.concatenate([member.view.admitted for member in members])
        return reference_point(union) if non_dominated(union).any() else None

    @cached_property
    def scale(self) -> float:
        """What hypervolume is divided by: that of the true front, or 1."""
        if self.true_front is None or self.reference is None:
            return 1.0
        return hypervolume(self.true_front, self.reference)

    @property
    def measures(self) -> list[str]:
        """``error``; with several objectives ``hypervolume_ratio`` too, ``hypervolume`` if none is known."""
        if self.reference is None:
            return ["error"]
        return ["error", "hypervolume" if self.true_front is None else "hypervolume_ratio"]

    def run_curve(self, measure: str, member: Member) -> FloatArray:
        """(T,) best error, or hypervolume, of a run after each of its evaluations of the task."""
        if measure == "error":
            return best_so_far(member.view.errors)
        if self.reference is None:
            return np.full(len(member.view.evaluations), np.nan)
        return hypervolume_curve(member.view.admitted, self.reference) / self.scale

    @cached_property
    def curves(self) -> dict[tuple[str, str], list[FloatArray]]:
        """(measure, group) to the curve of each run."""
        return {
            (measure, group): [self.run_curve(measure, member) for member in members]
            for measure in self.measures
            for group, members in self.groups.items()
        }

    def final(self, measure: str, group: str) -> FloatArray:
        """(R,) last value of each run; NaN where there is none."""
        return np.array([curve[-1] if len(curve) else math.nan for curve in self.curves[measure, group]])

    def summary(self, measure: str, group: str) -> tuple[float, float]:
        """Mean of the runs' last values, and its standard error."""
        mean, error = mean_and_error(self.final(measure, group))
        return float(mean), float(error)

    def ranks(self, group: str) -> FloatArray:
        """(R,) rank in the table of the best architecture of each run, 1 for the optimum; NaN if unknown."""
        best = self.final("error", group)
        if self.all_errors is None:
            return np.full(len(best), np.nan)
        # A ledger keeps errors to the last digit, tables may have them in single precision.
        below = np.searchsorted(self.all_errors, best - 1e-6 * np.abs(best), side="left")
        return np.where(np.isfinite(best), below + 1.0, np.nan)

    def levels(self, measure: str) -> dict[str, float]:
        """What there is to reach: the mean final value of each group, and the smallest possible error."""
        reached = {group: self.summary(measure, group)[0] for group in self.groups}
        if measure == "error" and self.optimum is not None:
            reached["optimum"] = self.optimum
        return reached

    def evaluations_to(self, measure: str, group: str, level: float) -> FloatArray:
        """(R,) evaluations after which each run is as good as ``level``; inf where it never is."""
        sign = 1.0 if measure == "error" else -1.0
        bound = sign * level + 1e-9 * abs(level)
        hits = [np.flatnonzero(sign * curve <= bound) for curve in self.curves[measure, group]]
        return np.array([hit[0] + 1.0 if len(hit) else math.inf for hit in hits])

    def tests(self, measure: str) -> list[PairedTest]:
        """Every pair of groups on their common seeds."""
        return paired_tests(
            {
                group: dict(
                    zip((m.run.seed for m in members), self.final(measure, group).tolist(), strict=True)
                )
                for group, members in self.groups.items()
            }
        )

    def curve(self, measure: str, group: str) -> Curve:
        """A group's mean curve.

        A finished run that stopped early keeps its last value; an unfinished one counts as far as it has
        come.
        """
        curves, members = self.curves[measure, group], self.groups[group]
        filled = np.full((len(curves), max(len(curve) for curve in curves)), np.nan)
        for row, curve, member in zip(filled, curves, members, strict=True):
            row[: len(curve)] = curve
            if member.run.finished and len(curve):
                row[len(curve) :] = curve[-1]
        return Curve(*mean_and_error(filled))
