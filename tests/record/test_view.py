import math

import numpy as np
import pytest

from ktnas.record.view import FrontView


@pytest.fixture
def evaluations(evaluation):
    values = [(9, 2), (7, 5), (math.nan, 1), (8, 9), (6, 12), (5, 20), (1, 1)]
    rows = [evaluation(i, metrics={"error": e, "latency_ms_gpu": t}) for i, (e, t) in enumerate(values)]
    rows[-1] = evaluation(6, status="failed", metrics={"error": 1.0, "latency_ms_gpu": 1.0})
    return [*rows[::-1], evaluation(7, "cora")]


def test_front_without_limits(description, evaluations):
    view = FrontView.of(description().fronts()[0], evaluations)
    assert [e.order for e in view.evaluations] == list(range(7))
    assert np.flatnonzero(view.front).tolist() == [0, 1, 4, 5]
    assert view.failed == 1
    assert view.best.order == 5
    assert math.isnan(view.regret)
    assert math.isnan(view.hypervolume_ratio)
    assert view.reference.tolist() == pytest.approx([9.4, 21.8])
    assert view.hypervolume > 0


def test_limits_keep_the_infeasible_off_the_front(description, evaluations):
    run = description(limits={"latency_ms_gpu": 10.0})
    view = FrontView.of(run.fronts()[0], evaluations)
    assert np.flatnonzero(view.front).tolist() == [0, 1]
    assert view.best.order == 1
    run = description(limits={"flops": 10.0})
    assert not FrontView.of(run.fronts()[0], evaluations).feasible.any()


def test_true_front_gives_regret_and_ratio(description, evaluations):
    truth = np.array([[4.5, 20.0], [5.5, 12.0], [7.0, 5.0], [9.0, 1.0]])
    view = FrontView.of(description(true_fronts={("citeseer", "gpu"): truth}).fronts()[0], evaluations)
    assert view.regret == 0.5
    assert 0 < view.hypervolume_ratio < 1
    assert view.reference.tolist() == pytest.approx([9.45, 21.9])


def test_nothing_succeeded(description, evaluation):
    view = FrontView.of(description().fronts()[0], [evaluation(0, status="timeout", metrics={})])
    assert view.best is None
    assert view.reference is None
    assert math.isnan(view.hypervolume)
    assert not view.front.any()
    assert FrontView.of(description().fronts()[0], []).best is None
