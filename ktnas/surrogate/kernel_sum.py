"""A Gaussian process whose covariance is a weighted sum of given kernels."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from ktnas.arrays import FloatArray

JITTER = 1e-6
PRIOR_SD = 1.5


@dataclass
class KernelSum:
    """Values of mean 0 with covariance sum_g w_g K_g + w_noise I; the weights by maximum a posteriori.

    L-BFGS on analytic gradients of the log posterior (Rasmussen and Williams 2006, section 5.4.1) with
    log-normal priors around ``prior``, loose ones.

    Attributes:
        prior: prior median of each kernel's weight, then of the noise's variance.
        iterations: of L-BFGS.
    """

    prior: tuple[float, ...]
    iterations: int = 60
    weights: FloatArray = field(init=False, repr=False)
    left_out: FloatArray = field(init=False, repr=False)
    _precision: FloatArray = field(init=False, repr=False)
    _dual: FloatArray = field(init=False, repr=False)

    def fit(self, kernels: FloatArray, values: FloatArray) -> Self:
        """Condition on ``values`` (N,), given ``kernels`` (G, N, N) between them.

        Afterwards ``weights`` (G + 1,) are those found, and ``left_out`` (N,) the prediction of each value
        from all others.
        """
        layers = np.concatenate([kernels, np.eye(len(values))[None]])
        centre = np.log(self.prior)

        def loss(theta: FloatArray) -> tuple[float, FloatArray]:
            factor, dual, precision = _solve(layers, np.exp(theta), values)
            away = (theta - centre) / PRIOR_SD
            value = 0.5 * values @ dual + np.log(np.diag(factor)).sum() + 0.5 * away @ away
            slope = 0.5 * (precision - np.outer(dual, dual))
            gradient = np.exp(theta) * np.tensordot(layers, slope, axes=([1, 2], [0, 1]))
            return float(value), gradient + away / PRIOR_SD

        bounds = [(middle - 6 * PRIOR_SD, middle + 6 * PRIOR_SD) for middle in centre]
        options = {"maxiter": self.iterations}
        found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        self.weights = np.exp(found.x)
        _, self._dual, self._precision = _solve(layers, self.weights, values)
        self.left_out = values - self._dual / np.diag(self._precision)
        return self

    def predict(self, cross: FloatArray, own: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (M,) of new values, noise included.

        Args:
            cross: kernels (G, N, M) between the values seen and the new ones.
            own: kernels (G, M) of each new value with itself.
        """
        covariance = np.tensordot(self.weights[:-1], cross, axes=1)
        explained = (covariance * (self._precision @ covariance)).sum(axis=0)
        variance = self.weights[:-1] @ own - explained
        return covariance.T @ self._dual, np.maximum(variance, JITTER) + self.weights[-1]


def _solve(
    layers: FloatArray, weights: FloatArray, values: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cholesky factor, K^-1 y and K^-1."""
    covariance = np.tensordot(weights, layers, axes=1)
    covariance[np.diag_indices_from(covariance)] += JITTER
    factor = cholesky(covariance, lower=True, check_finite=False)
    precision = cho_solve((factor, True), np.eye(len(values)), check_finite=False)
    return factor, precision @ values, precision
