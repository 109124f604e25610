import numpy as np
import pandas as pd
import pytest

from experiments.nasbench_graph_pairs import main, measure, search_config
from experiments.tables import load_table

SMALL = ["--seeds", "2", "--budget", "8", "--pairs", "cora:citeseer,cora:pubmed"]


def test_runs_and_resumes(tmp_path, capsys):
    arguments = [*SMALL, "--methods", "random,optuna_nsga2", "--out", str(tmp_path)]
    main(arguments)
    first = (tmp_path / "nasbench_graph_pairs.csv").read_bytes()
    page = (tmp_path / "nasbench_graph_pairs.md").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count("\n") == 8

    main(arguments)

    assert capsys.readouterr().err == ""
    assert (tmp_path / "nasbench_graph_pairs.csv").read_bytes() == first
    for words in ("## Mean over the pairs", "## cora → pubmed", "hypervolume at 2 ", "regret at 8 "):
        assert words in page
    rows = pd.read_csv(tmp_path / "nasbench_graph_pairs.csv")
    assert len(rows) == 8
    quarter, half, whole = (rows[f"hypervolume{end}"] for end in ("_quarter", "_half", ""))
    assert ((quarter <= half) & (half <= whole) & (whole < 100) & (rows["regret"] >= 0)).all()


def test_source_is_searched_for_ktnas_alone(tmp_path, capsys):
    informed = search_config("ktnas", "cora", "citeseer", 6, 4)
    alone = search_config("ktnas_no_source", "cora", "citeseer", 6, 4)

    assert (informed.source, alone.source) == (["cora"], [])
    assert informed.transfer == alone.transfer
    tiny = ["--seeds", "1", "--budget", "4", "--source-budget", "4", "--pairs", "cora:citeseer"]
    main([*tiny, "--methods", "ktnas", "--out", str(tmp_path)])
    assert "| ktnas |" in capsys.readouterr().out


def test_all_of_the_table_is_worth_all_of_its_front():
    table = load_table("nasbench_graph", "citeseer", "gpu")
    points = table.points(table.universe)

    found = measure(lambda: points, "citeseer", len(points))

    assert found["hypervolume"] == pytest.approx(100)
    assert found["regret"] == 0
    assert np.isfinite(table.front).all()


def test_pairs_are_checked(capsys):
    with pytest.raises(SystemExit):
        main(["--pairs", "cora"])
    assert "expected source:target" in capsys.readouterr().err
