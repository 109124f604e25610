import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.engine.acquisition import (
    chebyshev,
    expected_improvement,
    hypervolume_improvement,
    normal_points,
    probability_below,
)
from ktnas.record.front import hypervolume, non_dominated

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)


@given(st.floats(-3, 3), st.floats(0.05, 3), st.floats(-3, 3))
@EXAMPLES
def test_expected_improvement_is_that_of_many_draws(mean, std, best):
    draws = mean + std * normal_points(4096, 1)[:, 0]
    expected = np.maximum(best - draws, 0).mean()
    found = expected_improvement(np.array([mean]), np.array([std]), best)
    np.testing.assert_allclose(found, [expected], rtol=0.02, atol=0.005 * std)


def test_expected_improvement_without_uncertainty():
    found = expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0)
    np.testing.assert_allclose(found, [1, 0], atol=1e-9)


@given(st.floats(-3, 3), st.floats(0.05, 3), st.floats(-3, 3))
@EXAMPLES
def test_probability_below_is_that_of_many_draws(mean, std, limit):
    share = (mean + std * normal_points(4096, 1)[:, 0] <= limit).mean()
    found = probability_below(np.array([mean]), np.array([std]), limit)
    np.testing.assert_allclose(found, [share], atol=0.005)


def test_normal_points_are_always_the_same_and_normal():
    points = normal_points(512, 2)
    normal_points.cache_clear()
    np.testing.assert_array_equal(normal_points(512, 2), points)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(points.T), np.eye(2), atol=0.05)


@given(SEEDS, st.integers(0, 12), st.integers(0, 2))
@EXAMPLES
def test_hypervolume_improvement_is_the_difference_of_hypervolumes(seed, size, decimals):
    rng = np.random.default_rng(seed)
    front = rng.normal(size=(size, 2)).round(decimals)
    front = front[non_dominated(front)]
    points = rng.normal(size=(3, 15, 2)).round(decimals)
    reference = rng.normal(1, 0.5, size=2).round(decimals)

    gains = hypervolume_improvement(points, front, reference)

    before = hypervolume(front, reference)
    expected = [hypervolume(np.vstack([front, point]), reference) - before for point in points.reshape(-1, 2)]
    assert gains.shape == (3, 15)
    np.testing.assert_allclose(gains.ravel(), expected, rtol=1e-9, atol=1e-9)


@given(SEEDS, st.integers(1, 4))
@EXAMPLES
def test_scalarisation_never_prefers_what_is_dominated(seed, m):
    rng = np.random.default_rng(seed)
    better = rng.random((20, m))
    worse = better + rng.random((20, m)).round()
    weights = rng.dirichlet(np.ones(m))
    values = [chebyshev(points, weights, np.zeros(m), np.ones(m)) for points in (better, worse)]
    assert values[0].shape == (20,)
    assert (values[0] <= values[1]).all()
