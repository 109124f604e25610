"""``ktnas.search``: the few lines of Python that do what the command does."""

import json
from pathlib import Path

import pandas as pd
import pytest

import ktnas
from ktnas.errors import UserError
from tests.engine.scene import write_tables

FILES = ["config.yaml", "evaluations.csv", "front_a.csv", "front_a.json", "front_a.png", "ledger.sqlite"]


class Watcher:
    """Progress that keeps what it is told."""

    def __init__(self):
        self.events, self.budgets, self.finished = [], None, 0

    def start(self, budgets):
        self.budgets = dict(budgets)

    def update(self, event):
        self.events.append(event)

    def finish(self):
        self.finished += 1


@pytest.fixture
def config(tmp_path):
    (tmp_path / "tables").mkdir()
    return write_tables(tmp_path / "tables")


def test_in_memory_by_default(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = ktnas.search(config, target="a", device="phone", budget=14)
    assert [path.name for path in tmp_path.iterdir()] == ["tables"]
    assert result.run_dir is None
    assert len(result.evaluations) == 14
    assert list(result.front().columns[:4]) == ["order", "architecture", "error", "latency_ms_phone"]
    json.dumps(result.summary)


def test_run_directory(config, tmp_path):
    result = ktnas.search(config, target="a", device="phone", budget=12, run_dir=str(tmp_path / "run"))
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {*FILES, "summary.json"}
    written = pd.read_csv(tmp_path / "run" / "evaluations.csv", keep_default_na=False)
    assert written.astype(str).equals(result.evaluations.astype(str))
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["tasks"] == result.summary["tasks"]
    assert pd.read_csv(tmp_path / "run" / "front_a.csv")["key"].tolist() == result.front()["key"].tolist()


def test_one_name_or_several_is_the_same_search(config, tmp_path):
    given = {"algorithm": "random", "budget": 5, "run_dir": tmp_path / "run"}
    one = ktnas.search(config, target="a", objectives="error", device="phone", **given)
    several = ktnas.search(config, target=("a",), objectives=["error"], device=["phone"], **given)
    pd.testing.assert_frame_equal(one.evaluations, several.evaluations)


def test_default_is_the_default_search():
    result = ktnas.search(algorithm="emtnas", budget=5, source_budget=4)
    assert result.summary["config"]["benchmark"]["name"] == "nasbench_graph"
    assert result.evaluations["task"].tolist() == ["cora"] * 4 + ["citeseer"] * 5
    assert {"valid_accuracy", "test_accuracy", "latency_ms_gpu", "params"} <= set(result.evaluations)


def test_an_algorithm_that_learns_from_no_other_task_has_no_source_by_default():
    result = ktnas.search(algorithm="random", budget=5)
    assert result.evaluations["task"].tolist() == ["citeseer"] * 5


def test_front_of_a_task(config):
    result = ktnas.search(
        config, source="b", target=["a", "c"], objectives="error", budget=11, source_budget=11
    )
    assert result.front().equals(result.front("a"))
    assert not result.front("c").equals(result.front("a"))
    assert len(result.front("b")) == 1
    with pytest.raises(UserError, match=r"Unknown task of this search: 'd'. .*Valid: a, b, c"):
        result.front("d")
    with pytest.raises(UserError, match=r"Unknown device of this search: 'phone'. Valid: none"):
        result.front("a", "phone")


def test_progress_is_told_everything(config):
    watcher = Watcher()
    ktnas.search(
        config, source="b", target="a", device="phone", budget=12, source_budget=11, progress=watcher
    )
    assert watcher.budgets == {"b": 11, "a": 12}
    assert watcher.finished == 1
    for task, role, budget in (("b", "source", 11), ("a", "target", 12)):
        events = [event for event in watcher.events if event.task == task]
        assert {event.role for event in events} == {role}
        done = [event.done for event in events]
        assert done == sorted(done)
        assert done[-1] == budget
        assert [event.best_error for event in events] == sorted(
            [event.best_error for event in events], reverse=True
        )
        volumes = [event.hypervolume for event in events]
        assert volumes == sorted(volumes)
        assert 0 < volumes[-1] <= 1


def test_progress_is_finished_when_the_search_breaks(config):
    class Broken(Watcher):
        def update(self, event):
            raise KeyboardInterrupt

    watcher = Broken()
    with pytest.raises(KeyboardInterrupt):
        ktnas.search(config, target="a", objectives="error", budget=12, progress=watcher)
    assert watcher.finished == 1


MISTAKES = {
    "benchmark": (
        {"benchmark": "nasbench2001"},
        "Unknown benchmark 'nasbench2001'. Did you mean nasbench201",
    ),
    "algorithm": ({"algorithm": "ktnsa"}, "Unknown algorithm 'ktnsa'. Did you mean ktnas"),
    "target": (
        {"target": "citeser"},
        "Unknown task of benchmark nasbench_graph: 'citeser'. Did you mean citeseer",
    ),
    "targets": ({"target": ["cora", "pubmd"]}, "'pubmd'. Did you mean pubmed"),
    "no target": ({"target": []}, "target=[]: name a task"),
    "target twice": (
        {"target": ["citeseer", "citeseer"]},
        "target=['citeseer', 'citeseer']: each may stand once",
    ),
    "number for a target": ({"target": 3}, "target=3: expected a name or a list of names"),
    "number among targets": ({"target": ["cora", 3]}, "expected a name or a list of names"),
    "source": (
        {"source": "coar"},
        "source=coar: Unknown task of benchmark nasbench_graph: 'coar'. Did you mean cora",
    ),
    "sources": ({"source": ["coar"]}, "'coar'. Did you mean cora"),
    "source of another space": ({"source": "cifar10"}, "Unknown task of benchmark nasbench_graph: 'cifar10'"),
    "number for a source": ({"source": 3}, "source=3: expected a name or a list of names"),
    "number for objectives": ({"objectives": 3}, "objectives=3: expected names"),
    "budget of 0": ({"budget": 0}, "budget=0: must be 1 or more"),
    "negative budget": ({"budget": -3}, "budget=-3: must be 1 or more"),
    "text for a budget": ({"budget": "many"}, "budget=many: expected a whole number"),
    "fraction for a budget": ({"budget": 2.5}, "budget=2.5: expected a whole number"),
    "no budget": ({"budget": None}, "budget=null: a value is required"),
    "budget beyond the space": (
        {"budget": 26_207, "target": "pubmed"},
        "budget=26207 is more than the 26206 architectures that 'pubmed' has; give budget=26206 or less",
    ),
    "budget beyond the table": (
        {"budget": 2_022, "target": "proteins"},
        "budget=2022 is more than the 2021 architectures that 'proteins' has",
    ),
    "source budget beyond the table": (
        {"source": "proteins", "source_budget": 2_022},
        "source_budget=2022 is more than the 2021 architectures that 'proteins' has",
    ),
    "source budget of 0": ({"source_budget": 0}, "source_budget=0: must be 1 or more"),
    "negative seed": ({"seed": -1}, "seed=-1: must be 0 or more"),
    "workers": ({"workers": 0}, "workers=0: must be 1 or more"),
    "timeout": ({"timeout": 0.0}, "timeout=0.0: must be above 0 seconds"),
    "timeout that is no number": ({"timeout": float("nan")}, "timeout=nan: must be above 0 seconds"),
    "key": ({"overrides": {"bugdet": 3}}, "Unknown key 'bugdet'. Did you mean budget"),
    "nested key": ({"overrides": {"limits.latncy": 3}}, "Did you mean limits.latency"),
    "part": ({"overrides": {"transfer": "rnak"}}, "Unknown transfer 'rnak'. Did you mean rank"),
    "key of a part": ({"overrides": {"transfer.toop": 0.3}}, "'toop'. Did you mean top"),
    "population": ({"overrides": {"population": 0}}, "population=0: must be 1 or more"),
    "batch": ({"overrides": {"batch": 0}}, "batch=0: must be 1 or more"),
    "offspring": ({"overrides": {"variation.offspring": 0}}, "variation.offspring=0: must be 1 or more"),
    "share": ({"overrides": {"variation.mutation": 1.5}}, "variation.mutation=1.5: must lie between 0 and 1"),
    "space": ({"overrides": {"space": "nasbench_grpah"}}, "nasbench_grpah"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_is_named_and_nothing_is_written(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, said = MISTAKES[case]
    with pytest.raises(UserError) as caught:
        ktnas.search(**({"run_dir": tmp_path / "runs" / "run"} | arguments))
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"scores": "missing.csv"}, {}, "There is no file 'missing.csv'"),
        ({"arch": "cell"}, {}, "Unknown column of"),
        ({}, {"target": "d"}, "Unknown task of benchmark table: 'd'"),
        ({}, {"device": "phnoe"}, "Unknown device of benchmark table: 'phnoe'. Did you mean phone"),
        ({"latency": None}, {"device": "phone"}, "Benchmark table has no device 'phone', nor any other"),
        ({"space": None}, {}, "needs a space: space=NAME"),
        ({"space": "nasbench201"}, {}, "line 2"),
        ({"better": {"a": "lowest"}}, {}, "better='lowest' for score of task a"),
        ({"unknown": 3}, {}, "Unknown benchmark key 'unknown'"),
        ({"scores": 3}, {}, "benchmark.scores=3, expected"),
        ({}, {"objectives": ["error", "latncy"]}, "Unknown objective 'latncy'. Did you mean latency"),
        ({}, {"objectives": []}, "objectives=[]: name at least one"),
        ({}, {"source": "a"}, "'a' is both source and target"),
        ({}, {"device": ["phone", "phone"]}, "each may stand once"),
        ({}, {"device": []}, "latency needs a device"),
        ({}, {"objectives": ["error", "flops"]}, "Task 'a' has no flops; its objectives are error, latency"),
        ({}, {"overrides": {"transfer.n": "few"}}, "transfer.n='few'"),
        ({}, {"overrides": {"transfer.n": 0}}, "transfer.n=0: must be at least 1"),
        ({}, {"overrides": {"surrogate": "none"}}, "Unknown surrogate 'none'"),
        ({}, {"overrides": {"limits.latency": -1.0}}, "limits.latency=-1.0: must be a finite number above 0"),
        ({}, {"overrides": {"limits.error": float("nan")}}, "limits.error=nan: must be a finite number"),
        ({}, {"overrides": {"limits.flops": 3.0}}, "Task 'a' has no flops"),
        ({}, {"overrides": {"until": {"d": 20.0}}}, "until.d: the search has no such task, only a"),
    ],
)
def test_mistake_about_a_table_is_named(config, tmp_path, changes, arguments, said):
    given = {"target": "a", "device": "phone", "budget": 5, "run_dir": tmp_path / "run"} | arguments
    with pytest.raises(UserError) as caught:
        ktnas.search(config | changes, **given)
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_function_that_cannot_be_found(tmp_path):
    config = {"name": "function", "functions": {"f": "nowhere:score"}, "space": "transnas_micro"}
    with pytest.raises(UserError, match="'nowhere:score' cannot be imported"):
        ktnas.search(config, target="f", objectives="error", budget=5, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_run_directory_that_is_a_file(config, tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(UserError, match="run"):
        ktnas.search(config, target="a", objectives="error", budget=5, run_dir=tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_run_directory_may_be_a_path_or_a_text(config, tmp_path):
    for run_dir in (tmp_path / "first", str(tmp_path / "second")):
        result = ktnas.search(
            config, target="a", objectives="error", algorithm="random", budget=3, run_dir=run_dir
        )
        assert result.run_dir == Path(run_dir)
        assert (Path(run_dir) / "summary.json").is_file()
