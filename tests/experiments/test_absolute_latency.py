import numpy as np
import pandas as pd
import pytest

from experiments import absolute_latency
from experiments.absolute_latency import load, main, within

pytestmark = pytest.mark.usefixtures("data_dir")


def test_runs_and_resumes(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(
        absolute_latency.MODELS, "gcn", {"name": "gcn", "width": 8, "layers": 2, "members": 1, "epochs": 2}
    )
    arguments = ["--devices", "latbench_i7_7820x,gold_6226", "--methods", "gcn,additive"]
    arguments += ["--counts", "60", "--seeds", "2", "--out", str(tmp_path)]
    main(arguments)
    page = (tmp_path / "absolute_latency.md").read_text(encoding="utf-8")
    assert page in capsys.readouterr().out
    for words in (
        "From 60 measurements",
        "| within ±5 % | latbench_i7_7820x | gold_6226 |",
        "**additive, aimed**",
    ):
        assert words in page

    main(arguments)

    assert capsys.readouterr().err == ""
    rows = pd.read_csv(tmp_path / "absolute_latency.csv")
    assert len(rows) == 2 * 2 * 2
    best = rows[(rows["method"] == "additive") & (rows["setting"] == "gold_6226, 60")]
    assert (best["plain_10"] > 75).all()
    assert (best["plain_1"] < best["plain_5"]).all()
    assert rows[rows["method"] != "additive"]["aimed_10"].isna().all()


def test_share_within_a_band():
    assert within(np.array([0.89, 0.91, 1.0, 1.09, 1.11]), 10) == 60
    assert within(np.array([0.89, 0.91, 1.0, 1.09, 1.11]), 1) == 20


def test_measured_rows_alone():
    assert len(load("latbench_i7_7820x").latency) == 15_284
    assert len(load("pixel2").genotypes) == 15_625
