import numpy as np
import pytest

from ktnas.surrogate.calibration import Calibration, spread_of


def observations(n: int, slope: float, noise: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n)
    return scores, 7 + slope * scores + noise * rng.normal(size=n)


def test_line_and_its_errors_are_found():
    scores, values = observations(2000, slope=3.0, noise=0.5)

    found = Calibration.of(scores, np.zeros(2000, dtype=np.int64), values, 1)

    assert found.levels[0] == pytest.approx(7, abs=0.1)
    assert found.slopes[0] == pytest.approx(3, rel=0.02)
    assert np.sqrt(found.errors[0]) == pytest.approx(0.5, rel=0.05)
    np.testing.assert_allclose(found.mean(np.array([0.0, 1.0]), 0), [7, 10], atol=0.2)


def test_doubt_widens_the_deviation_and_usual_doubt_is_the_error():
    found = Calibration.of(*_one_task(observations(50, 1.0, 0.3)), 1)

    low, usual, high = found.deviation(np.array([0.0, 1.0, 4.0]), 0)

    assert 0 < low < usual < high
    assert usual == pytest.approx(np.sqrt(found.errors[0]))


def test_scores_that_mean_nothing_keep_their_order():
    scores, values = observations(200, slope=-1.0, noise=0.1)

    found = Calibration.of(scores, np.zeros(200, dtype=np.int64), values, 1)

    assert 0 < found.slopes[0] < 0.1
    assert found.errors[0] > 1


def test_task_of_few_observations_borrows_from_all():
    scores, values = observations(102, slope=2.0, noise=0.1)
    tasks = np.repeat([0, 1], [100, 2])
    values[100:] = [1.0, 1.5]

    found = Calibration.of(scores, tasks, values, 3)

    assert 0 < found.slopes[1] < 2.1
    assert found.slopes[2] == pytest.approx(found.slopes[0], rel=0.1)
    assert found.levels[2] == pytest.approx(values.mean())


def test_equal_values_and_equal_scores():
    for scores in (np.zeros(5), np.arange(5.0)):
        found = Calibration.of(scores, np.zeros(5, dtype=np.int64), np.full(5, 3.0), 1)
        np.testing.assert_array_equal(found.mean(np.array([-1.0, 2.0]), 0), 3)
        assert found.errors[0] > 0
    assert spread_of(np.full(4, 2.0)) == 1


def _one_task(pair):
    scores, values = pair
    return scores, np.zeros(len(scores), dtype=np.int64), values
