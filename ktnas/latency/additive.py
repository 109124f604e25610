"""Latency on one device from many measurements of it: a Gaussian process that adds up kernels on graphs."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtr

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.latency.base import LatencyModel
from ktnas.latency.graph_kernels import Description, GraphKernels, graph_kernels

ROUNDS = 3
NOISE = 0.02
PRIOR_SD = 2.0
JITTER = 1e-6
LEAST_SHARE = 0.1
CHUNK = 1024
FEWEST_TO_CENTRE = 20
FARTHEST = 0.25
STEP = 0.0025

PREFERENCE = 1e-3
"""Share of the measurements that a factor of e must gain to be preferred to 1."""


@dataclass
class AdditiveProcess(LatencyModel):
    """A Gaussian process on milliseconds whose kernel is a weighted sum (see ``GraphKernels``), any space.

    What layers take adds up, so the process is one of latency, not of its logarithm; but a measurement is off
    by so many per cent, and now and then by far more: the noise is proportional to the latency and Student's
    t. It is fitted in three rounds of weighing each measurement by how far the others miss it. Weights of the
    kernels and noise are found by maximum a posteriori on ``sample`` measurements with L-BFGS on analytic
    gradients.

    Devices are slow at times, some by a fifth in a twentieth of the measurements. With ``band`` the
    prediction is not the centre of the noise but the latency within ±``band`` of which most measurements lie,
    as the leave-one-out errors tell: of use where a prediction is judged by that band, and off the centre
    elsewhere. The standard deviation is scaled to the leave-one-out errors.

    Attributes:
        band: relative; 0 to predict the centre of the noise.
        degrees: of freedom of the noise; 0 for normal noise.
        sample: measurements that weights are found on, at most.
        limit: measurements that are learned from, at most; a fit costs O(limit^3).
        iterations: of L-BFGS per round.
    """

    band: float = 0.0
    degrees: float = 4.0
    sample: int = 300
    limit: int = 1500
    iterations: int = 40
    _kernels: GraphKernels = field(init=False, repr=False)
    _known_ones: Description = field(init=False, repr=False)
    _level: float = field(init=False, repr=False)
    _unit: float = field(init=False, repr=False)
    _least: float = field(init=False, repr=False)
    _theta: FloatArray = field(init=False, repr=False)
    _factor: FloatArray = field(init=False, repr=False)
    _dual: FloatArray = field(init=False, repr=False)
    _ratios: FloatArray = field(init=False, repr=False)
    _shift: float = field(init=False, repr=False)
    _widen: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("band", "degrees"):
            if not getattr(self, name) >= 0:
                raise UserError(f"latency_model.{name}={getattr(self, name)}: must not be negative.")
        for name in ("sample", "limit", "iterations"):
            if not getattr(self, name) > 0:
                raise UserError(f"latency_model.{name}={getattr(self, name)}: must be positive.")

    def _fit(self, genotypes: IntArray, latency: FloatArray) -> None:
        rng = np.random.default_rng(self._seed)
        chosen = np.sort(rng.permutation(len(latency))[: self.limit])
        genotypes, latency = genotypes[chosen], latency[chosen]
        self._kernels = graph_kernels(self.space)
        self._known_ones = self._kernels.describe(genotypes)
        self._level, self._unit = float(np.median(latency)), float(latency.std()) or float(latency.mean())
        self._least = LEAST_SHARE * float(latency.min())
        values = (latency - self._level) / self._unit
        left_out = self._learn(values, rng.permutation(len(latency))[: self.sample])
        self._ratios = latency / np.maximum(self._level + self._unit * left_out, self._least)
        self.aim(self.band)

    def _learn(self, values: FloatArray, few: IntArray) -> FloatArray:
        """Fit to standardised latencies (N,), weights to ``few`` of them; leave-one-out predictions (N,)."""
        kernels = self._kernels.between(self._known_ones, self._known_ones)
        self._theta = self._prior
        noise = np.ones(len(values))
        for _ in range(ROUNDS):
            self._maximise(kernels[:, few][:, :, few], values[few], noise[few])
            precision = self._solve(kernels, values, noise)
            left_out = values - self._dual / precision
            doubt = 1 / precision - np.exp(self._theta[-1]) * noise
            squared = (values - left_out) ** 2
            noise = self._relative(left_out) / self._trust(squared * precision)
        expected = np.maximum(doubt, 0) + np.exp(self._theta[-1]) * self._relative(left_out)
        self._widen = float(np.mean(squared / expected))
        return left_out

    @property
    def shift(self) -> float:
        """Prediction over the centre of the noise; 1 where ``band`` is 0."""
        return self._shift

    def aim(self, band: float) -> Self:
        """Predict for another ``band``, without a new fit."""
        self.band = band
        self._shift = likeliest(self._ratios, band) if band else 1.0
        return self

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        starts = range(0, len(genotypes), CHUNK)
        parts = [self._predict_some(genotypes[start : start + CHUNK]) for start in starts]
        mean, std = np.concatenate(parts, axis=1)
        return mean, std

    def _predict_some(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        described = self._kernels.describe(genotypes)
        weights, noise = np.exp(self._theta[:-1]), np.exp(self._theta[-1])
        kernel = np.tensordot(weights, self._kernels.between(described, self._known_ones), 1)
        values = kernel @ self._dual
        explained = solve_triangular(self._factor, kernel.T, lower=True, check_finite=False)
        doubt = weights @ self._kernels.alone(described) - (explained**2).sum(axis=0)
        variance = np.maximum(doubt, 0) + noise * self._relative(values)
        mean = np.maximum(self._shift * (self._level + self._unit * values), self._least)
        return mean, self._unit * np.sqrt(self._widen * variance)

    def _maximise(self, kernels: FloatArray, values: FloatArray, noise: FloatArray) -> None:
        """Weights and noise (K + 1,) of greatest posterior, from the ones there are."""

        def loss(theta: FloatArray) -> tuple[float, FloatArray]:
            return _negative_log_posterior(theta, self._prior, kernels, values, noise)

        found = minimize(loss, self._theta, jac=True, method="L-BFGS-B", options={"maxiter": self.iterations})
        if np.isfinite(found.fun):
            self._theta = found.x

    @property
    def _prior(self) -> FloatArray:
        """Prior means of the logarithms (K + 1,) of weights and noise."""
        n_kernels = len(self._kernels)
        return np.append(np.full(n_kernels, -np.log(n_kernels)), np.log(NOISE))

    def _solve(self, kernels: FloatArray, values: FloatArray, noise: FloatArray) -> FloatArray:
        """Condition on all measurements; the diagonal (N,) of the inverse covariance."""
        covariance = np.tensordot(np.exp(self._theta[:-1]), kernels, 1)
        covariance[np.diag_indices_from(covariance)] += np.exp(self._theta[-1]) * noise + JITTER
        self._factor = cholesky(covariance, lower=True, check_finite=False)
        self._dual = cho_solve((self._factor, True), values, check_finite=False)
        inverse = solve_triangular(self._factor, np.eye(len(values)), lower=True, check_finite=False)
        return np.asarray((inverse**2).sum(axis=0))

    def _relative(self, values: FloatArray) -> FloatArray:
        """Noise variance (N,) of predictions, 1 at the median latency."""
        return (np.maximum(self._level + self._unit * values, self._least) / self._level) ** 2

    def _trust(self, squared: FloatArray) -> FloatArray:
        """Weight (N,) of measurements with squared standardised errors, in expectation over the noise."""
        if not self.degrees:
            return np.ones_like(squared)
        return (self.degrees + 1) / (self.degrees + squared)


def _negative_log_posterior(
    theta: FloatArray, prior: FloatArray, kernels: FloatArray, values: FloatArray, noise: FloatArray
) -> tuple[float, FloatArray]:
    """Value and gradient (K + 1,) at the logarithms of weights and noise."""
    weights, variance = np.exp(theta[:-1]), np.exp(theta[-1])
    covariance = np.tensordot(weights, kernels, 1)
    covariance[np.diag_indices_from(covariance)] += variance * noise + JITTER
    try:
        factor = cholesky(covariance, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(theta)
    dual = cho_solve((factor, True), values, check_finite=False)
    offset = (theta - prior) / PRIOR_SD
    value = 0.5 * values @ dual + np.log(np.diag(factor)).sum() + 0.5 * offset @ offset
    slope = 0.5 * (cho_solve((factor, True), np.eye(len(values)), check_finite=False) - np.outer(dual, dual))
    gradient = np.append(weights * np.tensordot(kernels, slope, 2), variance * (np.diag(slope) * noise).sum())
    return float(value), gradient + offset / PRIOR_SD


def likeliest(ratios: FloatArray, band: float) -> float:
    """The factor within ±``band`` of which most ``ratios`` (N,) lie; 1 for fewer than 20 of them.

    Ratios are smoothed by a normal kernel of Silverman's width, and the factor nearest to 1 is taken among
    those that hold as many.
    """
    n = len(ratios)
    if n < FEWEST_TO_CENTRE:
        return 1.0
    quartiles = np.quantile(ratios, [0.25, 0.75])
    width = max(0.9 / 1.34 * float(np.diff(quartiles)[0]) * n**-0.2, 1e-4)
    factors = np.exp(np.arange(-FARTHEST, FARTHEST + STEP / 2, STEP))
    above, below = (ndtr((factors * edge - ratios[:, None]) / width) for edge in (1 + band, 1 - band))
    held = (above - below).mean(axis=0)
    return float(factors[np.argmax(held - PREFERENCE * np.abs(np.log(factors)))])
