"""What a search knows of one task."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray, KeyArray, Rng
from ktnas.record.evaluation import Evaluation, Role
from ktnas.space import ENUMERATION_LIMIT, SearchSpace
from ktnas.task.base import Task


@dataclass
class TaskState:
    """One task within a search: all its evaluations, and which of them are parents now.

    Attributes:
        index: of the task within the search.
        name: of the task.
        role: ``source`` or ``target``.
        space: of its architectures.
        columns: metric columns that are minimised (m), then those that are only limited.
        n_objectives: m.
        limits: (R, len(columns)) largest admitted values on each of the R fronts, inf where there is none.
        budget: evaluations in all.
        rng: all randomness of this task.
        task: evaluates; None where the evaluations come from a finished run.
        genotypes: (N, V) evaluated, in asked order.
        values: (N, len(columns)) metric values, NaN where an evaluation failed.
        parents: rows that are parents now, best first.
        generation: number of the next generation.
        exhausted: whether nothing is left to evaluate.
    """

    index: int
    name: str
    role: Role
    space: SearchSpace
    columns: tuple[str, ...]
    n_objectives: int
    limits: FloatArray
    budget: int
    rng: Rng
    task: Task | None = None
    genotypes: IntArray = field(init=False)
    values: FloatArray = field(init=False)
    parents: IntArray = field(init=False)
    generation: int = 0
    exhausted: bool = False
    _known: set[int] = field(default_factory=set, init=False, repr=False)
    _pending: dict[int, IntArray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.genotypes = np.empty((0, self.space.n_variables), dtype=np.int64)
        self.values = np.empty((0, len(self.columns)))
        self.parents = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.genotypes)

    @property
    def remaining(self) -> int:
        """Evaluations left in the budget, beyond those that are pending."""
        return 0 if self.exhausted else max(self.budget - len(self) - len(self._pending), 0)

    @property
    def pending(self) -> IntArray:
        """Genotypes (P, V) that are to be evaluated and were not answered yet, in the order chosen."""
        return np.array(list(self._pending.values()), dtype=np.int64).reshape(-1, self.space.n_variables)

    @property
    def F(self) -> FloatArray:  # noqa: N802 - the field's name for objectives
        """Objectives (N, m), minimised, NaN where an evaluation failed."""
        return self.values[:, : self.n_objectives]

    @property
    def violation(self) -> FloatArray:
        """By what share each evaluation exceeds the limits (N,) of the front it is nearest to.

        0 where it is known to keep those of a front.
        """
        return np.asarray(self.violations.min(axis=1))

    @property
    def violations(self) -> FloatArray:
        """By what share each evaluation exceeds the limits of each front in all, (N, R)."""
        return limit_violation(self.values, self.limits)

    @property
    def errors(self) -> FloatArray:
        """Objective ``error`` (N,), NaN where an evaluation failed."""
        return self.values[:, self.columns.index("error")]

    @property
    def universe(self) -> IntArray | None:
        """Architectures that can be evaluated (R, V); None where all of the space can."""
        return None if self.task is None else self.task.universe()

    def add(self, genotypes: IntArray, evaluations: Sequence[Evaluation]) -> None:
        """Append the evaluations of genotypes (N, V); they are pending no longer."""
        values = [[evaluation.metric(column) for column in self.columns] for evaluation in evaluations]
        self.genotypes = np.vstack([self.genotypes, genotypes])
        self.values = np.vstack([self.values, np.reshape(values, (-1, len(self.columns)))])
        identities = self.space.identities(genotypes).tolist()
        self._known.update(identities)
        for identity in identities:
            self._pending.pop(identity, None)

    def expect(self, genotypes: IntArray) -> None:
        """Genotypes (N, V) are pending from now on: nobody chooses them again."""
        self._pending.update(zip(self.space.identities(genotypes).tolist(), genotypes, strict=True))

    def fresh(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes that can be evaluated, were not, are not pending, and stand first."""
        return self._fresh(genotypes, self.space.identities(genotypes), set())

    def unseen(self, genotypes: IntArray, seen: set[int]) -> IntArray:
        """Those of genotypes (N, V) that are ``fresh`` and not of ``seen`` identities, which they join."""
        identities = self.space.identities(genotypes)
        new = self._fresh(genotypes, identities, seen)
        seen.update(identities[new].tolist())
        return genotypes[new]

    def _fresh(self, genotypes: IntArray, identities: KeyArray, seen: set[int]) -> BoolArray:
        new = np.zeros(len(genotypes), dtype=np.bool_)
        new[np.unique(identities, return_index=True)[1]] = True
        taken = (self._known, self._pending, seen)
        out = [any(identity in some for some in taken) for identity in identities.tolist()]
        new[np.array(out, dtype=np.bool_)] = False
        if self.task is not None:
            new &= self.task.contains(genotypes)
        return new

    def known(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes that were evaluated."""
        identities = self.space.identities(genotypes).tolist()
        return np.array([identity in self._known for identity in identities], dtype=np.bool_)

    def left(self) -> IntArray:
        """All architectures that can be evaluated, were not and are not pending (L, V).

        The space must be one that can be listed.
        """
        everything, identities = self._everything
        taken = np.array(sorted(self._known | self._pending.keys()), dtype=np.uint64)
        return everything[~np.isin(identities, taken)]

    def draw(self, n: int) -> IntArray:
        """Up to ``n`` random architectures (≤ n, V) that can be evaluated, were not and are not pending.

        Fewer only when fewer are left, as far as 100 rounds of draws tell in a space that cannot be listed.
        """
        if self.universe is None:
            drawn = self.space.sample(0, self.rng)
            for _ in range(100):
                drawn = np.vstack([drawn, self.space.sample(n, self.rng)])
                drawn = drawn[self.fresh(drawn)]
                if len(drawn) >= n:
                    return drawn[:n]
            if self.space.size > ENUMERATION_LIMIT:
                return drawn
        left = self.left()
        return left[self.rng.choice(len(left), min(n, len(left)), replace=False)]

    @cached_property
    def _everything(self) -> tuple[IntArray, KeyArray]:
        """All architectures that can be evaluated (R, V), and their identities."""
        everything = self.space.architectures() if self.universe is None else self.universe
        return everything, self.space.identities(everything)


def limit_violation(values: FloatArray, limits: FloatArray) -> FloatArray:
    """Summed relative excess of ``values`` (N, C) over ``limits`` (R, C), (N, R).

    Infinite where a limited value is NaN.
    """
    limited = np.isfinite(limits)
    bounds = np.where(limited, limits, 0.0)
    excess = np.maximum(values[:, None] - bounds, 0) / np.where(bounds != 0, np.abs(bounds), 1.0)
    return np.asarray(np.where(limited, np.nan_to_num(excess, nan=np.inf), 0.0).sum(axis=2))
