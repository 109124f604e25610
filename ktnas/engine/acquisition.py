"""What an evaluation of a candidate is expected to bring. Everything is minimised."""

from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from ktnas.arrays import FloatArray


def expected_improvement(mean: FloatArray, std: FloatArray, best: float) -> FloatArray:
    """Expectation of max(best - Y, 0) for Y ~ N(mean, std²), elementwise (Jones et al. 1998)."""
    std = np.maximum(std, 1e-12)
    z = (best - mean) / std
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(std * (z * ndtr(z) + density))


def probability_below(mean: FloatArray, std: FloatArray, limit: float) -> FloatArray:
    """P(Y ≤ limit) for Y ~ N(mean, std²), elementwise."""
    return np.asarray(ndtr((limit - mean) / np.maximum(std, 1e-12)))


@lru_cache
def normal_points(n_samples: int, n_dims: int) -> FloatArray:
    """Quasi-random standard normal points (n_samples, n_dims), always the same.

    ``n_samples`` is a power of 2.
    """
    from scipy.stats import qmc

    sobol = qmc.Sobol(n_dims, scramble=True, rng=np.random.default_rng(0))
    points: FloatArray = ndtri(np.clip(sobol.random(n_samples), 1e-6, 1 - 1e-6))
    points.flags.writeable = False
    return points


def hypervolume_improvement(points: FloatArray, front: FloatArray, reference: FloatArray) -> FloatArray:
    """What each of ``points`` alone adds to the hypervolume of ``front``, two objectives.

    Args:
        points: (..., 2).
        front: (K, 2) non-dominated, K ≥ 0.
        reference: (2,).

    Returns:
        (...) areas, 0 for dominated points.
    """
    inside = front[(front < reference).all(axis=1)]
    inside = inside[np.argsort(inside[:, 0])]
    left = np.concatenate([[-np.inf], inside[:, 0]])
    right = np.concatenate([inside[:, 0], reference[:1]])
    ceiling = np.concatenate([reference[1:], inside[:, 1]])
    width = np.maximum(right - np.maximum(points[..., :1], left), 0)
    height = np.maximum(ceiling - points[..., 1:], 0)
    return np.asarray((width * height).sum(axis=-1))


def chebyshev(points: FloatArray, weights: FloatArray, ideal: FloatArray, nadir: FloatArray) -> FloatArray:
    """Augmented Chebyshev scalarisation (...) of points (..., m) (ParEGO, Knowles 2006)."""
    scaled = weights * (points - ideal) / np.where(nadir > ideal, nadir - ideal, 1.0)
    return np.asarray(scaled.max(axis=-1) + 0.05 * scaled.sum(axis=-1))
