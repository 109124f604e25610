import json

import numpy as np

from ktnas.record.description import Objective, RunDescription


def test_json_round_trip(description):
    run = description(
        ("pixel3", "gpu"),
        limits={"latency_ms_gpu": 5.0},
        true_fronts={("citeseer", "gpu"): np.array([[1.0, 2.0]])},
    )
    back = RunDescription.from_json(json.loads(json.dumps(run.to_json())))
    assert back.to_json() == run.to_json()
    assert back.objectives == run.objectives
    np.testing.assert_array_equal(back.true_fronts["citeseer", "gpu"], [[1.0, 2.0]])


def test_one_front_per_task_and_device(description):
    run = description(
        ("pixel3", "my_pixel3"),
        tasks={"cora": "source", "citeseer": "target"},
        limits={"latency_ms_pixel3": 5.0, "latency_ms_my_pixel3": 7.0, "params": 100.0},
    )
    fronts = run.fronts()
    assert [(f.task, f.role, f.device) for f in fronts] == [
        ("cora", "source", "pixel3"),
        ("cora", "source", "my_pixel3"),
        ("citeseer", "target", "pixel3"),
        ("citeseer", "target", "my_pixel3"),
    ]
    assert fronts[0].columns == ("error", "latency_ms_pixel3")
    assert fronts[0].limits == {"latency_ms_pixel3": 5.0, "params": 100.0}
    assert fronts[1].limits == {"latency_ms_my_pixel3": 7.0, "params": 100.0}


def test_without_an_objective_of_a_device_there_is_one_front(description):
    run = description(("a", "b"), objectives=(Objective("error", "error"),), limits={"latency_ms_a": 5.0})
    (front,) = run.fronts()
    assert front.device is None
    assert front.limits == {"latency_ms_a": 5.0}


def test_optimum_is_the_smallest_error_of_the_true_front(description):
    truth = np.array([[8.0, 2.0], [9.0, 1.0]])
    (front,) = description(true_fronts={("citeseer", "gpu"): truth}).fronts()
    assert front.optimum == 8.0
    assert description().fronts()[0].optimum is None


def test_labels_carry_units():
    assert Objective("latency", "latency_ms_x", "x", "ms").label == "latency (ms)"
    assert Objective("error", "error").label == "error"
