"""What the evaluations of a run in another space make one expect of architectures of this one."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.common import GRAPH, graph_columns
from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.engine.guides import Guide, random_architectures
from ktnas.engine.larger import IMAGES
from ktnas.engine.source_run import SourceRun
from ktnas.errors import UserError
from ktnas.space.base import SearchSpace
from ktnas.surrogate.multi_predict_head import Alone
from ktnas.surrogate.normal_scores import scores_among

VARIES = 1e-9
LEAST = 8


@dataclass(frozen=True)
class Common:
    """What architectures of two spaces have in common: columns that mean the same in both.

    Groups of columns are ``graph_columns``, the logarithms of ``network_totals`` where both spaces build
    networks for images, and the same without operations that do not reach the output.

    Attributes:
        groups: names of the columns of each group; a group may have none.
    """

    groups: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, first: SearchSpace, second: SearchSpace) -> Self:
        """Columns of two spaces.

        Raises:
            UserError: they have nothing in common but that both have graphs; ``first`` is taken for the one
                that was searched before.
        """
        groups = tuple(
            tuple(name for name in own if name in other)
            for own, other in zip(_scales(first), _scales(second), strict=True)
        )
        if {name for group in groups for name in group} <= set(GRAPH):
            raise UserError(
                f"Nothing that was evaluated in {first.name} says anything about {second.name}: the spaces "
                "share no operation by name, and do not both build networks for images. Name a source in a "
                f"space that shares one of them with {second.name}."
            )
        return cls(groups)

    def vectors(self, space: SearchSpace, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) of genotypes (N, V) of either space.

        Over random architectures of the space each column has mean 0, and each group variance 1 in all.
        """
        parts = [
            np.column_stack([(columns[name] - scales[name][0]) / scales[name][1] for name in names])
            / np.sqrt(len(names))
            for names, columns, scales in zip(
                self.groups, _columns(space, genotypes), _scales(space), strict=True
            )
            if names
        ]
        return np.hstack(parts)


def lending_tasks(run: SourceRun, space: SearchSpace) -> tuple[str, ...]:
    """Tasks of a run in another space that say something about ``space``.

    Those are its tasks with ``LEAST`` successful evaluations or more, not all of the same error.

    Raises:
        UserError: there are none, or the spaces have nothing in common.
    """
    Common.of(run.space, space)
    tasks = tuple(task for task in run.tasks if len(np.unique(_errors(run, task)[1])) >= LEAST)
    if not tasks:
        raise UserError(
            f"source={run.path} searched the space {run.space.name}. To learn from it about {space.name}, at "
            f"least {LEAST} successful evaluations with different errors are needed, and none of its tasks, "
            f"{', '.join(run.tasks)}, has as many. Let it go on, or name another run."
        )
    return tasks


class Lender(Guide):
    """A task of a run in another space, and what it makes one expect in this one.

    A Gaussian process learns the normal scores of the run's errors on what the spaces have in common.

    Args:
        run: of the other space.
        task: of the run.
        space: of the architectures that something is expected of.
    """

    def __init__(self, run: SourceRun, task: str, space: SearchSpace) -> None:
        evaluated, errors = _errors(run, task)
        self._common = Common.of(run.space, space)
        self._space = space
        learned = scores_among(errors, np.sort(errors))
        self._model = Alone().fit(self._common.vectors(run.space, evaluated), learned)
        self._among = np.sort(self._predict(random_architectures(space)))

    def scores(self, genotypes: IntArray) -> FloatArray:
        """As in ``Guide``."""
        return scores_among(self._predict(genotypes), self._among)

    def _predict(self, genotypes: IntArray) -> FloatArray:
        return self._model.predict(self._common.vectors(self._space, genotypes))[0]


def _errors(run: SourceRun, task: str) -> tuple[IntArray, FloatArray]:
    """Genotypes (N, V) that a run has evaluated on a task with success, and their errors (N,)."""
    genotypes, evaluations = run.evaluations(task)
    errors = np.array([evaluation.metric("error") for evaluation in evaluations])
    known = np.isfinite(errors)
    return genotypes[known], errors[known]


def _columns(space: SearchSpace, genotypes: IntArray) -> list[dict[str, FloatArray]]:
    return [
        graph_columns(space, genotypes),
        _totals(space, genotypes, False),
        _totals(space, genotypes, True),
    ]


@lru_cache(maxsize=8)
def _scales(space: SearchSpace) -> list[dict[str, tuple[float, float]]]:
    """Mean and standard deviation of each column over random architectures; those that vary."""
    drawn = _columns(space, random_architectures(space))
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
