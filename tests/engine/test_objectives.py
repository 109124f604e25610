import numpy as np
import pytest

from ktnas.device.evaluated_device import EvaluatedDevice
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import LimitsConfig
from ktnas.engine.objectives import Objectives
from ktnas.errors import UserError
from ktnas.task.function_task import FunctionTask
from tests.engine.scene import SPACE, write_tables


@pytest.fixture
def benchmark(tmp_path):
    return load_benchmark(write_tables(tmp_path))


def objectives(names, devices=(), **limits):
    return Objectives.of(names, devices, LimitsConfig(**limits))


def test_latency_is_an_objective_per_device(benchmark):
    devices = [benchmark.device("phone"), benchmark.device("board")]
    found = objectives(["error", "latency"], devices, latency=3)
    assert found.names == ("error", "latency_ms_phone", "latency_ms_board")
    assert [objective.unit for objective in found.columns] == ["", "ms", "ms"]
    assert found.limits == {"latency_ms_phone": 3, "latency_ms_board": 3}
    assert found.fronts == [[0, 1], [0, 2]]


def test_limits_of_each_device(benchmark):
    devices = [benchmark.device("phone"), benchmark.device("board")]
    found = objectives(["error", "latency"], devices, latency={"phone": 3, "board": 5}, error=20.0)
    assert found.limits == {"error": 20, "latency_ms_phone": 3, "latency_ms_board": 5}
    limits = found.front_limits(["error", "latency_ms_phone", "latency_ms_board"])
    np.testing.assert_array_equal(limits, [[20, 3, np.inf], [20, np.inf, 5]])


def test_one_front_keeps_the_limits_of_all_devices(benchmark):
    devices = [benchmark.device("phone"), benchmark.device("board")]
    found = objectives(["error"], devices, latency={"board": 5})
    np.testing.assert_array_equal(found.front_limits(["error", "latency_ms_board"]), [[np.inf, 5]])


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"phnoe": 3}, "Unknown device in limits.latency: 'phnoe'. Did you mean phone"),
        ({"phone": 0}, "limits.latency.phone=0: must be a finite number above 0"),
        ("fast", "limits.latency=fast: must be a finite number above 0, or device to number"),
        (True, "limits.latency=True"),
    ],
)
def test_limits_of_devices_that_make_no_sense(benchmark, limit, said):
    with pytest.raises(UserError) as caught:
        objectives(["error", "latency"], [benchmark.device("phone")], latency=limit)
    assert said in str(caught.value)


def test_one_front_without_devices():
    assert objectives(["error", "params"]).fronts == [[0, 1]]


@pytest.mark.parametrize(
    ("names", "limits", "said"),
    [
        ([], {}, "name at least one of error, latency"),
        (["error", "latncy"], {}, "Unknown objective 'latncy'. Did you mean latency"),
        (["error", "error"], {}, "each may stand once"),
        (["error", "latency"], {}, "latency needs a device"),
        (["error"], {"latency": 3}, "latency needs a device"),
        (["error"], {"params": 0}, "limits.params=0: must be a finite number above 0"),
        (["error"], {"params": -1.0}, "limits.params=-1.0: must be a finite number above 0"),
        (["error"], {"error": float("nan")}, "limits.error=nan: must be a finite number"),
        (["error"], {"flops": float("inf")}, "limits.flops=inf: must be a finite number"),
    ],
)
def test_mistakes_are_named(names, limits, said):
    with pytest.raises(UserError) as caught:
        objectives(names, **limits)
    assert said in str(caught.value)


def test_limit_of_a_negative_error():
    assert objectives(["error"], error=-0.5).limits == {"error": -0.5}


@pytest.mark.parametrize(("names", "limits"), [(["error", "params"], {}), (["error"], {"params": 5.0})])
def test_metric_that_the_task_does_not_have(benchmark, names, limits):
    with pytest.raises(UserError, match="Task 'a' has no params; its objectives are error, latency"):
        objectives(names, **limits).check(benchmark.task("a"))


def test_metrics_of_a_table(benchmark):
    task, devices = benchmark.task("a"), [benchmark.device("phone")]
    rows = task.universe()[:3]
    found = objectives(["error", "latency"], devices).metrics(
        task, rows, [outcome.metrics for outcome in task.evaluate(rows)]
    )
    scores = task.look_up(rows, ["score"])[:, 0]
    latency = devices[0].latency(rows, "a")
    assert found == [
        {"error": 100 - scores[i], "latency_ms_phone": latency[i], "score": scores[i]} for i in range(3)
    ]


def test_metrics_of_a_function():
    task = FunctionTask("a", SPACE, "math:sqrt")
    given = {"score": 2.0, "error": 77.0, "ms": 5.0, "latency_ms_own": 9.0, "depth": 3.0}
    found = objectives(["error", "latency"], [EvaluatedDevice("own", "ms")])
    (metrics,) = found.metrics(task, SPACE.architectures()[:1], [given])
    assert metrics == {"error": -2.0, "latency_ms_own": 5.0, "score": 2.0, "depth": 3.0}
    (metrics,) = found.metrics(task, SPACE.architectures()[:1], [{}])
    np.testing.assert_equal(metrics, {"error": np.nan, "latency_ms_own": np.nan})


def test_free_columns_are_consulted(benchmark):
    task, device = benchmark.task("a"), benchmark.device("phone")
    found = objectives(["error", "latency"], [device])
    rows = task.universe()[:5]
    assert found.free(task) == ("latency_ms_phone",)
    latency, uncertainty = found.consult(task, rows, "latency_ms_phone")
    np.testing.assert_array_equal(latency, device.latency(rows, "a"))
    assert not uncertainty.any()


def test_params_are_free_where_the_task_says_so():
    task = load_benchmark("nasbench_graph").task("cora")
    found = objectives(["error", "params"])
    assert found.free(task) == ("params",)
    rows = task.universe()[:5]
    np.testing.assert_array_equal(found.consult(task, rows, "params")[0], task.table()["params"][:5])


def test_measured_latency_is_not_free(tmp_path):
    benchmark = load_benchmark(write_tables(tmp_path) | {"latency_known": False})
    found = objectives(["error", "latency"], [benchmark.device("phone")])
    assert found.free(benchmark.task("a")) == ()
