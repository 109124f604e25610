import numpy as np
import pandas as pd
import pytest

from experiments.two_objectives import Problem, lead, main, measure, needed, picture, search_config, table

SMALL = ["--seeds", "2", "--budget", "40", "--problems", "nasbench_graph:cora:gpu"]
CORA = Problem("nasbench_graph", "cora", "gpu")


def _rows(**finals):
    """Runs of methods whose hypervolume rises in a line to ``finals``, a seed each."""
    return pd.DataFrame(
        {"setting": CORA.setting, "method": method, "seed": seed}
        | {f"hypervolume_{n}": final * n / 40 for n in range(1, 41)}
        for method, values in finals.items()
        for seed, final in enumerate(values)
    )


def test_runs_and_resumes(tmp_path, capsys):
    arguments = [*SMALL, "--methods", "random,pymoo_nsga2", "--out", str(tmp_path)]
    main(arguments)
    first = (tmp_path / "two_objectives.csv").read_bytes()
    assert capsys.readouterr().err.count("\n") == 4

    main(arguments)

    assert capsys.readouterr().err == ""
    assert (tmp_path / "two_objectives.csv").read_bytes() == first
    rows = pd.read_csv(tmp_path / "two_objectives.csv")
    curve = rows[[f"hypervolume_{n}" for n in range(1, 41)]].to_numpy()
    assert (np.diff(curve) >= 0).all()
    assert (curve[:, -1] > 10).all()
    assert (curve < 100).all()
    assert (tmp_path / "two_objectives.png").stat().st_size > 1000


def test_all_of_the_table_is_worth_all_of_its_front():
    points = CORA.table.points(CORA.table.universe)

    found = measure(lambda: points, CORA, len(points) // 40 * 40)

    assert list(found.values())[-1] == pytest.approx(100, abs=0.01) or len(points) % 40


def test_blind_search_is_told_no_latency():
    problem = Problem("nasbench201", "cifar10", "pixel3")
    blind, seeing = (search_config(method, problem, 40) for method in ("ktnas_blind", "ktnas"))

    assert (blind.benchmark["latency_known"], seeing.benchmark["latency_known"]) == (False, True)
    assert blind.source == seeing.source == []


def test_lead_counts_problems_and_says_which_are_clear():
    rows = _rows(ktnas=np.arange(90, 98), random=np.arange(70, 78), optuna_tpe=[99, 98, 99])

    lines = lead(rows, [CORA], 40).splitlines()

    assert "| random | 1 (1) : 0 (0) | 1 (1) : 0 (0) | 1 (1) : 0 (0) | 1 (1) : 0 (0) |" in lines
    assert "| optuna_tpe | 0 (0) : 1 (0) | 0 (0) : 1 (0) | 0 (0) : 1 (0) | 0 (0) : 1 (0) |" in lines


def test_needed_is_where_the_mean_of_the_peer_is_reached():
    rows = _rows(ktnas=[80, 80, 80], random=[40, 60, 50], pymoo_nsga2=[90, 90])

    assert "| cora | 25 | > 40 (3) |" in needed(rows, [CORA], 40)


def test_table_has_a_row_per_method_and_leaves_the_blind_one_untested():
    rows = _rows(ktnas=np.arange(90, 98), ktnas_blind=np.arange(89, 97), random=np.arange(70, 78))

    lines = table(rows, 40).splitlines()

    assert [line.split(" | ")[0] for line in lines[2:]] == ["| random", "| ktnas_blind", "| ktnas"]
    assert lines[3].endswith("| 8 | – | – | – | – |")
    assert lines[2].endswith("| 0.008 |")
    assert picture(rows, [CORA], 40).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [("--problems", "cora", "benchmark:task:device"), ("--budget", "50", "multiple of 40")],
)
def test_options_are_checked(option, text, message, capsys):
    with pytest.raises(SystemExit):
        main([option, text])
    assert message in capsys.readouterr().err
