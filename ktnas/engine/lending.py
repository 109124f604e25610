"""What the evaluations of a run in another space make one expect of architectures of this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.common import GRAPH, graph_columns
from ktnas.engine.larger import IMAGES, in_step
from ktnas.engine.loop import Search
from ktnas.engine.objectives import Objectives
from ktnas.engine.source_run import SourceRun
from ktnas.engine.state import TaskState
from ktnas.errors import UserError
from ktnas.latency.totals import TOTALS, network_totals
from ktnas.record.evaluation import Evaluation
from ktnas.space.base import SearchSpace
from ktnas.surrogate.multi_predict_head import Alone

SAMPLE = 256
VARIES = 1e-9
LEAST = 8
LENT = 200
TRUSTED = 4
"""Evaluations up to which a target is led: more of them crowd where the source points, and teach less."""


@dataclass(frozen=True)
class Common:
    """Vectors of architectures of two spaces, in columns that both have.

    Groups of columns are ``graph_columns``, the logarithms of ``network_totals`` where both spaces build
    networks for images, and the same without operations that do not reach the output. Each column has mean
    0 and variance 1 over random architectures of its space, each group variance 1 in all.

    Attributes:
        names: of the columns (D).
        theirs: (N, D) of architectures of the source's space.
        ours: (M, D) of those of the target's.
    """

    names: tuple[str, ...]
    theirs: FloatArray
    ours: FloatArray

    @classmethod
    def of(cls, source: SearchSpace, theirs: IntArray, target: SearchSpace, ours: IntArray) -> "Common":
        """Vectors of ``theirs`` (N, V) and ``ours`` (M, W).

        Raises:
            UserError: the spaces have nothing in common but that both have graphs.
        """
        names: list[str] = []
        left, right = [], []
        for first, second in zip(_groups(source, theirs), _groups(target, ours), strict=True):
            shared = [name for name in first if name in second]
            if shared:
                names += shared
                left.append(_side_by_side(first, shared))
                right.append(_side_by_side(second, shared))
        if set(names) <= set(GRAPH):
            raise UserError(
                f"Nothing that was evaluated in {source.name} says anything about {target.name}: the spaces "
                "share no operation by name, and do not both build networks for images. Name a source in a "
                f"space that shares one of them with {target.name}."
            )
        return cls(tuple(names), np.hstack(left), np.hstack(right))


def lending_tasks(run: SourceRun, space: SearchSpace) -> tuple[str, ...]:
    """Tasks of a run in another space that say something about ``space``.

    Those are its tasks with ``LEAST`` successful evaluations or more, not all of the same error.

    Raises:
        UserError: there are none, or the spaces have nothing in common.
    """
    rng = np.random.default_rng(0)
    Common.of(run.space, run.space.sample(0, rng), space, space.sample(0, rng))
    tasks = tuple(task for task in run.tasks if len(np.unique(_errors(run, task)[1])) >= LEAST)
    if not tasks:
        raise UserError(
            f"source={run.path} searched the space {run.space.name}. To learn from it about {space.name}, at "
            f"least {LEAST} successful evaluations with different errors are needed, and none of its tasks, "
            f"{', '.join(run.tasks)}, has as many. Let it go on, or name another run."
        )
    return tasks


class Lender:
    """A task of a run in another space, and what it makes one expect in this one.

    A Gaussian process learns the normal scores of the run's errors on what the spaces have in common, and
    puts ``LENT`` random architectures of this space in order. Each is taken to have the error at its place
    among those of the run: they are the rows of ``state``, as if a source of this space had evaluated them.
    Columns that are free are looked up, others are not known.

    Args:
        run: of the other space.
        task: of the run.
        state: of a source without evaluations, whose ``task`` says which architectures there are.
        objectives: of the search.

    Attributes:
        state: what it makes one expect.
    """

    def __init__(self, run: SourceRun, task: str, state: TaskState, objectives: Objectives) -> None:
        assert state.task is not None
        self.state = state
        self._run, (self._evaluated, errors) = run, _errors(run, task)
        self._scores = _normal_scores(errors)
        genotypes = state.draw(LENT)
        places = (rankdata(self.expects(genotypes)) - 0.5) / len(genotypes)
        columns = {
            column: objectives.consult(state.task, genotypes, column)[0]
            for column in objectives.free(state.task)
        } | {"error": np.quantile(errors, places)}
        state.add(genotypes, _evaluations(task, columns))

    def expects(self, genotypes: IntArray) -> FloatArray:
        """Normal scores (N,) of the errors of genotypes (N, V), the smaller the better."""
        common = Common.of(self._run.space, self._evaluated, self.state.space, genotypes)
        return Alone().fit(common.theirs, self._scores).predict(common.ours)[0]

    def agrees(self, state: TaskState) -> bool:
        """Whether the next architecture of a target should be chosen with what is lent.

        Not the first one: it is chosen as without a source, to compare with. Then as long as the errors of
        the target rise with what was expected (Spearman's correlation above 0), for ``TRUSTED`` evaluations.
        """
        known = np.isfinite(state.errors)
        if not 0 < len(state) < TRUSTED:
            return False
        if known.sum() < 2:
            return True
        return in_step(self.expects(state.genotypes[known]), state.errors[known])


def follow(
    lenders: Sequence[Lender],
    led: Search,
    alone: Search,
    targets: Sequence[TaskState],
    until: Mapping[str, float],
) -> None:
    """Choose the first evaluations of the targets with what is lent, where it agrees with them.

    Args:
        lenders: tasks of another space.
        led: search of the targets and of what is lent.
        alone: search of the targets.
        targets: a generation of each in turn, until each has ``TRUSTED`` evaluations.
        until: target to the error at which it is done.
    """
    own = list(alone.states)
    for lender in lenders:
        led.survive(lender.state)

    def open_(state: TaskState) -> bool:
        reached = (state.errors <= until.get(state.name, -np.inf)).any()
        return len(state) < TRUSTED and state.remaining > 0 and not reached

    while active := [state for state in targets if open_(state)]:
        for state in active:
            lent = [lender.state for lender in lenders if lender.agrees(state)]
            led.states = [*own, *lent]
            (led if lent else alone).generation(state)


def _evaluations(task: str, columns: dict[str, FloatArray]) -> list[Evaluation]:
    return [
        Evaluation(
            order=order,
            generation=0,
            task=task,
            role="source",
            architecture="",
            key="",
            status="ok",
            metrics={column: float(values[order]) for column, values in columns.items()},
        )
        for order in range(len(columns["error"]))
    ]


def _errors(run: SourceRun, task: str) -> tuple[IntArray, FloatArray]:
    """Genotypes (N, V) that a run has evaluated on a task with success, and their errors (N,)."""
    genotypes, evaluations = run.evaluations(task)
    errors = np.array([evaluation.metric("error") for evaluation in evaluations])
    known = np.isfinite(errors)
    return genotypes[known], errors[known]


def _groups(space: SearchSpace, genotypes: IntArray) -> list[dict[str, FloatArray]]:
    """Groups of standardised columns (N,) by name; empty ones where the space has none of a group."""
    return [
        {name: (columns[name] - mean) / spread for name, (mean, spread) in scales.items()}
        for columns, scales in zip(_columns(space, genotypes), _scales(space), strict=True)
    ]


def _columns(space: SearchSpace, genotypes: IntArray) -> list[dict[str, FloatArray]]:
    return [
        graph_columns(space, genotypes),
        _totals(space, genotypes, False),
        _totals(space, genotypes, True),
    ]


@lru_cache(maxsize=8)
def _scales(space: SearchSpace) -> list[dict[str, tuple[float, float]]]:
    """Mean and standard deviation of each column over random architectures; those that vary."""
    drawn = _columns(space, space.sample(SAMPLE, np.random.default_rng(0)))
    return [
        {
            name: (float(column.mean()), float(column.std()))
            for name, column in columns.items()
            if column.std() > VARIES * max(1.0, abs(column.mean()))
        }
        for columns in drawn
    ]


def _totals(space: SearchSpace, genotypes: IntArray, live: bool) -> dict[str, FloatArray]:
    if not space.network:
        return {}
    try:
        totals = network_totals(space, genotypes, IMAGES, pruned=live)
    except UserError:
        return {}
    return {
        f"log {'live ' * live}{name}": np.log1p(column)
        for name, column in zip(TOTALS, totals.T, strict=True)
        if not name.startswith("root_")
    }


def _side_by_side(columns: dict[str, FloatArray], names: list[str]) -> FloatArray:
    return np.asarray(np.column_stack([columns[name] for name in names]) / np.sqrt(len(names)))


def _normal_scores(values: FloatArray) -> FloatArray:
    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))
