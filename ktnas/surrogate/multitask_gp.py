"""A Gaussian process over architectures and tasks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.surrogate.base import State, Surrogate, within
from ktnas.surrogate.levels import Levels

JITTER = 1e-6
EVIDENCE = 2.0


@dataclass
class Observations:
    """Standardised observations with their pairwise squared distances per feature group, (G, N, N)."""

    genotypes: IntArray
    vectors: FloatArray
    tasks: IntArray
    values: FloatArray
    distances: FloatArray


@dataclass
class MultiTaskGP(Surrogate):
    """Additive kernel over feature groups, times a correlation of tasks (coregionalisation).

    k((x, s), (x', t)) = B_st * sum_g w_g exp(-|x_g - x'_g|^2 / l_g), with B_tt = 1 and B_st = a_s a_t. How
    far a task shares what the tasks have in common, ``a_t`` in (0, 1), is learned, so a task that disagrees
    is left alone (Bonilla et al. 2007, with one latent factor). Observations carry noise. Weights, length
    scales, ``a`` and noise are found by maximum a posteriori with L-BFGS on analytic gradients, from where
    the last fit ended, and kept until ``refit`` new observations have come.

    Values are standardised: the mean of each task is taken off, all share one scale.

    A task with ``trust`` observations or more is also modelled alone. Which of the two models predicts it is
    told by the leave-one-out log densities of the task's own observations (Rasmussen and Williams 2006,
    section 5.4.2): the better one where their mean difference exceeds two standard errors. Where it does not,
    it is the model of all tasks, unless another task has more observations: a task that is led by others is
    then predicted from itself, so that one which disagrees does not mislead it.

    Attributes:
        refit: observations after which the hyper-parameters are fitted anew, once there are 20. Beyond
            ``limit`` they are fitted anew with every tenth more that has been seen.
        iterations: of L-BFGS per fit.
        noise: prior mean of the noise variance, for values of variance 1.
        sharing: prior mean of ``a``, a loose one: the data soon overrule it.
        trust: observations from which a task may be predicted from itself alone; 0 is never.
        limit: observations used at most, the best of each task first. A fit costs O(limit^3), one of the
            hyper-parameters ``iterations`` times that; beyond the limit there are O(log N) of the latter
            among N observations, so that no cost grows faster than N.
    """

    refit: int = 10
    iterations: int = 40
    noise: float = 0.05
    sharing: float = 0.8
    trust: int = 8
    limit: int = 1000
    _alone: "dict[int, MultiTaskGP]" = field(default_factory=dict, init=False, repr=False)
    _chosen: "dict[int, MultiTaskGP]" = field(default_factory=dict, init=False, repr=False)
    _next_fit: int = field(default=0, init=False, repr=False)
    _theta: FloatArray = field(init=False, repr=False)
    _prior_mean: FloatArray = field(init=False, repr=False)
    _prior_sd: FloatArray = field(init=False, repr=False)
    _groups: list[slice] = field(init=False, repr=False)
    _data: Observations | None = field(default=None, init=False, repr=False)
    _seen: IntArray = field(init=False, repr=False)
    _levels: Levels = field(init=False, repr=False)
    _factor: FloatArray = field(init=False, repr=False)
    _weights: FloatArray = field(init=False, repr=False)

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """As in ``Surrogate``; nothing here is random."""
        super().prepare(encoding, n_tasks, seed)
        self._groups = list(encoding.groups.values())
        n_groups = len(self._groups)
        sharing = np.log(self.sharing / (1 - self.sharing))
        self._prior_mean = np.concatenate(
            [
                np.log([encoding.relevance[name] for name in encoding.groups]),
                np.zeros(n_groups),
                np.full(n_tasks, sharing),
                [np.log(self.noise)],
            ]
        )
        self._prior_sd = np.ones(len(self._prior_mean))
        self._prior_sd[2 * n_groups : -1] = 2.0
        self._theta = self._prior_mean.copy()
        self._data = None
        self._next_fit = 0
        self._alone, self._chosen = {}, {}
        return self

    def fit(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> Self:
        """As in ``Surrogate``; hyper-parameters are kept between refits."""
        if not np.isfinite(values).all():
            raise ValueError("values must be finite; leave failed evaluations out")
        self._data = None
        self._chosen = {}
        if not len(values):
            return self
        chosen = _best_per_task(tasks, values, self.limit)
        seen = np.bincount(tasks, minlength=self._n_tasks)
        return self._learn(genotypes[chosen], tasks[chosen], values[chosen], seen)

    def _learn(self, genotypes: IntArray, tasks: IntArray, values: FloatArray, seen: IntArray) -> Self:
        """Fit to the observations that are used; ``seen`` (T,) is how many there were of each task."""
        self._seen = seen
        self._levels = Levels.of(tasks, values, self._n_tasks)
        self._observe(genotypes, tasks, self._levels.standardise(tasks, values))
        n_seen = int(seen.sum())
        if n_seen >= self._next_fit:
            self._maximise()
            few = max(2, self._n_tasks) if n_seen <= 20 else self.refit
            self._next_fit = n_seen + (few if n_seen == len(values) else max(few, n_seen // 10))
        self._solve()
        return self

    def _predict(self, genotypes: IntArray, task: int) -> tuple[FloatArray, FloatArray] | None:
        """As in ``Surrogate``; the standard deviation includes the noise."""
        data = self._data
        if data is None:
            return None
        model = self._choose(task)
        if model is not self:
            return model._predict(genotypes, 0)
        distances = self._squared_distances(data.vectors, self.features.get(genotypes))
        kernels = self._kernels(distances).sum(axis=0)
        kernels *= self._correlations()[data.tasks, task][:, None]
        mean = self._levels.levels[task] + self._levels.scale * (kernels.T @ self._weights)
        explained = solve_triangular(self._factor, kernels, lower=True, check_finite=False)
        prior = np.exp(self._theta[: len(self._groups)]).sum()
        variance = np.maximum(prior - (explained**2).sum(axis=0), 0) + np.exp(self._theta[-1])
        return np.asarray(mean), np.asarray(self._levels.scale * np.sqrt(variance))

    def state(self) -> State:
        """Hyper-parameters and observations, of the models of single tasks as well."""
        state: State = {"theta": self._theta, "next_fit": np.array([self._next_fit])}
        if self._data is not None:
            state |= {name: getattr(self._data, name) for name in ("genotypes", "tasks", "values")}
            state |= {"levels": self._levels.levels, "scale": np.array([self._levels.scale])}
            state["seen"] = self._seen
        for task, model in self._alone.items():
            state |= {f"alone.{task}.{name}": array for name, array in model.state().items()}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """As in ``Surrogate``."""
        self._theta = state["theta"]
        self._next_fit = int(state["next_fit"][0])
        self._data, self._chosen = None, {}
        if "values" in state:
            self._levels = Levels(state["levels"], float(state["scale"][0]))
            self._seen = state["seen"]
            self._observe(state["genotypes"], state["tasks"], state["values"])
            self._solve()
        self._alone = {
            task: self._single().restore(within(state, f"alone.{task}."))
            for task in range(self._n_tasks)
            if f"alone.{task}.theta" in state
        }
        return self

    def _observe(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> None:
        vectors = self.features.get(genotypes)
        distances = self._squared_distances(vectors, vectors)
        self._data = Observations(genotypes, vectors, tasks, values, distances)

    def _single(self) -> "MultiTaskGP":
        """A model of one task alone."""
        return replace(self, trust=0).prepare(self.features.encoding, 1, 0)

    @property
    def correlations(self) -> FloatArray:
        """Learned correlation of the tasks (T, T)."""
        return self._correlations()

    def _choose(self, task: int) -> "MultiTaskGP":
        """The model of all tasks, or of this one alone (as its task 0)."""
        assert self._data is not None
        if task not in self._chosen:
            self._chosen[task] = self
            own = self._data.tasks == task
            if 0 < self.trust <= own.sum() < len(own):
                if task not in self._alone:
                    self._alone[task] = self._single()
                alone = self._alone[task]._learn(
                    self._data.genotypes[own],
                    np.zeros(own.sum(), dtype=np.int64),
                    self._levels.levels[task] + self._levels.scale * self._data.values[own],
                    self._seen[[task]],
                )
                gain = self.leave_one_out()[own] - alone.leave_one_out()
                evidence = gain.mean() * np.sqrt(len(gain)) / max(float(gain.std()), 1e-12)
                led = np.bincount(self._data.tasks).max() > len(gain) + 1
                if evidence < (EVIDENCE if led else -EVIDENCE):
                    self._chosen[task] = alone
        return self._chosen[task]

    def leave_one_out(self) -> FloatArray:
        """Log density (N,) of each observation given all others, hyper-parameters kept."""
        assert self._data is not None
        precision = np.diag(self._precision())
        residual = self._weights / precision
        density = -0.5 * (np.log(2 * np.pi / precision) + residual**2 * precision)
        return np.asarray(density - np.log(self._levels.scale))

    def held_out(self, part: IntArray) -> FloatArray:
        """Standardised predictions (N,) of the observations of each ``part`` (N,) from those of the others.

        Hyper-parameters are kept. The observations are those of the last fit, all of them (N ≤ ``limit``).
        """
        assert self._data is not None
        precision = self._precision()
        predicted = self._data.values.copy()
        for number in np.unique(part).tolist():
            own = part == number
            predicted[own] -= np.linalg.solve(precision[np.ix_(own, own)], self._weights[own])
        return predicted

    def _precision(self) -> FloatArray:
        """Inverse covariance (N, N) of the observations."""
        identity = np.eye(len(self._weights))
        return np.asarray(cho_solve((self._factor, True), identity, check_finite=False))

    def _squared_distances(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """(G, N, M) between rows of two matrices of vectors, one layer per feature group."""
        result = np.empty((len(self._groups), len(first), len(second)))
        for layer, group in zip(result, self._groups, strict=True):
            a, b = first[:, group], second[:, group]
            np.matmul(a, -2 * b.T, out=layer)
            layer += (a * a).sum(axis=1)[:, None]
            layer += (b * b).sum(axis=1)
            np.maximum(layer, 0, out=layer)
        return result

    def _kernels(self, distances: FloatArray) -> FloatArray:
        n_groups = len(self._groups)
        weights, scales = np.exp(self._theta[:n_groups]), np.exp(self._theta[n_groups : 2 * n_groups])
        kernels: FloatArray = np.exp(distances / -scales[:, None, None])
        kernels *= weights[:, None, None]
        return kernels

    def _shares(self) -> FloatArray:
        start = 2 * len(self._groups)
        return np.asarray(1 / (1 + np.exp(-self._theta[start : start + self._n_tasks])))

    def _correlations(self) -> FloatArray:
        shares = self._shares()
        correlations = np.outer(shares, shares)
        np.fill_diagonal(correlations, 1.0)
        return correlations

    def _solve(self) -> None:
        assert self._data is not None
        data = self._data
        covariance = self._kernels(data.distances).sum(axis=0)
        covariance *= self._correlations()[np.ix_(data.tasks, data.tasks)]
        covariance[np.diag_indices_from(covariance)] += np.exp(self._theta[-1]) + JITTER
        self._factor = cholesky(covariance, lower=True, check_finite=False)
        self._weights = cho_solve((self._factor, True), data.values, check_finite=False)

    def _maximise(self) -> None:
        def loss(theta: FloatArray) -> tuple[float, FloatArray]:
            self._theta = theta
            return self._negative_log_posterior()

        start = self._theta
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": self.iterations})
        self._theta = found.x if np.isfinite(found.fun) else start

    def _negative_log_posterior(self) -> tuple[float, FloatArray]:
        """Value and gradient at ``_theta`` = (log w, log l, logit a, log noise)."""
        assert self._data is not None
        data, theta, n_groups = self._data, self._theta, len(self._groups)
        same = data.tasks[:, None] == data.tasks[None, :]
        kernels = self._kernels(data.distances)
        total = kernels.sum(axis=0)
        correlations = self._correlations()[np.ix_(data.tasks, data.tasks)]
        noise = np.exp(theta[-1])
        covariance = total * correlations
        covariance[np.diag_indices_from(covariance)] += noise + JITTER
        offset = (theta - self._prior_mean) / self._prior_sd
        try:
            factor = cholesky(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        weights = cho_solve((factor, True), data.values, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(len(weights)), check_finite=False)
        value = 0.5 * data.values @ weights + np.log(np.diag(factor)).sum() + 0.5 * offset @ offset
        slope = 0.5 * (inverse - np.outer(weights, weights))
        shared = slope * correlations
        gradient = np.empty_like(theta)
        for g in range(n_groups):
            part = shared * kernels[g]
            gradient[g] = part.sum()
            gradient[n_groups + g] = (part * data.distances[g]).sum() / np.exp(theta[n_groups + g])
        between = (slope * total * correlations * ~same).sum(axis=1)
        per_task = np.bincount(data.tasks, weights=between, minlength=self._n_tasks)
        gradient[2 * n_groups : -1] = 2 * per_task * (1 - self._shares())
        gradient[-1] = np.trace(slope) * noise
        return float(value), gradient + offset / self._prior_sd


def _best_per_task(tasks: IntArray, values: FloatArray, limit: int) -> IntArray:
    """Rows of the ``limit`` lowest values, counted within each task, in their order."""
    if len(values) <= limit:
        return np.arange(len(values))
    order = np.lexsort((values, tasks))
    starts = np.searchsorted(tasks[order], tasks[order])
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values)) - starts
    return np.sort(np.argsort(rank, kind="stable")[:limit])
