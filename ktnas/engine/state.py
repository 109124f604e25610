"""What a search knows of one task."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray, KeyArray, Rng
from ktnas.record.evaluation import Evaluation, Role
from ktnas.space.base import SearchSpace
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
        limits: (len(columns),) largest admitted values, inf where there is none.
        budget: evaluations in all.
        rng: all randomness of this task.
        task: evaluates; None where the evaluations come from a finished run.
        genotypes: (N, V) evaluated, in asked order.
        values: (N, len(columns)) metric values, NaN where an evaluation failed.
        generations: (N,) in which each was asked.
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
    generations: IntArray = field(init=False)
    parents: IntArray = field(init=False)
    generation: int = 0
    exhausted: bool = False
    _known: set[int] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        self.genotypes = np.empty((0, self.space.n_variables), dtype=np.int64)
        self.values = np.empty((0, len(self.columns)))
        self.generations = np.empty(0, dtype=np.int64)
        self.parents = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.genotypes)

    @property
    def remaining(self) -> int:
        """Evaluations left in the budget."""
        return 0 if self.exhausted else max(self.budget - len(self), 0)

    @property
    def F(self) -> FloatArray:
        """Objectives (N, m), minimised, NaN where an evaluation failed."""
        return self.values[:, : self.n_objectives]

    @property
    def violation(self) -> FloatArray:
        """By what share each evaluation exceeds its limits in all (N,); 0 where it keeps them."""
        return limit_violation(self.values, self.limits)

    @property
    def errors(self) -> FloatArray:
        """Objective ``error`` (N,), NaN where an evaluation failed."""
        return self.values[:, self.columns.index("error")]

    @property
    def universe(self) -> IntArray | None:
        """Architectures that can be evaluated (R, V); None where all of the space can."""
        return None if self.task is None else self.task.universe()

    def add(self, genotypes: IntArray, evaluations: Sequence[Evaluation]) -> IntArray:
        """Append evaluations; their rows."""
        rows = np.arange(len(self), len(self) + len(genotypes))
        values = [[evaluation.metric(column) for column in self.columns] for evaluation in evaluations]
        self.genotypes = np.vstack([self.genotypes, genotypes])
        self.values = np.vstack([self.values, np.reshape(values, (-1, len(self.columns)))])
        self.generations = np.append(self.generations, [evaluation.generation for evaluation in evaluations])
        self._known.update(self.space.identities(genotypes).tolist())
        return rows

    def fresh(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes that can be evaluated, were not yet, and stand first in the batch."""
        if not len(genotypes):
            return np.zeros(0, dtype=np.bool_)
        identities = self.space.identities(genotypes)
        first = np.zeros(len(genotypes), dtype=np.bool_)
        first[np.unique(identities, return_index=True)[1]] = True
        first &= [identity not in self._known for identity in identities.tolist()]
        if self.task is not None:
            first &= self.task.contains(genotypes)
        return first

    def left(self) -> IntArray:
        """Architectures of the universe that were not evaluated yet (L, V)."""
        assert self.universe is not None
        return self.universe[
            ~np.isin(self._universe_identities, np.array(sorted(self._known), dtype=np.uint64))
        ]

    def draw(self, n: int) -> IntArray:
        """Up to ``n`` random architectures (≤ n, V) that can be evaluated and were not yet.

        Fewer only when fewer are left, as far as the universe or 100 rounds of draws tell.
        """
        if self.universe is not None:
            left = self.left()
            return left[self.rng.choice(len(left), min(n, len(left)), replace=False)]
        drawn = self.space.sample(0, self.rng)
        for _ in range(100):
            drawn = np.vstack([drawn, self.space.sample(n, self.rng)])
            drawn = drawn[self.fresh(drawn)]
            if len(drawn) >= n:
                break
        return drawn[:n]

    @cached_property
    def _universe_identities(self) -> KeyArray:
        assert self.universe is not None
        return self.space.identities(self.universe)


def limit_violation(values: FloatArray, limits: FloatArray) -> FloatArray:
    """Summed relative excess of ``values`` (N, C) over ``limits`` (C,), (N,); NaN counts as none."""
    scale = np.where(np.isfinite(limits) & (limits != 0), np.abs(limits), 1.0)
    excess = np.where(np.isfinite(limits), np.maximum(values - limits, 0), 0.0) / scale
    return np.asarray(np.nan_to_num(excess, nan=0.0).sum(axis=1))
