"""Whole searches: what holds for every algorithm, and what each setting does."""

import numpy as np
import pandas as pd
import pytest

import ktnas
from ktnas.engine.run import prepare
from ktnas.errors import UserError
from ktnas.presets import compose, group_options
from ktnas.record.front import non_dominated
from tests.engine.scene import SPACE, write_tables

CLOCK = ["seconds", "host", "answered"]
ALGORITHMS = {
    name: {"encoding": "onehot"} if name.startswith("ktnas_paper") else {}
    for name in group_options("algorithm")
}


def rows(result):
    """Everything that does not depend on the clock."""
    return result.evaluations.drop(columns=CLOCK)


def check(result, **budgets):
    """Every task has spent its budget, and nothing was evaluated twice on it."""
    evaluations = result.evaluations
    assert evaluations.groupby("task").size().to_dict() == budgets
    assert not evaluations.duplicated(["task", "key"]).any()
    assert evaluations["order"].tolist() == list(range(len(evaluations)))
    for task, budget in budgets.items():
        assert result.summary["tasks"][task]["evaluations"] == budget
    return result


@pytest.mark.parametrize("algorithm", ALGORITHMS)
class TestEveryAlgorithm:
    def test_from_a_source_to_a_target(self, algorithm, tmp_path):
        result = ktnas.search(
            write_tables(tmp_path, 400),
            source="a",
            target="b",
            device="phone",
            algorithm=algorithm,
            budget=23,
            source_budget=17,
            overrides=ALGORITHMS[algorithm],
        )
        check(result, a=17, b=23)
        assert result.evaluations["role"].tolist() == ["source"] * 17 + ["target"] * 23
        front = result.front("b")
        assert non_dominated(front[["error", "latency_ms_phone"]].to_numpy()).all()
        assert (front["error"] == 100 - front["score"]).all()

    def test_several_targets_at_once(self, algorithm, tmp_path):
        result = ktnas.search(
            write_tables(tmp_path, 400),
            target=["a", "b", "c"],
            objectives="error",
            algorithm=algorithm,
            budget=26,
            overrides=ALGORITHMS[algorithm],
        )
        check(result, a=26, b=26, c=26)
        assert set(result.evaluations["role"]) == {"target"}
        for task in "abc":
            own = result.evaluations.query("task == @task")
            assert own["generation"].is_monotonic_increasing
            assert own["generation"].iloc[0] == 0
            assert len(result.front(task)) == 1
            assert result.front(task)["error"][0] == own["error"].min()

    def test_same_seed_same_rows(self, algorithm, tmp_path):
        config = write_tables(tmp_path, 60)

        def search(seed):
            return rows(
                ktnas.search(
                    config,
                    source="a",
                    target="b",
                    device="phone",
                    algorithm=algorithm,
                    budget=18,
                    source_budget=14,
                    seed=seed,
                    overrides=ALGORITHMS[algorithm],
                )
            )

        pd.testing.assert_frame_equal(search(1), search(1))
        assert search(1)["architecture"].tolist() != search(2)["architecture"].tolist()

    def test_all_of_a_sparse_table(self, algorithm, tmp_path):
        result = ktnas.search(
            write_tables(tmp_path, 22),
            target=["a", "b"],
            objectives="error",
            algorithm=algorithm,
            budget=22,
            overrides=ALGORITHMS[algorithm],
        )
        check(result, a=22, b=22)
        assert result.summary["tasks"]["a"]["fronts"][0]["regret"] == 0


def test_default_search():
    result = ktnas.search(budget=15, source_budget=13)
    check(result, cora=13, citeseer=15)
    front = result.front()
    assert non_dominated(front[["error", "latency_ms_gpu"]].to_numpy()).all()
    assert (front["error"] == 100 - front["valid_accuracy"]).all()
    assert {"test_accuracy", "params"} <= set(front)


def test_published_ktnas_learns_its_embedding(tmp_path, monkeypatch):
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path))
    encoding = {"name": "arch2vec", "epochs": 1, "samples": 100, "dim": 8, "hidden": 8}
    result = ktnas.search(
        write_tables(tmp_path, 400),
        target=["a", "b"],
        objectives="error",
        algorithm="ktnas_paper",
        budget=20,
        overrides={"encoding": encoding},
    )
    check(result, a=20, b=20)


def test_three_image_tasks_at_once(data_dir, monkeypatch):
    monkeypatch.setenv("KTNAS_DATA", str(data_dir))
    tasks = ["cifar10", "cifar100", "ImageNet16-120"]
    result = ktnas.search("nasbench201", source=[], target=tasks, device="pixel3", budget=15)
    check(result, **dict.fromkeys(tasks, 15))
    assert result.front("ImageNet16-120")["test_accuracy"].notna().all()


def test_one_objective_needs_no_device(data_dir, monkeypatch):
    monkeypatch.setenv("KTNAS_DATA", str(data_dir))
    result = ktnas.search("transnas_micro", objectives=["error"], budget=14, source_budget=12)
    check(result, class_object=12, class_scene=14)
    assert not [name for name in result.evaluations.columns if name.startswith("latency")]
    assert result.summary["tasks"]["class_scene"]["fronts"][0]["hypervolume_ratio"] is None


def test_table_that_covers_part_of_its_space():
    result = ktnas.search(target="proteins", budget=25, source_budget=12)
    check(result, cora=12, proteins=25)
    assert set(result.evaluations["status"]) == {"ok"}


def test_several_objectives():
    result = ktnas.search(objectives=["error", "latency", "params"], budget=14, source_budget=12)
    front = result.front()[["error", "latency_ms_gpu", "params"]]
    assert non_dominated(front.to_numpy()).all()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("algorithm", ["ktnas", "nsga2"])
def test_error_need_not_be_an_objective(tmp_path, known, algorithm):
    config = write_tables(tmp_path, 400) | {"latency_known": known}
    result = ktnas.search(
        config, target="a", objectives=["latency"], device="phone", algorithm=algorithm, budget=14
    )
    check(result, a=14)
    assert result.evaluations["error"].notna().all()
    assert result.front()["latency_ms_phone"].tolist() == [result.evaluations["latency_ms_phone"].min()]


@pytest.mark.parametrize("algorithm", ["ktnas", "nsga2", "regularized_evolution"])
@pytest.mark.parametrize("objectives", [["error"], ["error", "latency"]])
def test_front_keeps_a_limit(tmp_path, algorithm, objectives):
    result = ktnas.search(
        write_tables(tmp_path, 400),
        target="a",
        objectives=objectives,
        device="phone",
        algorithm=algorithm,
        budget=25,
        overrides={"limits.latency": 6.0},
    )
    check(result, a=25)
    front = result.front()
    assert len(front)
    assert (front["latency_ms_phone"] <= 6).all()
    within = result.evaluations.query("latency_ms_phone <= 6")
    assert front["error"].min() == within["error"].min()


@pytest.mark.parametrize("algorithm", ["ktnas", "nsga2"])
def test_limit_that_nothing_keeps(tmp_path, algorithm):
    result = ktnas.search(
        write_tables(tmp_path, 40),
        target="a",
        device="phone",
        algorithm=algorithm,
        budget=24,
        overrides={"limits.latency": 1e-6},
        run_dir=tmp_path / "run",
    )
    check(result, a=24)
    assert len(result.front()) == 0
    assert result.summary["tasks"]["a"]["fronts"][0]["best_error"] is None


@pytest.mark.parametrize("known", [True, False])
def test_front_per_device(tmp_path, known):
    result = ktnas.search(
        write_tables(tmp_path, 400) | {"latency_known": known},
        target="a",
        device=["phone", "board"],
        budget=20,
        run_dir=tmp_path / "run",
    )
    check(result, a=20)
    for device in ("phone", "board"):
        front = result.front("a", device)
        columns = ["error", f"latency_ms_{device}"]
        points = result.evaluations[columns].to_numpy()
        assert len(front) == non_dominated(points).sum()
        assert (tmp_path / "run" / f"front_a_{device}.csv").is_file()
    assert result.front("a").equals(result.front("a", "phone"))
    with pytest.raises(UserError, match=r"Unknown device of this search: 'phnoe'. Did you mean phone"):
        result.front("a", "phnoe")


def test_until_an_error_is_reached(tmp_path):
    config = write_tables(tmp_path, 400)
    table = prepare(compose("random", config, {"target": ["a"], "objectives": ["error"]})).targets[0]
    good = float(np.quantile(table.error(table.table()["score"]), 0.1))
    result = ktnas.search(
        config,
        target=["a", "b"],
        objectives="error",
        algorithm="regularized_evolution",
        budget=200,
        overrides={"until": {"a": good}},
    )
    errors = result.evaluations.query("task == 'a'")["error"]
    assert len(errors) < 200
    assert (errors[:-1].iloc[10:] > good).all()
    assert errors.min() <= good
    assert (result.evaluations["task"] == "b").sum() == 200


def test_source_budget_and_sources_first(tmp_path):
    result = ktnas.search(
        write_tables(tmp_path, 400),
        source=["b", "c"],
        target="a",
        objectives="error",
        budget=12,
        source_budget=15,
    )
    check(result, b=15, c=15, a=12)
    assert result.evaluations["role"].tolist() == ["source"] * 30 + ["target"] * 12
    assert list(result.summary["tasks"]) == ["b", "c", "a"]


def test_informed_search_starts_without_random_architectures(tmp_path):
    """A target that a source informs is searched from its first evaluation."""
    config = write_tables(tmp_path, 400)
    table = prepare(compose("random", config, {"target": ["a"], "objectives": ["error"]})).targets[0]
    errors = table.error(table.table()["score"])
    firsts = []
    for seed in range(3):
        result = ktnas.search(
            config, source="b", target="a", objectives="error", budget=1, source_budget=40, seed=seed
        )
        firsts.append(result.evaluations["error"].iloc[-1])
    assert (np.array(firsts) < np.quantile(errors, 0.1)).all()


def test_all_of_a_tiny_space(tmp_path):
    (tmp_path / "tiny.yaml").write_text(
        "name: tiny\nfamily: edge_cell\ndescription: eight cells\npaper: none\nnodes: 3\n"
        "operations: [none, conv]\nzero: none\ntext: '|{edge_0_1}|{edge_0_2}|{edge_1_2}|'\n"
    )
    config = {"name": "function", "functions": {"f": len}, "space": str(tmp_path / "tiny.yaml")}
    for algorithm in ("ktnas", "random", "nsga2"):
        result = ktnas.search(config, target="f", objectives="error", algorithm=algorithm, budget=8)
        check(result, f=8)


def test_batches(tmp_path):
    result = ktnas.search(
        write_tables(tmp_path, 400),
        target="a",
        objectives="error",
        budget=19,
        overrides={"batch": 4, "initial": 10},
    )
    check(result, a=19)
    assert result.evaluations.groupby("generation").size().tolist() == [10, 4, 4, 1]


def test_official_texts_are_what_is_recorded(tmp_path):
    result = ktnas.search(write_tables(tmp_path, 40), target="a", objectives="error", budget=12)
    genotypes = SPACE.parse(result.evaluations["architecture"].tolist())
    keys = [f"{identity:016x}" for identity in SPACE.identities(genotypes).tolist()]
    assert result.evaluations["key"].tolist() == keys
