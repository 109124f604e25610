"""Screening by what surrogates expect of a pool that evolution has bred on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ktnas import registry
from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.engine.acquisition import (
    GapWarp,
    chebyshev,
    expected_improvement,
    hypervolume_improvement,
    normal_points,
    probability_below,
)
from ktnas.engine.objectives import Objectives
from ktnas.engine.screen import Screen
from ktnas.engine.state import TaskState, limit_violation
from ktnas.record.front import MARGIN, non_dominated
from ktnas.surrogate.base import Surrogate


@dataclass(frozen=True)
class LogWarp:
    """Logarithm, for positive quantities."""

    def forward(self, values: FloatArray) -> FloatArray:
        """Natural logarithm; values below 1e-12 count as that."""
        return np.asarray(np.log(np.maximum(values, 1e-12)))

    def inverse(self, warped: FloatArray) -> FloatArray:
        """Exponential."""
        return np.asarray(np.exp(np.clip(warped, -50, 50)))


@dataclass
class SurrogateScreen(Screen):
    """Expected improvement of a pool bred on it.

    One surrogate per column that is not known beforehand learns from all tasks; free columns are consulted.
    With one objective the acquisition is the expected improvement of the warped error, with two the expected
    hypervolume improvement (summed over devices), with more that of a random Chebyshev scalarisation. Limits
    multiply it by the probability of keeping them.

    The pool starts from the candidates, the neighbours of the best parents and random architectures, and
    grows by the neighbours of its best until they bring nothing better, so its cost does not depend on the
    size of the space.

    Attributes:
        random: random architectures in the pool.
        elite: members whose neighbours join the pool in each round.
        rounds: of growing, at most.
        samples: quasi-random samples behind an expected hypervolume improvement, a power of 2.
    """

    random: int = 256
    elite: int = 6
    rounds: int = 6
    samples: int = 32
    _objectives: Objectives = field(init=False, repr=False)
    _surrogates: dict[str, Surrogate] = field(default_factory=dict, init=False, repr=False)

    def prepare(
        self, objectives: Objectives, encoding: Encoding, surrogate: dict[str, Any], n_tasks: int, seed: int
    ) -> None:
        """As in ``Screen``; one surrogate per column."""
        self._objectives = objectives
        columns = dict.fromkeys((*objectives.names, *objectives.limits))
        self._surrogates = {
            column: registry.build("surrogate", surrogate).prepare(encoding, n_tasks, seed)
            for column in columns
        }

    def informed(self, state: TaskState, states: Sequence[TaskState]) -> bool:
        """Whether any task has two successful evaluations."""
        return max((np.isfinite(other.errors).sum() for other in states), default=0) >= 2

    def choose(self, state: TaskState, states: Sequence[TaskState], candidates: IntArray, n: int) -> IntArray:
        """As in ``Screen``: the best of the pool, one after the other when ``n`` > 1."""
        judge = self._learn(state, states)
        chosen = state.genotypes[:0]
        for _ in range(n):
            pool, scores = self._grow(state, judge, candidates, chosen)
            if not len(pool):
                break
            best = pool[[int(np.argmax(scores))]]
            chosen = np.vstack([chosen, best])
            if len(chosen) < n:
                judge.believe(best)
        return chosen

    def _learn(self, state: TaskState, states: Sequence[TaskState]) -> "Judge":
        free = () if state.task is None else self._objectives.free(state.task)
        judge = Judge(state, self._objectives, free, self._surrogates, self.samples)
        judge.observe(states)
        return judge

    def _grow(
        self, state: TaskState, judge: "Judge", candidates: IntArray, chosen: IntArray
    ) -> tuple[IntArray, FloatArray]:
        """Pool (P, V) of architectures not evaluated and not chosen yet, and their acquisition (P,)."""
        space = state.space
        parents = state.genotypes[state.parents[: self.elite]]
        start = [candidates, state.draw(self.random), *(space.neighbours(parent) for parent in parents)]
        taken = set(space.identities(chosen).tolist())
        pool, scores = state.genotypes[:0], np.empty(0)
        expanded: set[int] = set()
        incoming = np.vstack(start)
        for _ in range(self.rounds + 1):
            incoming = incoming[state.fresh(incoming)]
            identities = space.identities(incoming).tolist()
            incoming = incoming[[identity not in taken for identity in identities]]
            taken.update(identities)
            if not len(incoming):
                break
            pool = np.vstack([pool, incoming])
            scores = np.append(scores, judge.acquisition(incoming))
            best = np.argsort(-scores, kind="stable")[: self.elite].tolist()
            grown = [row for row in best if row not in expanded]
            if not grown:
                break
            expanded.update(grown)
            incoming = np.vstack([space.neighbours(pool[row]) for row in grown])
        return pool, scores


class Judge:
    """Surrogates fitted for one choice, and the acquisition they give."""

    def __init__(
        self,
        state: TaskState,
        objectives: Objectives,
        free: Sequence[str],
        surrogates: dict[str, Surrogate],
        samples: int,
    ) -> None:
        self._state = state
        self._objectives = objectives
        self._free = free
        self._surrogates = surrogates
        self._samples = samples
        self._warps: dict[str, GapWarp | LogWarp] = {}
        self._data: dict[str, tuple[IntArray, IntArray, FloatArray]] = {}
        self._weights = state.rng.dirichlet(np.ones(state.n_objectives))

    def observe(self, states: Sequence[TaskState]) -> None:
        """Fit the surrogate of every column that is not free to all tasks."""
        for j, column in enumerate(self._state.columns):
            if column in self._free:
                continue
            genotypes, tasks, values = [], [], []
            for other in states:
                found = np.isfinite(other.values[:, j])
                if not found.any():
                    continue
                warp = GapWarp.of(other.values[found, j]) if column == "error" else LogWarp()
                if other is self._state:
                    self._warps[column] = warp
                genotypes.append(other.genotypes[found])
                tasks.append(np.full(found.sum(), other.index))
                values.append(warp.forward(other.values[found, j]))
            self._warps.setdefault(column, GapWarp(0.0, 1.0) if column == "error" else LogWarp())
            self._data[column] = (np.vstack(genotypes), np.concatenate(tasks), np.concatenate(values))
            self._surrogates[column].fit(*self._data[column])

    def believe(self, genotype: IntArray) -> None:
        """Take the prediction for a chosen genotype (1, V) as if it had been observed."""
        index = self._state.index
        for column, (genotypes, tasks, values) in self._data.items():
            predicted = self._surrogates[column].predict(genotype, index)
            self._data[column] = (
                np.vstack([genotypes, genotype]),
                np.append(tasks, index),
                np.append(values, predicted),
            )
            self._surrogates[column].fit(*self._data[column])

    def acquisition(self, genotypes: IntArray) -> FloatArray:
        """What an evaluation of each genotype (P, V) is expected to bring, (P,); negative beyond a known limit."""
        mean, std = self._predict(genotypes)
        state = self._state
        keeps = self._probability_of_limits(mean, std)
        if not (np.isfinite(state.F).all(axis=1) & (state.violation == 0)).any():
            gain = np.exp(-np.argsort(np.argsort(mean[:, 0])) / max(len(mean), 1))
        elif state.n_objectives == 1:
            gain = self._improvement(mean[:, 0], std[:, 0])
        else:
            gain = self._joint_improvement(mean, std)
        known_excess = limit_violation(np.where(std == 0, mean, -np.inf), state.limits)
        gain = np.where(known_excess > 0, -known_excess, gain * keeps)
        return np.where(np.isfinite(mean).all(axis=1), gain, -np.inf)

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        state = self._state
        mean, std = np.zeros((2, len(genotypes), len(state.columns)))
        for j, column in enumerate(state.columns):
            if column in self._free and state.task is not None:
                mean[:, j] = self._objectives.consult(state.task, genotypes, column)
            else:
                mean[:, j], std[:, j] = self._surrogates[column].predict(
                    genotypes, state.index, return_std=True
                )
        return mean, std

    def _probability_of_limits(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        probability = np.ones(len(mean))
        for j, column in enumerate(self._state.columns):
            limit = self._state.limits[j]
            if column not in self._free and np.isfinite(limit):
                warped = float(self._warps[column].forward(np.array([limit]))[0])
                probability *= probability_below(mean[:, j], std[:, j], warped)
        return probability

    def _improvement(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        kept = self._best_points()[:, 0]
        column = self._state.columns[0]
        if column in self._free:
            return np.maximum(kept.min() - mean, 0)
        return expected_improvement(mean, std, float(self._warps[column].forward(kept).min()))

    def _joint_improvement(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        points = self._sampled(mean, std)
        best = self._best_points()
        gain = np.zeros(len(mean))
        for columns in self._objectives.fronts:
            front = best[:, columns]
            reference = front.max(axis=0) + MARGIN * np.ptp(front, axis=0)
            front = front[non_dominated(front)]
            if len(columns) == 2:
                gain += hypervolume_improvement(points[..., columns], front, reference).mean(axis=0)
            elif len(columns) == 1:
                gain += np.maximum(front.min() - points[..., columns[0]], 0).mean(axis=0)
            else:
                weights = self._weights[columns] / self._weights[columns].sum()
                ideal = front.min(axis=0)
                values = chebyshev(points[..., columns], weights, ideal, reference)
                gain += np.maximum(chebyshev(front, weights, ideal, reference).min() - values, 0).mean(axis=0)
        return gain

    def _sampled(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Samples of the objectives in their own units, (S, P, m)."""
        state = self._state
        m = state.n_objectives
        unknown = [j for j in range(m) if state.columns[j] not in self._free]
        points = np.repeat(mean[None, :, :m], self._samples if unknown else 1, axis=0)
        for k, j in enumerate(unknown):
            noise = normal_points(self._samples, len(unknown))[:, k, None]
            points[:, :, j] = self._warps[state.columns[j]].inverse(mean[:, j] + std[:, j] * noise)
        return points

    def _best_points(self) -> FloatArray:
        """Objectives (K, m) of the successful evaluations within the limits."""
        state = self._state
        within: BoolArray = np.isfinite(state.F).all(axis=1) & (state.violation == 0)
        return state.F[within]
