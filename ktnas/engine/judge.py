"""What surrogates, fitted to all that a search has seen, expect of candidates."""

from collections.abc import Sequence

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.engine.acquisition import (
    chebyshev,
    expected_improvement,
    hypervolume_improvement,
    normal_points,
    probability_below,
)
from ktnas.engine.objectives import Objectives
from ktnas.engine.state import TaskState, limit_violation
from ktnas.record.front import MARGIN, non_dominated
from ktnas.surrogate.base import Surrogate
from ktnas.surrogate.warp import GapWarp, LogWarp


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
        self._references: dict[int, FloatArray] = {}
        self._weights = state.rng.dirichlet(np.ones(state.n_objectives))

    def observe(self, states: Sequence[TaskState]) -> None:
        """Fit the surrogate of every column that is not free to all tasks."""
        for j, column in enumerate(self._state.columns):
            if column in self._free or column not in self._surrogates:
                continue
            genotypes = [self._state.genotypes[:0]]
            tasks, values = [np.empty(0, dtype=np.int64)], [np.empty(0)]
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

    def believe(self, chosen: IntArray) -> None:
        """Take the predictions for chosen genotypes (N, V) as if they had been observed."""
        index = self._state.index
        for column, (genotypes, tasks, values) in self._data.items():
            predicted = self._surrogates[column].predict(chosen, index)
            self._data[column] = (
                np.vstack([genotypes, chosen]),
                np.append(tasks, np.full(len(chosen), index)),
                np.append(values, predicted),
            )
            self._surrogates[column].fit(*self._data[column])

    def acquisition(self, genotypes: IntArray) -> FloatArray:
        """What an evaluation of each genotype (P, V) is expected to bring, (P,).

        Negative beyond a limit that is known to be broken, -inf where a free column has no value.
        """
        mean, std = self._predict(genotypes)
        state = self._state
        keeps = self._probability_of_limits(mean, std)
        if not self._within.any():
            gain = np.exp(-np.argsort(np.argsort(mean[:, 0])) / max(len(mean), 1)) * keeps.max(axis=1)
        elif state.n_objectives == 1:
            gain = self._improvement(mean[:, 0], std[:, 0]) * keeps[:, 0]
        else:
            gain = self._joint_improvement(mean, std, keeps)
        known_excess = limit_violation(np.where(std == 0, mean, -np.inf), state.limits).min(axis=1)
        gain = np.where(known_excess > 0, -known_excess, gain)
        return np.where(np.isfinite(mean).all(axis=1), gain, -np.inf)

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        state = self._state
        mean, std = np.zeros((2, len(genotypes), len(state.columns)))
        for j, column in enumerate(state.columns):
            if column in self._free and state.task is not None:
                mean[:, j], std[:, j] = self._objectives.consult(state.task, genotypes, column)
            elif column in self._surrogates:
                mean[:, j], std[:, j] = self._surrogates[column].predict(
                    genotypes, state.index, return_std=True
                )
        return mean, std

    def _probability_of_limits(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Probability (P, R) of keeping the limits of each front, of what is not known for certain."""
        limits = self._state.limits
        probability = np.ones((len(mean), len(limits)))
        for front, j in np.argwhere(np.isfinite(limits)).tolist():
            limit = limits[front, j]
            if warp := self._warps.get(self._state.columns[j]):
                limit = float(warp.forward(np.array([limit]))[0])
            below = probability_below(mean[:, j], std[:, j], limit)
            probability[:, front] *= np.where(std[:, j] > 0, below, 1.0)
        return probability

    def _improvement(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        best = self._state.F[self._within[:, 0], 0]
        warp = self._warps.get(self._state.columns[0])
        if warp is None and not std.any():
            return np.asarray(np.maximum(best.min() - mean, 0))
        return expected_improvement(mean, std, float((warp.forward(best) if warp else best).min()))

    def _joint_improvement(self, mean: FloatArray, std: FloatArray, keeps: FloatArray) -> FloatArray:
        points = self._sampled(mean, std)
        gain = np.zeros(len(mean))
        for number, columns in enumerate(self._objectives.fronts):
            front = self._state.F[self._within[:, number]][:, columns]
            front = front[non_dominated(front)]
            reference = self._reference(points, number, columns)
            brought = self._front_improvement(points[..., columns], front, reference, columns)
            gain += brought * keeps[:, number]
        return gain

    def _reference(self, points: FloatArray, number: int, columns: list[int]) -> FloatArray:
        """Reference (k,) of a front: beyond all that was evaluated, and all that the pool is expected to be.

        A search that has seen only fast architectures would else find slow ones worth nothing, however
        accurate they may be. The first ``points`` (S, P, m) of a choice decide for all of it. Where nothing
        keeps the front's limits yet, all that was evaluated counts.
        """
        if number not in self._references:
            kept = self._within[:, number]
            seen = self._state.F[kept if kept.any() else np.isfinite(self._state.F).all(axis=1)]
            expected = np.median(points, axis=0)
            expected = expected[np.isfinite(expected).all(axis=1)]
            self._references[number] = _beyond(np.vstack([seen[:, columns], expected[:, columns]]))
        return self._references[number]

    def _front_improvement(
        self, points: FloatArray, front: FloatArray, reference: FloatArray, columns: list[int]
    ) -> FloatArray:
        """What points (S, P, k) bring to a front (K, k) on average over the samples, (P,)."""
        if len(columns) == 2:
            return np.asarray(hypervolume_improvement(points, front, reference).mean(axis=0))
        if len(columns) == 1:
            best = front.min() if len(front) else reference[0]
            return np.asarray(np.maximum(best - points[..., 0], 0).mean(axis=0))
        weights = self._weights[columns] / self._weights[columns].sum()
        ideal = front.min(axis=0) if len(front) else points.reshape(-1, len(columns)).min(axis=0)
        least = chebyshev(front if len(front) else reference[None], weights, ideal, reference).min()
        return np.asarray(np.maximum(least - chebyshev(points, weights, ideal, reference), 0).mean(axis=0))

    def _sampled(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Samples of the objectives in their own units, (S, P, m)."""
        state = self._state
        m = state.n_objectives
        unknown = [j for j in range(m) if state.columns[j] in self._warps or std[:, j].any()]
        points = np.repeat(mean[None, :, :m], self._samples if unknown else 1, axis=0)
        for k, j in enumerate(unknown):
            noise = normal_points(self._samples, len(unknown))[:, k, None]
            values = mean[:, j] + std[:, j] * noise
            warp = self._warps.get(state.columns[j])
            points[:, :, j] = np.maximum(values, 0) if warp is None else warp.inverse(values)
        return points

    @property
    def _within(self) -> BoolArray:
        """Successful evaluations within the limits of each front, (N, R)."""
        state = self._state
        succeeded = np.isfinite(state.F).all(axis=1, keepdims=True)
        return np.asarray(succeeded & (state.violations == 0))


def _beyond(points: FloatArray) -> FloatArray:
    """Reference (m,) a tenth of the range beyond the worst of ``points`` (K, m) in every objective."""
    span = np.ptp(points, axis=0)
    return np.asarray(points.max(axis=0) + MARGIN * np.where(span > 0, span, np.abs(points).max(axis=0)))
