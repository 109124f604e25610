import math

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.record.compare import compare
from ktnas.record.description import Objective
from ktnas.record.front import hypervolume, non_dominated, reference_point
from ktnas.record.view import FrontView

QUALITY = {"ktnas": 0.3, "random": 3.0}


@pytest.fixture
def sweep(tmp_path, write_run, description, search):
    def swept(seeds=8, count=30, **changes):
        for algorithm, quality in QUALITY.items():
            for seed in range(seeds):
                config = {"benchmark": {"name": "nasbench_graph"}, "algorithm": algorithm, "seed": seed}
                run = description(config=config, **changes)
                write_run(tmp_path / f"{algorithm}-{seed}", search(seed + 100, quality, count), run)
        return tmp_path

    return swept


def test_groups_means_and_tests(sweep, search):
    comparison = compare([sweep()])
    assert comparison.warnings == []
    table = comparison.table.set_index("group")
    assert table.index.tolist() == ["ktnas", "random"]
    assert table["runs"].tolist() == [8, 8]
    finals = [min(e.metrics["error"] for e in search(seed + 100, 0.3)) for seed in range(8)]
    assert table.loc["ktnas", "error"] == pytest.approx(np.mean(finals))
    assert table.loc["ktnas", "error_se"] == pytest.approx(np.std(finals, ddof=1) / math.sqrt(8))
    assert table["hypervolume_ratio"].isna().all()
    assert table.loc["ktnas", "hypervolume"] > table.loc["random", "hypervolume"]
    tests = comparison.tests.set_index("measure")
    assert tests.index.tolist() == ["error", "hypervolume"]
    assert tests["n"].tolist() == [8, 8]
    assert tests.loc["error", "difference"] < 0
    assert (tests["p_holm"] < 0.05).all()


def test_evaluations_to_each_level(tmp_path, write_run, description, evaluation):
    """Groups of three runs: slow ends at 4, 4 and 7, fast at 3 each, after 1, 2 and 3 evaluations."""
    curves = {"slow": [[9, 9, 4], [9, 9, 4], [9, 9, 7]], "fast": [[3, 9, 9], [9, 3, 9], [9, 9, 3]]}
    for algorithm, runs in curves.items():
        for seed, errors in enumerate(runs):
            rows = [evaluation(i, metrics={"error": float(error)}) for i, error in enumerate(errors)]
            config = {"algorithm": algorithm, "seed": seed}
            run = description(config=config, objectives=(Objective("error", "error"),))
            write_run(tmp_path / f"{algorithm}{seed}", rows, run)
    comparison = compare([tmp_path], lambda run, task: np.array([2.0, 3.0, 4.0, 7.0, 9.0]))
    reached = comparison.reached.set_index(["group", "level"])[["value", "reached", "evaluations"]]
    expected = {
        ("fast", "fast"): (3.0, 3, 2.0),
        ("fast", "slow"): (5.0, 3, 2.0),
        ("fast", "optimum"): (2.0, 0, math.nan),
        ("slow", "fast"): (3.0, 0, math.nan),
        ("slow", "slow"): (5.0, 2, 3.0),
        ("slow", "optimum"): (2.0, 0, math.nan),
    }
    for place, row in expected.items():
        np.testing.assert_equal(tuple(reached.loc[place]), row)
    table = comparison.table.set_index("group")
    assert table["rank"].to_dict() == {"fast": 2.0, "slow": pytest.approx(10 / 3)}
    assert table["regret"].to_dict() == {"fast": 1.0, "slow": 3.0}
    assert comparison.wins["error"].loc["fast", "slow"] == 1.0
    slow = comparison.convergence.query("group == 'slow'")
    assert slow["mean"].tolist() == [9.0, 9.0, 5.0]
    assert slow["se"].tolist() == [0.0, 0.0, pytest.approx(1.0)]


def test_wins_add_up_over_tasks(tmp_path, write_run, description, evaluation):
    """One task each is won, and in hypervolume more is better."""
    run = {"tasks": {"x": "target", "y": "target"}}
    for algorithm, errors in {"a": (1.0, 2.0), "b": (2.0, 1.0), "c": (2.0, 2.0)}.items():
        rows = [
            evaluation(i, task, metrics={"error": error, "latency_ms_gpu": 1.0})
            for i, (task, error) in enumerate(zip("xy", errors, strict=True))
        ]
        write_run(tmp_path / algorithm, rows, description(config={"algorithm": algorithm, "seed": 0}, **run))
    wins = compare([tmp_path]).wins
    assert list(wins) == ["error", "hypervolume"]
    for matrix in wins.values():
        assert matrix.loc["a"].tolist()[1:] == [0.5, 0.75]
        assert matrix.loc["c"].tolist()[:2] == [0.25, 0.25]
        assert np.isnan(np.diag(matrix)).all()


def test_hypervolume_has_one_reference_for_all_runs(sweep, description):
    (contest,) = compare([sweep(seeds=2)]).contests
    union = np.concatenate([m.view.points for members in contest.groups.values() for m in members])
    np.testing.assert_allclose(contest.reference, reference_point(union[non_dominated(union)]))
    member = contest.groups["random"][0]
    curve = contest.run_curve("hypervolume", member)
    assert curve[-1] == pytest.approx(hypervolume(member.view.points, contest.reference))
    assert (np.diff(curve) >= 0).all()


def test_true_front_gives_ratios(sweep, search, description):
    rows = [e for seed in range(100, 103) for e in search(seed, 0.3)]
    truth = FrontView(description().fronts()[0], rows).points
    truth = truth[non_dominated(truth)]
    comparison = compare([sweep(seeds=3, true_fronts={("citeseer", "gpu"): truth})])
    table = comparison.table
    assert table["hypervolume"].isna().all()
    assert ((table["hypervolume_ratio"] > 0) & (table["hypervolume_ratio"] <= 1)).all()
    assert comparison.tests["note"].tolist() == ["no test: 3 common seeds, 6 needed"] * 2


def test_unfinished_runs_count_as_far_as_they_came(sweep, write_run, description, search):
    parent = sweep(seeds=2)
    config = {"benchmark": {"name": "nasbench_graph"}, "algorithm": "ktnas", "seed": 2}
    killed = write_run(parent / "killed", search(7, 0.3, 5), description(config=config), finished=False)
    comparison = compare([parent])
    assert comparison.warnings == [f"{killed} is not finished: it counts with its 5 evaluations"]
    row = comparison.table.set_index("group").loc["ktnas"]
    assert (row["runs"], row["unfinished"], row["evaluations"]) == (3, 1, pytest.approx(65 / 3))
    (contest,) = comparison.contests
    curve = contest.curve("error", "ktnas")
    finished = [m.view.errors.min() for m in contest.groups["ktnas"] if m.run.finished]
    assert len(curve.mean) == 30
    assert curve.mean[-1] == pytest.approx(np.mean(finished))


def test_a_finished_run_that_stopped_early_keeps_its_last_value(tmp_path, write_run, description, search):
    for seed, count in enumerate((10, 20)):
        write_run(tmp_path / str(seed), search(seed, 1.0, count), description(config={"seed": seed}))
    (contest,) = compare([tmp_path]).contests
    (group,) = contest.groups
    assert len(contest.curve("error", group).mean) == 20
    assert contest.curve("error", group).mean[-1] == pytest.approx(contest.final("error", group).mean())


def test_repeated_runs_count_once(sweep, write_run, description, search):
    parent = sweep(seeds=1)
    config = {"benchmark": {"name": "nasbench_graph"}, "algorithm": "ktnas", "seed": 0}
    write_run(parent / "zz-again", search(1, 1.0), description(config=config | {"workers": 4}))
    comparison = compare([parent])
    assert "zz-again repeats" in comparison.warnings[0]
    assert comparison.table["runs"].tolist() == [1, 1]


def test_different_problems_stand_apart(tmp_path, write_run, description, search):
    graph = {"benchmark": {"name": "nasbench_graph"}, "seed": 0}
    write_run(tmp_path / "1", search(0, 1.0), description(config=graph))
    write_run(tmp_path / "2", search(0, 1.0), description(config=graph | {"limits": {"latency": 5.0}}))
    write_run(
        tmp_path / "3", search(0, 1.0), description(config=graph, objectives=(Objective("error", "error"),))
    )
    comparison = compare([tmp_path])
    assert comparison.table["problem"].tolist() == [
        "nasbench_graph (error, latency) #1",
        "nasbench_graph (error, latency) #2",
        "nasbench_graph (error)",
    ]
    assert comparison.tests.empty
    assert [contest.measures for contest in comparison.contests][2] == ["error"]


def test_each_target_task_and_device_is_a_contest(tmp_path, write_run, description, evaluation):
    run = description(("a", "b"), tasks={"cora": "source", "x": "target", "y": "target"})
    metrics = {"error": 1.0, "latency_ms_a": 2.0, "latency_ms_b": 3.0}
    rows = [evaluation(i, task, metrics=metrics) for i, task in enumerate(("cora", "x", "y"))]
    write_run(tmp_path, rows, run)
    places = [(c.task, c.device) for c in compare([tmp_path]).contests]
    assert places == [("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")]


def test_plot(sweep, tmp_path, write_run, description, evaluation):
    parent = sweep(seeds=2)
    none = description(config={"algorithm": "empty", "seed": 0, "benchmark": {"name": "nasbench_graph"}})
    write_run(parent / "no rows", [], none, finished=False)
    failed = description(config={"benchmark": "other", "seed": 0})
    write_run(parent / "failed", [evaluation(0, status="failed", metrics={})], failed)
    comparison = compare([parent])
    comparison.plot(tmp_path / "out" / "comparison.png")
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert len(comparison.table) == 4


def test_runs_without_a_target_are_refused(tmp_path, write_run, description, search):
    write_run(tmp_path, search(0, 1.0), description(tasks={"citeseer": "source"}))
    with pytest.raises(UserError, match="none of the runs has a target task"):
        compare([tmp_path])
