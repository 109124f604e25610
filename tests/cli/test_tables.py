import io

import pytest
from rich.console import Console

import ktnas
from ktnas.cli.tables import ROWS, print_report, report_console


def printed(width=120, **search):
    console = Console(file=io.StringIO(), width=width)
    print_report(ktnas.search(algorithm="random", source=[], **search), console)
    return console.file.getvalue()


def test_report_says_what_was_found_and_how_good_it_is():
    report = printed(budget=20, target="cora")

    assert "Pareto set of cora on gpu" in report
    assert "target cora on gpu: 20 evaluations; best error" in report
    assert "regret" in report
    assert "of the true front's" in report
    assert "Files in" not in report


def test_report_of_one_objective_is_one_architecture():
    report = printed(budget=20, target="cora", objectives="error")

    assert "Best architecture of cora\n" in report
    assert report.count("Arch(") == 1


def test_report_when_nothing_keeps_to_the_limits():
    report = printed(budget=5, target="cora", overrides={"limits.latency": 1e-6})

    assert "nothing succeeded within the limits" in report
    assert "Pareto set" not in report


def test_report_names_every_device_and_a_metric_that_is_a_devices(data_dir):
    report = printed(
        benchmark="nasbench201", budget=50, target=["cifar10", "cifar100"], device=["pixel3", "eyeriss"]
    )

    for task in ("cifar10", "cifar100"):
        for device in ("pixel3", "eyeriss"):
            assert f"Pareto set of {task} on {device}\n" in report


def test_long_front_is_cut_short(data_dir):
    report = printed(benchmark="nasbench201", budget=3000, target="cifar10", device="pixel3")

    rows = [line for line in report.splitlines() if line.startswith("│ |")]
    assert len(rows) >= ROWS
    assert "more in the files of the run" in report


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_table_keeps_to_the_width_and_loses_no_text(width):
    report = printed(width, budget=10, target="cora")

    table = [line for line in report.splitlines() if line.startswith(("┃", "│", "┏"))]
    assert max(map(len, table)) <= width
    assert "".join(report.split()).count("Arch(") >= 1


def test_report_is_wide_where_there_is_no_terminal():
    assert report_console().width == 120


def test_score_of_ones_own_is_shown_with_its_name(tmp_path):
    scores = tmp_path / "scores.csv"
    scores.write_text("arch,mine\n64-41414-1_02_333,3\n64-41414-1_02_332,5\n64-41414-0_00_000,nan\n")
    report = printed(
        benchmark={"name": "table", "scores": str(scores), "space": "transnas_micro"},
        target="mine",
        objectives="error",
        budget=2,
    )

    assert "score" in report
    assert "64-41414-1_02_332" in report
    assert "5.000" in report
