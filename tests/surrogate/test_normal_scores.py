import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktnas.surrogate.normal_scores import normal_scores, scores_among

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30).map(np.array)


@pytest.mark.parametrize("score", [normal_scores, lambda values: scores_among(values, np.sort(values))])
def test_a_large_sample_is_standard_normal(score):
    values = np.random.default_rng(0).exponential(size=2000)
    scores = score(values)
    assert abs(scores.mean()) < 0.01
    assert abs(scores.std() - 1) < 0.02


@given(numbers, numbers)
def test_scores_rise_with_values_and_are_finite(values, among):
    scores = scores_among(np.sort(values), np.sort(among))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= 0).all()


def test_equal_values_have_equal_scores():
    assert scores_among(np.array([2.0, 2.0]), np.array([1.0, 2.0, 2.0, 3.0])).tolist() == [0.0, 0.0]
