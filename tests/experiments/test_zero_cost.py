from dataclasses import replace

import pandas as pd
import pytest

from experiments.zero_cost import PROXIES, SETTINGS, TOGETHER, correlate, main
from ktnas.network.task import network_task

pytestmark = pytest.mark.usefixtures("data_dir")
SMALL = replace(SETTINGS["nasbench201"], task=network_task("cifar10", size=8), batch=4)


def test_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(SETTINGS, "nasbench201", SMALL)
    main(["--architectures", "3", "--timed", "1", "--spaces", "nasbench201", "--out", str(tmp_path)])

    page = (tmp_path / "zero_cost.md").read_text(encoding="utf-8")
    assert page in capsys.readouterr().out
    assert all(f"| {name} |" in page for name in (*PROXIES, " + ".join(TOGETHER), "all"))
    rows = pd.read_csv(tmp_path / "zero_cost.csv")
    assert not any("|" in str(value) for value in rows.to_numpy().ravel())
    assert rows.loc[rows["proxy"] == "params", "spearman"].dropna().tolist() == [1.0]
    assert (rows["seconds"].dropna() > 0).all()


def test_same_architectures_every_time():
    setting = SETTINGS["fbnet"]
    assert setting.published(5)["arch"].tolist() == setting.published(5)["arch"].tolist()
    assert set(SETTINGS["transnas_micro"].published(10**9)["task"]) == {"class_scene"}


def test_constant_columns_do_not_correlate():
    published = SMALL.published(2).assign(synflow=1.0)
    found = {row["proxy"]: row for row in correlate(SMALL, published, seed=0, workers=1)}
    assert found["synflow"]["spearman"] != found["synflow"]["spearman"]
    assert found["params"]["architectures"] == 2
