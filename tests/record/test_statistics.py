import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import sem, wilcoxon

from ktnas.record.statistics import holm, mean_and_error, paired_tests


def test_mean_and_standard_error():
    values = np.array([[1.0, 5.0, np.nan], [2.0, np.nan, np.nan], [4.0, np.nan, np.nan]])
    mean, error = mean_and_error(values)
    np.testing.assert_allclose(mean, [7 / 3, 5, np.nan])
    np.testing.assert_allclose(error, [sem([1, 2, 4]), np.nan, np.nan])
    assert mean_and_error(values[:, 0])[0].shape == ()


def test_holm_against_a_worked_example():
    assert holm([0.01, 0.04, 0.03, math.nan, 0.005])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(holm([0.01, math.nan])[1])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_order_and_only_raises(p):
    corrected = holm(p)
    assert all(c >= q for c, q in zip(corrected, p, strict=True))
    assert all(c <= 1 for c in corrected)
    assert np.all(np.diff(np.array(corrected)[np.argsort(p, kind="stable")]) >= 0)


def test_groups_are_paired_by_seed():
    a = {seed: 1.0 + 0.1 * seed for seed in range(8)}
    b = {seed: 2.0 + 0.2 * seed for seed in range(2, 12)}
    (test,) = paired_tests({"a": a, "b": b})
    expected = [a[seed] - b[seed] for seed in range(2, 8)]
    assert (test.n, test.difference) == (6, pytest.approx(np.mean(expected)))
    assert test.p == test.p_holm == pytest.approx(wilcoxon(expected).pvalue)
    assert test.note == ""
    assert test.lower == 1.0


def test_too_few_pairs_are_not_tested():
    (test,) = paired_tests({"a": dict.fromkeys(range(5), 1.0), "b": dict.fromkeys(range(9), 2.0)})
    assert math.isnan(test.p)
    assert test.note == "no test: 5 common seeds, 6 needed"
    (test,) = paired_tests({"a": {0: 1.0}, "b": {1: 1.0}})
    assert (test.n, math.isnan(test.difference)) == (0, True)


def test_equal_groups_and_missing_values():
    same = dict.fromkeys(range(8), 1.0)
    (test,) = paired_tests({"a": same, "b": same | {7: math.nan}})
    assert (test.n, test.p, test.note) == (7, 1.0, "equal on every seed")
    assert test.lower == 0.5


def test_correction_is_over_all_pairs():
    rng = np.random.default_rng(0)
    groups = {
        name: dict(enumerate(rng.normal(mean, 1, 12))) for name, mean in zip("abc", (0, 1, 5), strict=True)
    }
    tests = paired_tests(groups)
    assert [(t.a, t.b) for t in tests] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [t.p_holm for t in tests] == pytest.approx(holm([t.p for t in tests]))
