"""Linear regression that learns how much each group of columns explains, and lets odd values go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from ktnas.arrays import FloatArray, IntArray

LEVEL = 100.0
JITTER = 1e-8
ROUNDS = 5
BOUND = 6.0

Evidence = Callable[[FloatArray], tuple[float, FloatArray]]
"""Negative log evidence and its gradient, from the logarithms of the variances."""


@dataclass
class GroupedLinear:
    """values = level + columns · (centre + weights) + noise, with weights that are normal in each group.

    The same as a Gaussian process with a linear kernel for each group. The variances of the groups and of the
    noise are those of maximum posterior probability, with log-normal priors (Rasmussen and Williams 2006,
    section 5.4.1), in whichever is smaller, the space of the values or that of the weights. The noise has
    Student's t distribution, by expectation maximisation over a precision for each value (Lange, Little and
    Taylor, Robust statistical modelling using the t distribution, 1989): odd values lose their say.

    Attributes:
        groups: columns of each group, in order, covering all of them.
        variances: prior median of each group's variance; the level's is ``LEVEL``.
        noise: prior median of the noise's variance.
        spread: prior standard deviation of the logarithms of the groups' variances.
        noise_spread: likewise of the noise's.
        freedom: degrees of freedom of the noise, above 2.
    """

    groups: Sequence[slice]
    variances: Sequence[float]
    noise: float = 1.0
    spread: float = 2.0
    noise_spread: float = 1.0
    freedom: float = 4.0
    _theta: FloatArray = field(init=False, repr=False)
    _centre: FloatArray = field(init=False, repr=False)
    _posterior: "_Posterior" = field(init=False, repr=False)

    def fit(self, columns: FloatArray, values: FloatArray, centre: FloatArray) -> Self:
        """Learn from ``values`` (N,).

        Args:
            columns: (N, F).
            values: of variance about 1, for which the priors are made.
            centre: (F,) prior mean of the weights.
        """
        self._centre = centre
        design = np.column_stack([columns, np.ones(len(values))])
        residual = values - columns @ centre
        self._theta = self._prior_mean.copy()
        precision = np.ones(len(values))
        for number in range(ROUNDS):
            scale = np.sqrt(precision)
            self._maximise(design * scale[:, None], residual * scale, 60 if number == 0 else 15)
            noise = np.exp(self._theta[-1])
            self._posterior = _Posterior.of(
                design * scale[:, None], residual * scale, self._deviations, float(noise)
            )
            mean, variance = self._posterior.predict(design)
            missed = (residual - mean) ** 2 + variance
            precision = (self.freedom + 1) / (self.freedom + missed / noise)
        return self

    def predict(self, columns: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (M,) of new values, noise included, for columns (M, F)."""
        mean, variance = self._posterior.predict(np.column_stack([columns, np.ones(len(columns))]))
        return mean + columns @ self._centre, variance + np.exp(self._theta[-1])

    def choose(self, columns: FloatArray, n: int) -> IntArray:
        """Rows (n,) of columns (P, F) whose values tell most, n ≤ P, as the priors have it.

        One after the other, always the value that is least certain, given those before it.
        """
        theta = self._prior_mean
        design = np.column_stack([columns, np.ones(len(columns))]) * self._deviations_of(theta)
        covariance = np.eye(design.shape[1])
        variance = (design**2).sum(axis=1)
        chosen = np.empty(n, dtype=np.int64)
        for number in range(n):
            row = int(variance.argmax())
            chosen[number] = row
            known = covariance @ design[row]
            seen = float(design[row] @ known) + np.exp(theta[-1])
            variance -= (design @ known) ** 2 / seen
            covariance -= np.outer(known, known) / seen
            variance[chosen[: number + 1]] = -np.inf
        return chosen

    @property
    def _prior_mean(self) -> FloatArray:
        return np.log([*self.variances, self.noise])

    @property
    def _deviations(self) -> FloatArray:
        return self._deviations_of(self._theta)

    def _deviations_of(self, theta: FloatArray) -> FloatArray:
        """Standard deviation (F + 1,) of each weight, and of the level."""
        widths = [part.stop - part.start for part in self.groups]
        return np.asarray(np.sqrt(np.append(np.repeat(np.exp(theta[:-1]), widths), LEVEL)))

    def _maximise(self, design: FloatArray, values: FloatArray, iterations: int) -> None:
        """Set ``_theta``, the log variances of the groups and the noise, starting from what it is."""
        spreads = np.append(np.full(len(self.groups), self.spread), self.noise_spread)
        middle = self._prior_mean
        evidence = (
            self._dual(design, values) if len(design) < design.shape[1] else self._primal(design, values)
        )

        def loss(theta: FloatArray) -> tuple[float, FloatArray]:
            away = (theta - middle) / spreads
            value, gradient = evidence(theta)
            return value + 0.5 * float(away @ away), gradient + away / spreads

        bounds = list(zip(middle - BOUND * spreads, middle + BOUND * spreads, strict=True))
        options = {"maxiter": iterations}
        found = minimize(loss, self._theta, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        self._theta = found.x

    def _dual(self, design: FloatArray, values: FloatArray) -> Evidence:
        """Negative log evidence and its gradient, by the covariance (N, N) of the values."""
        level = LEVEL * np.outer(design[:, -1], design[:, -1]) + JITTER * np.eye(len(values))
        kernels = [design[:, part] @ design[:, part].T for part in self.groups]
        layers = np.array([*kernels, np.eye(len(values))])

        def evidence(theta: FloatArray) -> tuple[float, FloatArray]:
            covariance = np.tensordot(np.exp(theta), layers, axes=1) + level
            factor = cholesky(covariance, lower=True, check_finite=False)
            precision = cho_solve((factor, True), np.eye(len(values)), check_finite=False)
            dual = precision @ values
            slope = 0.5 * (precision - np.outer(dual, dual))
            gradient = np.exp(theta) * np.tensordot(layers, slope, axes=([1, 2], [0, 1]))
            return float(0.5 * values @ dual + np.log(np.diag(factor)).sum()), gradient

        return evidence

    def _primal(self, design: FloatArray, values: FloatArray) -> Evidence:
        """The same by the covariance (F + 1, F + 1) of the weights."""
        square, cross, total = design.T @ design, design.T @ values, float(values @ values)
        n = len(values)

        def evidence(theta: FloatArray) -> tuple[float, FloatArray]:
            noise = np.exp(theta[-1])
            deviations = self._deviations_of(theta)
            scaled = square * np.outer(deviations, deviations) / noise
            pull = cross * deviations / noise
            factor = cholesky(scaled + np.eye(len(pull)), lower=True, check_finite=False)
            inverse = cho_solve((factor, True), np.eye(len(pull)), check_finite=False)
            mean = inverse @ pull
            value = 0.5 * (total / noise - pull @ mean + n * theta[-1]) + np.log(np.diag(factor)).sum()
            learned = 1 - np.diag(inverse)
            missed = total / noise - 2 * mean @ pull + mean @ scaled @ mean
            gradient = [0.5 * (learned[part] - mean[part] ** 2).sum() for part in self.groups]
            return float(value), np.array([*gradient, 0.5 * (n - learned.sum() - missed)])

        return evidence


@dataclass(frozen=True)
class _Posterior:
    """Weights, each in units of its prior standard deviation.

    Attributes:
        deviations: (F,) those units.
        mean: (F,).
        factor: (F, F) lower Cholesky factor of the precision.
    """

    deviations: FloatArray
    mean: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, design: FloatArray, values: FloatArray, deviations: FloatArray, noise: float) -> "_Posterior":
        """Condition on values (N,) with a design (N, F) and noise of variance ``noise``."""
        scaled = design * deviations
        factor = cholesky(scaled.T @ scaled / noise + np.eye(len(deviations)), lower=True, check_finite=False)
        return cls(deviations, cho_solve((factor, True), scaled.T @ values / noise), factor)

    def predict(self, design: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (M,) of what a design (M, F) comes to, without noise."""
        scaled = design * self.deviations
        explained = solve_triangular(self.factor, scaled.T, lower=True, check_finite=False)
        return scaled @ self.mean, np.asarray((explained**2).sum(axis=0))
