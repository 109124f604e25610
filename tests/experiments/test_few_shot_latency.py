from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.few_shot_latency import METHODS, POOLS, SIZES, TABLES, known, main, samples


def test_table_and_resume(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--out", str(tmp_path), "--seeds", "2", "--pools", "F3"]
    main(arguments)
    rows = pd.read_csv(tmp_path / "few_shot_latency.csv")
    assert len(rows) == 2 * len(METHODS) * len(POOLS["F3"].targets)
    means = rows.groupby("method")["spearman_20"].mean()
    assert means["few_shot"] > max(means["random"], 0.95)
    assert means["layers"] > means["blocks"] > 0.85
    assert means["ridge"] < 0.7
    assert rows.loc[rows["method"] == "few_shot", "covered"].mean() > 0.9
    page = (tmp_path / "few_shot_latency.md").read_text()
    for method in METHODS:
        assert f"| `{method}` |" in page
    assert "| NASFLAT, best, published | 0.863 |" in page
    assert "| F3 titan_rtx_1 |" in page
    main(arguments)
    assert len(pd.read_csv(tmp_path / "few_shot_latency.csv")) == len(rows)


def test_no_target_is_a_source(data_dir: Path) -> None:
    for pool in POOLS.values():
        assert not set(pool.sources) & set(pool.targets)
        assert {*pool.sources, *pool.targets} <= set(known(pool.space)[2].columns)
    assert {pool.space for pool in POOLS.values()} == set(TABLES)


def test_draws_differ_and_are_distinct(data_dir: Path) -> None:
    for method in ("few_shot", "random"):
        first, second = (samples("F3", method, seed) for seed in (0, 1))
        assert len(np.unique(first)) == len(first) == max(SIZES)
        assert set(first.tolist()) != set(second.tolist())
