"""The evaluations of a task seen as points: which are feasible, which are best, what they are worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ktnas.arrays import BoolArray, FloatArray
from ktnas.record.description import FrontSpec
from ktnas.record.evaluation import Evaluation
from ktnas.record.front import hypervolume, hypervolume_ratio, non_dominated, reference_point, regret


@dataclass(frozen=True)
class FrontView:
    """The evaluations of one task on one device.

    Attributes:
        spec: the front that is meant.
        evaluations: of this task alone, in asked order, N of them.
    """

    spec: FrontSpec
    evaluations: list[Evaluation]

    @classmethod
    def of(cls, spec: FrontSpec, evaluations: Sequence[Evaluation]) -> "FrontView":
        """The view of ``spec`` on the evaluations of a run."""
        return cls(spec, sorted((e for e in evaluations if e.task == spec.task), key=lambda e: e.order))

    def column(self, name: str) -> FloatArray:
        """(N,) metric; NaN where the evaluation failed or lacks it."""
        return np.array([e.metric(name) for e in self.evaluations], dtype=np.float64)

    @cached_property
    def points(self) -> FloatArray:
        """(N, m) objectives; NaN where the evaluation failed or lacks one."""
        return np.stack([self.column(name) for name in self.spec.columns], axis=1)

    @cached_property
    def feasible(self) -> BoolArray:
        """(N,) succeeded and within every limit; a limited metric that is not known counts as beyond."""
        mask = np.array([e.status == "ok" for e in self.evaluations], dtype=np.bool_)
        for name, limit in self.spec.limits.items():
            mask &= self.column(name) <= limit
        return mask

    @cached_property
    def admitted(self) -> FloatArray:
        """(N, m) objectives; NaN in the rows that are not feasible."""
        return np.where(self.feasible[:, None], self.points, np.nan)

    @cached_property
    def errors(self) -> FloatArray:
        """(N,) error; NaN where not feasible or not finite."""
        errors = np.where(self.feasible, self.column("error"), np.nan)
        return np.where(np.isfinite(errors), errors, np.nan)

    @cached_property
    def front(self) -> BoolArray:
        """(N,) mask of the front."""
        return non_dominated(self.admitted)

    @property
    def failed(self) -> int:
        """Evaluations that did not succeed."""
        return sum(e.status != "ok" for e in self.evaluations)

    @property
    def best(self) -> Evaluation | None:
        """The feasible evaluation with the smallest error; None when there is none."""
        return None if np.isnan(self.errors).all() else self.evaluations[int(np.nanargmin(self.errors))]

    @property
    def regret(self) -> float:
        """Best error minus the smallest possible one; NaN when nobody knows."""
        return math.nan if self.spec.optimum is None else regret(self.errors, self.spec.optimum)

    @property
    def reference(self) -> FloatArray | None:
        """(m,) origin of hypervolume: by the true front, else by the front found; None without either."""
        if self.spec.true_front is not None:
            return reference_point(self.spec.true_front)
        return reference_point(self.points[self.front]) if self.front.any() else None

    @property
    def hypervolume(self) -> float:
        """Dominated volume up to ``reference``; NaN with one objective or without a reference."""
        if len(self.spec.objectives) < 2 or self.reference is None:
            return math.nan
        return hypervolume(self.admitted, self.reference)

    @property
    def hypervolume_ratio(self) -> float:
        """Share of the true front's hypervolume; NaN with one objective or without a true front."""
        if len(self.spec.objectives) < 2 or self.spec.true_front is None:
            return math.nan
        return hypervolume_ratio(self.admitted, self.spec.true_front)
