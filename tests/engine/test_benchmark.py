from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from ktnas.engine.benchmark import Benchmark, list_benchmarks, load_benchmark
from ktnas.engine.benchmark_config import BenchmarkConfig, benchmark_names
from ktnas.errors import UserError
from ktnas.resources import resource_dir
from ktnas.task.loky_pool import LokyPool
from ktnas.train.fidelity import full_name
from ktnas.train.task import TrainingTask

FIRST, SECOND, THIRD = "64-41414-0_00_000", "64-41414-1_11_111", "64-41414-2_22_222"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path))
    (tmp_path / "scores.csv").write_text(f"arch,top1,loss,note\n{FIRST},90,0.5,a\n{SECOND},91,0.4,b\n")
    (tmp_path / "latency.csv").write_text(f"arch,phone,board\n{FIRST},2,20\n{THIRD},4,40\n")
    return tmp_path


def table(**keys: Any) -> Benchmark:
    return load_benchmark({"name": "table", "space": "transnas_micro", "scores": "scores.csv", **keys})


def latencies(benchmark: Benchmark, device: str, task: str = "top1") -> list[float]:
    return benchmark.device(device).latency(benchmark.space.parse([FIRST, SECOND]), task).tolist()


def test_shipped_benchmarks_are_listed_without_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTNAS_DATA", "/nowhere")
    shown = {config.name: config for config in list_benchmarks()}
    assert list(shown) == [
        "function", "medmnist", "nasbench201", "nasbench_graph", "table", "train", "transnas_micro",
    ]  # fmt: skip
    assert all(config.description for config in shown.values())
    assert len(shown["nasbench_graph"].tasks or ()) == 9
    assert len(shown["nasbench201"].devices or ()) == 28


@pytest.mark.parametrize("name", benchmark_names())
def test_shipped_defaults_name_their_tasks_and_devices(name: str) -> None:
    config = OmegaConf.to_container(OmegaConf.load(resource_dir("conf") / "benchmark" / f"{name}.yaml"))
    assert isinstance(config, dict)
    checked = next(shown for shown in list_benchmarks() if shown.name == name)
    assert {*map(full_name, (*checked.source, *checked.target))} <= set(checked.tasks or ())
    assert set(checked.device) <= set(checked.devices or ())
    assert config["name"] == name


def test_columns_of_numbers_are_tasks_and_devices(files: Path) -> None:
    benchmark = table(latency="latency.csv")
    assert benchmark.tasks == ("top1", "loss")
    assert benchmark.devices == ("phone", "board")
    assert benchmark.task("top1").evaluate(benchmark.space.parse([SECOND, THIRD]))[0].metrics == {
        "score": 91.0
    }
    np.testing.assert_array_equal(latencies(benchmark, "board"), [20, np.nan])
    assert benchmark.device("board").known
    assert benchmark.task("top1") is benchmark.task("top1")


def test_direction_and_unit_of_a_column(files: Path) -> None:
    benchmark = table(better={"loss": "lower"}, unit={"top1": "%"})
    assert benchmark.task("top1").error([90.0]).tolist() == [10.0]
    assert benchmark.task("loss").error([0.5]).tolist() == [0.5]
    assert table(better="lower").task("top1").error([90.0]).tolist() == [90.0]


def test_tasks_with_columns_of_their_own(files: Path) -> None:
    (files / "many.csv").write_text(f"cell,a_val,a_test,b_val,b_test\n{FIRST},1,2,3,4\n")
    benchmark = table(
        scores="many.csv",
        arch="cell",
        tasks=["a", "b"],
        metrics={"valid": "{task}_val", "test": "{task}_test"},
        searched="valid",
        reported="test",
    )
    assert [benchmark.task(name).table().to_dict("list") for name in benchmark.tasks] == [
        {"valid": [1.0], "test": [2.0]},
        {"valid": [3.0], "test": [4.0]},
    ]


def test_a_file_per_task_with_its_latency(files: Path) -> None:
    for task, value in (("a", 1), ("b", 2)):
        (files / f"{task}.csv").write_text(f"arch,score,ms\n{FIRST},{value},{10 * value}\n")
    benchmark = table(
        scores="{task}.csv",
        tasks=["a", "b"],
        metrics={"score": "score"},
        devices={"gpu": "ms"},
        latency_known=False,
    )
    assert [benchmark.task(name).table()["score"].tolist() for name in "ab"] == [[1.0], [2.0]]
    assert [latencies(benchmark, "gpu", task)[0] for task in "ab"] == [10, 20]
    assert not benchmark.device("gpu").known


def test_files_are_read_once_and_late(files: Path) -> None:
    benchmark = table()
    (files / "scores.csv").rename(files / "moved.csv")
    with pytest.raises(UserError, match=r"There is no file 'scores.csv'"):
        benchmark.task("top1")
    (files / "moved.csv").rename(files / "scores.csv")
    benchmark.task("top1")
    (files / "scores.csv").unlink()
    benchmark.task("loss")


def test_space_is_replaced(files: Path) -> None:
    with pytest.raises(
        UserError, match=r"scores.csv, line 2: Cannot read '64-41414-0_00_000' as an architecture of nas"
    ):
        load_benchmark({"name": "table", "scores": "scores.csv"}, space="nasbench201").task("top1")


def test_benchmark_of_ones_own_from_a_yaml_file(files: Path) -> None:
    file = files / "mine.yaml"
    file.write_text("name: mine\nspace: transnas_micro\nscores: scores.csv\ntarget: top1\n")
    benchmark = load_benchmark(str(file))
    assert (benchmark.name, benchmark.config.target) == ("mine", ("top1",))
    assert benchmark.task("top1").name == "top1"


def test_functions() -> None:
    benchmark = load_benchmark(
        {
            "name": "function",
            "functions": {"named": "math:nan", "length": lambda text: {"score": len(text), "latency_ms": 2}},
            "better": {"length": "lower"},
        },
        space="transnas_micro",
        pool=LokyPool(2),
        timeout=10.0,
    )
    assert benchmark.tasks == ("named", "length")
    task = benchmark.task("length")
    assert task.evaluate(benchmark.space.parse([FIRST]))[0].metrics == {"score": 17.0, "latency_ms": 2.0}
    assert task.error([3.0]).tolist() == [3.0]
    device = benchmark.device("function")
    assert (device.known, device.metric) == (False, "latency_ms")
    with pytest.raises(UserError, match="'math:nan' is a float, expected a function"):
        benchmark.task("named")


def test_networks_that_are_trained(tmp_path: Path) -> None:
    benchmark = load_benchmark(
        {
            "name": "train",
            "subsets": {"low": [0, 1]},
            "training": {"epochs": 1, "network": {"channels": 2}, "place": "cpu"},
        }
    )
    assert benchmark.tasks == ("classification", "rotation", "jigsaw", "autoencoding", "low")
    low = benchmark.task("low")
    device = benchmark.device("here")
    assert (device.known, device.metric) == (False, "latency_ms")
    benchmark.keep_in(tmp_path)
    assert isinstance(low, TrainingTask)
    metrics = low.trainer(benchmark.space.format(benchmark.space.enumerate()[:1])[0])
    assert metrics.keys() >= {"valid_error", "test_error", "epochs", "params", "flops", "latency_ms"}
    assert {path.suffix for path in (tmp_path / "trained" / "low").iterdir()} == {".json", ".safetensors"}
    assert low.error([3.0]).tolist() == [3.0]


def test_latency_of_trained_networks_may_be_a_table(files: Path) -> None:
    benchmark = load_benchmark(
        {"name": "train", "latency": "latency.csv", "devices": None}, space="transnas_micro"
    )
    benchmark.task("rotation")
    assert benchmark.devices == ("phone", "board")
    assert latencies(benchmark, "phone", "rotation")[0] == 2


def test_a_benchmark_of_ones_own_images() -> None:
    mine = load_benchmark({"name": "mine", "space": "nasbench201", "data": "digits"})
    assert mine.tasks == ("classification", "rotation", "jigsaw", "autoencoding")
    assert mine.task("rotation").searched == "valid_error"
    with pytest.raises(UserError, match=r"Unknown task of benchmark mine: 'jigsaws'. Did you mean jigsaw"):
        mine.task("jigsaws")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("nasbench_grph", "Unknown benchmark 'nasbench_grph'. Did you mean nasbench_graph"),
        ("/nowhere/mine.yaml", "There is no benchmark file '/nowhere/mine.yaml'"),
        ({"name": "table", "score": "x.csv"}, "Unknown benchmark key 'score'. Did you mean scores"),
        ({"name": "table"}, "Benchmark table needs a space: space=NAME"),
        ({"name": "function", "space": "transnas_micro"}, "needs its tasks: benchmark.functions="),
        (
            {"name": "table", "space": "transnas_mikro"},
            "Unknown space 'transnas_mikro'. Did you mean transnas_micro",
        ),
        (
            {"name": "nasbench201", "searched": "test_acc"},
            "Unknown metric of benchmark nasbench201: 'test_acc'",
        ),
        ({"name": "table", "scores": 3}, "benchmark.scores=3, expected a text"),
        ({"name": "table", "tasks": {"a": 1}}, "benchmark.tasks=.*expected a name or a list of names"),
        ({"name": "table", "latency_known": "yes"}, "benchmark.latency_known='yes', expected true or false"),
        ({"name": "table", "better": 1}, "benchmark.better=1, expected names with a text each"),
        (
            {"name": "table", "metrics": {"score": None}},
            "benchmark.metrics=.*expected names with a text each",
        ),
        (
            {"name": "table", "functions": {"a": 3}},
            "benchmark.functions=.*expected task names with a function",
        ),
        ({"name": 3}, "benchmark.name=3, expected a text"),
        ({"name": "train", "data": None}, "Benchmark train needs images: benchmark.data=digits"),
        ({"name": "train", "data": 3}, "benchmark.data=3, expected a text"),
        (
            {"name": "train", "subsets": {"low": 3}},
            "benchmark.subsets=.*task names with the numbers",
        ),
        ({"name": "train", "subsets": {"low": ["a"]}}, "benchmark.subsets=.*as in {low:"),
        ({"name": "train", "training": 3}, "benchmark.training=3, expected keys and values"),
        ({"name": "train", "supernet": 3}, "benchmark.supernet=3, expected keys and values"),
    ],
)
def test_bad_configurations(config: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_benchmark(config)


def test_bad_yaml_file(tmp_path: Path) -> None:
    for content, message in (("a: [", "not a readable YAML file"), ("- a\n", "holds no keys and values")):
        (tmp_path / "bad.yaml").write_text(content)
        with pytest.raises(UserError, match=message):
            load_benchmark(str(tmp_path / "bad.yaml"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"scores": None}, "Benchmark table needs a file of scores: benchmark.scores=FILE"),
        ({"scores": "{task}.csv"}, "has a file per task, so it must name them"),
        ({"format": "cvs"}, "Unknown format of a table 'cvs'"),
        ({"better": {"top": "lower"}}, "Unknown column in benchmark.better: 'top'. Did you mean top1"),
        ({"better": "up"}, "expected higher or lower"),
    ],
)
def test_bad_keys_of_a_table(files: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        table(**keys).task("top1")


def test_unknown_tasks_and_devices(files: Path) -> None:
    with pytest.raises(UserError, match=r"Unknown task of benchmark table: 'top-1'. Did you mean top1"):
        table().task("top-1")
    with pytest.raises(UserError, match=r"has no device 'phone', nor any other. Measure one: ktnas measure"):
        table().device("phone")
    with pytest.raises(UserError, match=r"Unknown device of benchmark table: 'fone'. Did you mean phone"):
        table(latency="latency.csv").device("fone")
    with pytest.raises(UserError, match=r"latency.csv: 'phones'. Did you mean phone"):
        table(latency="latency.csv", devices=["phones"]).device("phones")


def test_nasbench_graph() -> None:
    benchmark = load_benchmark("nasbench_graph")
    cora, proteins = benchmark.task("cora"), benchmark.task("proteins")
    scores = cora.table()
    assert scores is not None
    assert scores.shape == (26_206, 3)
    assert 60 < scores["test_accuracy"].median() < scores["test_accuracy"].max() < 90
    assert scores["params"].median() > 1e5
    universe, few = cora.universe(), proteins.universe()
    assert universe is not None
    assert few is not None
    assert len(few) == 2021
    latency = benchmark.device("gpu").latency(universe, "cora")
    assert 1 < np.median(latency) < 100
    assert not benchmark.device("gpu").known
    assert load_benchmark({"name": "nasbench_graph", "latency_known": True}).device("gpu").known


def test_nasbench201(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTNAS_DATA", str(data_dir))
    benchmark = load_benchmark("nasbench201")
    best = {name: benchmark.task(name).table().max().round(2).tolist() for name in benchmark.tasks}
    assert best == {"cifar10": [91.57, 94.37], "cifar100": [73.26, 73.51], "ImageNet16-120": [47.33, 47.31]}
    universe = benchmark.task("cifar10").universe()
    unknown = {
        name: int(np.isnan(benchmark.device(name).latency(universe, "cifar10")).sum())
        for name in benchmark.devices
    }
    assert {name: count for name, count in unknown.items() if count} == {"latbench_i7_7820x": 341}
    assert (
        load_benchmark({"name": "nasbench201", "searched": "test_accuracy"}).task("cifar10").searched
        == "test_accuracy"
    )


def test_transnas_micro(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTNAS_DATA", str(data_dir))
    benchmark = load_benchmark("transnas_micro")
    tasks = [benchmark.task(name) for name in benchmark.tasks]
    lowest = [round(float(task.error(task.table()["score"]).min()), 2) for task in tasks]
    assert lowest == [54.41, 45.06, 4.63, 0.60]


def test_defaults_are_those_of_the_table_benchmark() -> None:
    assert BenchmarkConfig().metrics == {"score": "{task}"}
