import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ktnas.record.front import (
    best_so_far,
    hypervolume,
    hypervolume_curve,
    hypervolume_ratio,
    non_dominated,
    reference_point,
    regret,
)

GRID = st.integers(0, 6).map(float)
WITH_HOLES = st.one_of(GRID, st.sampled_from([np.nan, np.inf, -np.inf]))


def points(elements=GRID, max_objectives=4, min_rows=0):
    shapes = st.tuples(st.integers(min_rows, 12), st.integers(1, max_objectives))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=elements))


def brute_non_dominated(F):
    mask = []
    for i, a in enumerate(F):
        kept = np.isfinite(a).all()
        for j, b in enumerate(F):
            if i != j and np.isfinite(b).all() and (b <= a).all() and ((b < a).any() or j < i):
                kept = False
        mask.append(kept)
    return np.array(mask, dtype=bool)


def brute_hypervolume(F, reference):
    """Count the unit cubes of the grid that some point dominates."""
    axes = np.meshgrid(*[np.arange(r) for r in reference], indexing="ij")
    cubes = np.stack([axis.ravel() for axis in axes], axis=1)
    finite = F[np.isfinite(F).all(axis=1)]
    return sum(bool((finite <= cube).all(axis=1).any()) for cube in cubes)


@given(points(WITH_HOLES))
def test_non_dominated_is_that_of_brute_force(F):
    assert non_dominated(F).tolist() == brute_non_dominated(F).tolist()


def test_non_dominated_policies():
    F = np.array([[2, 2], [1, 3], [2, 2], [np.nan, 0], [3, 3], [0, np.inf]])
    assert non_dominated(F).tolist() == [True, True, False, False, False, False]
    assert non_dominated(np.array([[3.0], [1.0], [1.0]])).tolist() == [False, True, False]
    assert non_dominated(np.full((3, 2), np.nan)).tolist() == [False] * 3
    assert non_dominated(np.empty((0, 2))).shape == (0,)


@given(points(WITH_HOLES, max_objectives=3))
def test_hypervolume_is_that_of_brute_force(F):
    reference = np.array([7.0, 5.0, 6.0])[: F.shape[1]]
    assert hypervolume(F, reference) == pytest.approx(brute_hypervolume(F, reference))


@given(points(min_rows=1), st.randoms(use_true_random=False))
def test_hypervolume_ignores_order_and_grows_with_points(F, random):
    reference = np.full(F.shape[1], 7.0)
    shuffled = list(F)
    random.shuffle(shuffled)
    assert hypervolume(np.array(shuffled), reference) == pytest.approx(hypervolume(F, reference))
    assert hypervolume(F[:-1], reference) <= hypervolume(F, reference) + 1e-9


@given(points(min_rows=1))
def test_curve_is_the_hypervolume_of_every_beginning(F):
    reference = np.full(F.shape[1], 5.0)
    expected = [hypervolume(F[: i + 1], reference) for i in range(len(F))]
    assert hypervolume_curve(F, reference).tolist() == pytest.approx(expected)


@given(points(min_rows=1), st.data())
@settings(max_examples=60)
def test_ratio_is_bounded_by_the_true_front(F, data):
    true_front = F[non_dominated(F)]
    chosen = data.draw(arrays(bool, len(F)))
    ratio = hypervolume_ratio(F[chosen], true_front)
    assert 0 <= ratio <= 1 + 1e-9
    assert hypervolume_ratio(F, true_front) == pytest.approx(1)


def test_reference_point_is_a_tenth_of_the_range_beyond_the_nadir():
    front = np.array([[10.0, 1.0], [0.0, 3.0], [np.nan, 99.0], [11.0, 50.0]])
    assert reference_point(front).tolist() == pytest.approx([11.0, 3.2])


@pytest.mark.parametrize(
    ("front", "expected"), [([[5.0, 2.0]], [5.5, 2.2]), ([[0.0]], [1.0]), ([[-4.0]], [-3.6])]
)
def test_reference_point_of_a_single_point_lies_beyond_it(front, expected):
    assert reference_point(np.array(front)).tolist() == pytest.approx(expected)


def test_reference_point_needs_a_point():
    with pytest.raises(ValueError, match="at least one point"):
        reference_point(np.array([[np.nan, 1.0]]))


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"shape \(N, m\)"):
        non_dominated(np.zeros(3))
    with pytest.raises(ValueError, match=r"reference must have shape \(2,\)"):
        hypervolume(np.zeros((3, 2)), np.ones(3))


def test_best_so_far_and_regret_skip_nan():
    values = np.array([np.nan, 5, 7, np.nan, 3])
    np.testing.assert_equal(best_so_far(values), [np.nan, 5, 5, 5, 3])
    assert regret(values, 2.5) == 0.5
    assert np.isnan(regret(np.array([np.nan]), 2.5))
