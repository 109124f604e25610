from dataclasses import replace

import pandas as pd
import pytest

from experiments.nasbench201_optimum import METHODS, STOPS, TASKS, count, main, optima, search_config, table

SMALL = ["--seeds", "2", "--cap", "12", "--methods", "random,emtnas", "--metric", "test_accuracy"]

pytestmark = pytest.mark.usefixtures("data_dir")


def test_optima_are_those_of_the_tables():
    assert [round(100 - error, 3) for error in optima("test_accuracy").values()] == [94.373, 73.513, 47.311]
    assert [round(100 - error, 3) for error in optima("valid_accuracy").values()] == [91.57, 73.26, 47.333]


@pytest.mark.parametrize("method", METHODS)
def test_searches_share_tasks_and_goals(method):
    config = search_config(method, "valid_accuracy", 100)

    assert (config.target, config.source, config.objectives) == (list(TASKS), [], ["error"])
    assert set(config.until) == set(TASKS)
    assert config.budget == 100


def test_whole_space_holds_every_optimum():
    found = count(replace(search_config("random", "valid_accuracy", 15_625), seed=3))

    assert found["found"] == 3
    assert found["total"] == sum(found[task] for task in TASKS)
    assert all(1 <= found[task] <= 15_625 for task in TASKS)


def test_missed_optimum_counts_with_all_evaluations():
    counted = count(search_config("random", "valid_accuracy", 2))

    assert [counted[task] for task in TASKS] == [2, 2, 2]
    assert (counted["total"], counted["found"], counted["shared"]) == (6, 0, 0)
    assert all(counted[f"{task} gap 2"] > 0 for task in TASKS)


def test_gap_falls_to_zero_where_the_optimum_is_found():
    found = count(replace(search_config("no_transfer", "test_accuracy", 1000), seed=1))

    for task in TASKS:
        gaps = [found[f"{task} gap {stop}"] for stop in STOPS]
        assert gaps == sorted(gaps, reverse=True)
        assert [gap == 0 for gap in gaps] == [found[task] <= stop for stop in STOPS]


def test_shared_architectures_are_those_a_second_task_asks():
    found = count(replace(search_config("random", "valid_accuracy", 15_625), seed=3))
    moved = count(replace(search_config("emtnas", "valid_accuracy", 60), seed=3))
    alone = count(replace(search_config("no_transfer", "valid_accuracy", 60), seed=3))

    assert found["shared"] > 0
    assert found["shared rank"] == pytest.approx(15_625 / 2, rel=0.1)
    assert moved["shared"] > alone["shared"]
    assert moved["shared rank"] < found["shared rank"] / 2


def test_runs_and_resumes(tmp_path, capsys):
    main([*SMALL, "--out", str(tmp_path)])
    first = (tmp_path / "nasbench201_optimum.csv").read_bytes()
    page = (tmp_path / "nasbench201_optimum.md").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count("\n") == 4

    main([*SMALL, "--out", str(tmp_path)])

    assert capsys.readouterr().err == ""
    assert (tmp_path / "nasbench201_optimum.csv").read_bytes() == first
    assert (tmp_path / "nasbench201_optimum.md").read_text(encoding="utf-8") == page
    for words in (
        "## test_accuracy",
        "| emtnas |",
        "KTNAS, published | 100.7 | 27.9 | 60 | 188.5",
        "--cap 12",
        "their rank on the second task",
        "![Gap to the optimum over evaluations](nasbench201_optimum_test_accuracy.png)",
    ):
        assert words in page
    assert "valid_accuracy" not in page
    picture = (tmp_path / "nasbench201_optimum_test_accuracy.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_table():
    rows = pd.DataFrame(
        {"setting": "valid_accuracy", "method": "a", "seed": [0, 1], **dict.fromkeys(TASKS, 1)}
        | {"total": [10, 20], "found": [3, 1]}
    )

    assert "| a | 1.0 ± 0.0 | 1.0 ± 0.0 | 1.0 ± 0.0 | 15.0 ± 5.0 | 15 | 20 | 2 | 2 | – |\n" in table(
        rows
    ).splitlines(keepends=True)
