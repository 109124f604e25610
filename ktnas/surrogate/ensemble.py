"""A Gaussian process, trees and graph networks together, weighed by what each has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.surrogate.base import Progress, State, Surrogate, within
from ktnas.surrogate.graph_network import GraphNetwork, parts
from ktnas.surrogate.levels import Levels
from ktnas.surrogate.multitask_gp import MultiTaskGP
from ktnas.surrogate.normal_scores import normal_scores
from ktnas.surrogate.trees import Trees

PRIOR = 16
"""Observations that equal shares count for."""

FEWEST = 8

FADED = 64
"""Observations from which the size of a network is no reason to expect anything."""

SUM = 1e3


@dataclass
class Ensemble(Surrogate):
    """The mixture of ``multitask_gp``, extremely randomised trees and graph networks.

    Their shares, positive and adding up to 1, are those of least squares on predictions of observations that
    the models have not seen, drawn towards equal ones while observations are few. The parts that are left out
    are the same for all three. The shares are for ranking: values and predictions enter least squares by
    their normal scores, so that the few values of a heavy tail do not decide. Mean and standard deviation are
    those of the mixture of normal distributions, in the units of the values.

    Where values are errors, a larger network (``SizeScale``) may be expected to have the smaller one: with
    ``size_prior`` the models learn what differs from a line that falls by as many standard deviations of the
    values per standard deviation of the size, see ``SizeScale``. As observations come the line flattens out;
    from 64 on there is none.

    With fewer than 8 observations the process is alone. Trees, networks and shares are kept until ``refit``
    new observations have come; the process learns from each, its ``limit`` best of each task at most.

    Attributes:
        members: networks, as many parts, 2 or more.
        epochs: passes of a network over the observations.
        refit: observations after which all models are fitted anew.
        size_prior: steepness of the line before the first observation; 0 where size tells nothing. 0.5 suits
            errors.
        size_task: what networks are built for when their sizes are counted.
    """

    members: int = 4
    epochs: int = 120
    refit: int = 10
    size_prior: float = 0.0
    size_task: str = "cifar10"
    _slope: float = field(default=0.0, init=False, repr=False)
    _shares: FloatArray = field(init=False, repr=False)
    _next_fit: int = field(default=0, init=False, repr=False)
    _levels: Levels = field(init=False, repr=False)
    _process: MultiTaskGP = field(init=False, repr=False)
    _trees: Trees = field(init=False, repr=False)
    _networks: GraphNetwork = field(init=False, repr=False)
    _grown_on: tuple[IntArray, IntArray, FloatArray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._process = MultiTaskGP(refit=self.refit)
        self._networks = GraphNetwork(members=self.members, epochs=self.epochs, refit=1)

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """As in ``Surrogate``."""
        super().prepare(encoding, n_tasks, seed)
        self._process.prepare(encoding, n_tasks, seed)
        self._networks.prepare(encoding, n_tasks, seed)
        self._trees = Trees(n_tasks, seed)
        self._shares, self._next_fit, self._slope = np.array([1.0]), 0, 0.0
        return self

    def report_to(self, progress: Progress | None) -> Self:
        """As in ``Surrogate``; it is the networks that take time."""
        self._networks.report_to(progress)
        return self

    def fit(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> Self:
        """As in ``Surrogate``."""
        anew = len(values) < FEWEST or len(values) >= self._next_fit
        if anew:
            self._slope = self._expected_slope(tasks, values)
        values = values - self._line(genotypes)
        self._process.fit(genotypes, tasks, values)
        if len(values) < FEWEST:
            self._shares, self._next_fit = np.array([1.0]), 0
        elif anew:
            self._next_fit = len(values) + self.refit
            self._fit_others(genotypes, tasks, values)
        return self

    def _expected_slope(self, tasks: IntArray, values: FloatArray) -> float:
        """Change of the value per standard deviation of the size, 0 without a spread of values."""
        if not (self.size_prior and len(values)):
            return 0.0
        spread = float((values - Levels.of(tasks, values, self._n_tasks).levels[tasks]).std())
        return -self.size_prior * max(0.0, 1 - len(values) / FADED) * spread

    def _line(self, genotypes: IntArray) -> FloatArray:
        """What is expected of genotypes (N, V) for their size, (N,)."""
        if not self._slope:
            return np.zeros(len(genotypes))
        from ktnas.surrogate.size_prior import size_scale

        return self._slope * size_scale(self.space, self.size_task)(genotypes)

    def _fit_others(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> None:
        self._grow(genotypes, tasks, values)
        self._networks.fit(genotypes, tasks, values)
        held_out = [self._left_out(genotypes, tasks, values), self._trees.held_out()]
        by_networks = self._networks.held_out()
        if by_networks is not None:
            held_out.append(by_networks)
        known = normal_scores(self._levels.standardise(tasks, values))
        self._shares = _shares([normal_scores(predicted) for predicted in held_out], known)

    def _left_out(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> FloatArray:
        """What the process says of each part without it; of all together where it uses the best alone."""
        if len(values) <= self._process.limit:
            return self._process.held_out(self._part(len(values)))
        predicted = np.empty(len(values))
        for task in range(self._n_tasks):
            predicted[tasks == task] = self._process.predict(genotypes[tasks == task], task)
        return self._levels.standardise(tasks, predicted)

    def _part(self, n: int) -> IntArray:
        return parts(n, self.members, self._seed)

    def _grow(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> None:
        self._grown_on = (genotypes.copy(), tasks.copy(), values.copy())
        self._levels = Levels.of(tasks, values, self._n_tasks)
        standardised = self._levels.standardise(tasks, values)
        self._trees.fit(self.features.get(genotypes), tasks, standardised, self._part(len(values)))

    def _predict(self, genotypes: IntArray, task: int) -> tuple[FloatArray, FloatArray] | None:
        """As in ``Surrogate``."""
        answers = [self._process.predict(genotypes, task, return_std=True)]
        if len(self._shares) > 1:
            mean, std = self._trees.predict(self.features.get(genotypes), task)
            levels = self._levels
            answers.append((levels.levels[task] + levels.scale * mean, levels.scale * std))
        if len(self._shares) > 2:
            answers.append(self._networks.predict(genotypes, task, return_std=True))
        means, deviations = (np.array(parts) for parts in zip(*answers, strict=True))
        shares = self._shares[:, None]
        mean = (shares * means).sum(axis=0)
        variance = (shares * (deviations**2 + (means - mean) ** 2)).sum(axis=0)
        return np.asarray(mean + self._line(genotypes)), np.asarray(np.sqrt(variance))

    def state(self) -> State:
        """Those of process and networks, what the trees grew on, and the shares."""
        state: State = {"shares": self._shares, "next_fit": np.array([self._next_fit])}
        state["slope"] = np.array([self._slope])
        if len(self._shares) > 1:
            names = ("genotypes", "tasks", "values")
            state |= {f"trees.{name}": array for name, array in zip(names, self._grown_on, strict=True)}
        models: dict[str, Surrogate] = {"process": self._process, "networks": self._networks}
        for name, model in models.items():
            state |= {f"{name}.{key}": array for key, array in model.state().items()}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """As in ``Surrogate``; the trees grow again, to the same."""
        self._shares, self._next_fit = state["shares"], int(state["next_fit"][0])
        self._slope = float(state["slope"][0])
        self._process.restore(within(state, "process."))
        self._networks.restore(within(state, "networks."))
        if len(self._shares) > 1:
            self._grow(*(state[f"trees.{name}"] for name in ("genotypes", "tasks", "values")))
        return self


def _shares(held_out: Sequence[FloatArray], values: FloatArray) -> FloatArray:
    """Shares (K,) of K models, from normal scores (N,) of held-out predictions and of ``values``."""
    predictions = np.column_stack(held_out)
    count = predictions.shape[1]
    apart = np.mean((predictions - predictions.mean(axis=1, keepdims=True)) ** 2)
    pull = np.sqrt(PRIOR * apart + 1e-9)
    rows = np.vstack([predictions, pull * np.eye(count), SUM * np.ones((1, count))])
    shares = nnls(rows, np.concatenate([values, np.full(count, pull / count), [SUM]]))[0]
    return np.asarray(shares / shares.sum())
