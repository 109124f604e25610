import math

import matplotlib.image
import numpy as np
import pytest

from ktnas.record.description import Objective
from ktnas.record.plot import Window, front_figure, front_png
from ktnas.record.view import FrontView


def view(run, rows):
    return FrontView.of(run.fronts()[0], rows)


def test_picture_is_900_pixels_wide(description, search, tmp_path):
    (tmp_path / "front.png").write_bytes(front_png(view(description(), search(0, 1.0))))
    assert matplotlib.image.imread(tmp_path / "front.png").shape[1] == 900


def test_title_tells_ratio_failures_and_what_is_out_of_sight(description, search, evaluation):
    rows = search(0, 0.2)
    truth = np.array([[e.metrics["error"], e.metrics["latency_ms_gpu"]] for e in rows])
    rows.append(evaluation(30, status="failed", metrics={}))
    rows.append(evaluation(31, metrics={"error": 5000.0, "latency_ms_gpu": 5.0}))
    figure = front_figure(view(description(true_fronts={("citeseer", "gpu"): truth}), rows))
    title = figure.get_suptitle()
    assert title.startswith("citeseer on gpu: hypervolume ratio 1.000, 32 evaluations, 1 failed, ")
    assert title.endswith("beyond the axes")
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("latency (ms)", "error (%)")
    assert ax.get_ylim()[1] < 100
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["true front", "front found"]


def test_limit_in_sight_is_drawn(description, search):
    rows = search(0, 1.0)
    figure = front_figure(view(description(limits={"latency_ms_gpu": 5.0, "error": 22.0}), rows))
    assert "limit" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    figure = front_figure(view(description(limits={"latency_ms_gpu": 5000.0}), rows))
    assert "limit" not in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_one_objective_is_the_best_so_far(description, search):
    run = description(
        objectives=(Objective("error", "error", unit="%"),),
        true_fronts={("citeseer", None): np.array([[20.0]])},
    )
    figure = front_figure(view(run, search(0, 1.0)))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["evaluated", "best so far", "optimum"]
    assert "regret" in figure.get_suptitle()


def test_three_objectives_are_two_panels(description, evaluation):
    run = description(
        objectives=(
            Objective("error", "error"),
            Objective("latency", "latency_ms_gpu", "gpu"),
            Objective("params", "params"),
        )
    )
    figure = front_figure(view(run, [evaluation(i) for i in range(5)]))
    assert [ax.get_xlabel() for ax in figure.axes[:2]] == ["latency", "params"]


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize(
    "metrics",
    [
        [],
        [{}],
        [{"error": math.nan, "latency_ms_gpu": 1.0}],
        [{"error": 5.0, "latency_ms_gpu": 1.0}],
        [{"error": 0.0, "latency_ms_gpu": 0.0}] * 3,
        [{"error": -5.0, "latency_ms_gpu": 1.0}, {"error": math.inf, "latency_ms_gpu": 1e6}],
    ],
)
def test_whatever_came_back_can_be_drawn(description, evaluation, metrics, several):
    run = description() if several else description(objectives=(Objective("error", "error"),))
    assert front_png(view(run, [evaluation(i, metrics=m) for i, m in enumerate(metrics)]))


def test_latency_over_more_than_a_decade_is_logarithmic():
    assert Window.across(np.array([1.0, 50.0]), np.array([1.0])).log
    assert not Window.across(np.array([6.0, 50.0]), np.array([6.0])).log
    assert not Window.across(np.array([0.0, 50.0]), np.array([0.0])).log


def test_outliers_do_not_squash_the_front():
    values = np.concatenate([np.linspace(5, 9, 40), [90.0, 95.0]])
    window = Window.upwards(values, np.array([5.0, 6.0, 7.0, 90.0]))
    assert window.low < 5
    assert 7 < window.high < 60
    assert window.holds(np.array([5.0, 7.0, np.nan, 95.0])).tolist() == [True, True, False, False]
