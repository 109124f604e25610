from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.latency_across_spaces import DEVICES, METHODS, SIZES, WAYS, known, main


def test_table_and_resume(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    way = "NAS-Bench-201 to FBNet"
    arguments = ["--out", str(tmp_path), "--seeds", "2", "--ways", way, "--devices", "titan_rtx_1,raspi4"]
    main(arguments)
    rows = pd.read_csv(tmp_path / "latency_across_spaces.csv")
    assert len(rows) == 2 * 2 * len(METHODS)
    means = rows.groupby("method")[[f"spearman_{size}" for size in SIZES]].mean()
    assert (means.loc["known"] > means.loc["flops"] + 0.1).all()
    assert means.loc["known", "spearman_85"] > 0.97
    assert np.isfinite(means).all(axis=None)
    page = (tmp_path / "latency_across_spaces.md").read_text()
    assert "| titan_rtx_1, `unknown` |" in page
    assert f"{means.loc['known', 'spearman_85']:.3f}" in page
    main(arguments)
    assert len(pd.read_csv(tmp_path / "latency_across_spaces.csv")) == len(rows)


def test_devices_are_in_both_tables(data_dir: Path) -> None:
    for way in WAYS.values():
        for name in way:
            assert set(DEVICES) <= set(known(name)[2].columns)
