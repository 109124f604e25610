from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.device_table import agreement, main
from tests.measure.small import small_space_file


@pytest.mark.slow
def test_measures_twice_judges_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--out", str(tmp_path), "--space", str(small_space_file(tmp_path)), "--networks", "22"]
    arguments += ["--seeds", "2", "--sizes", "20", "--methods", "second_run,flops"]
    arguments += [
        "--runners",
        "torch",
        "--max-seconds",
        "0.1",
        "--looks",
        "1",
        "--drift",
        "9",
        "--pixels",
        "8",
    ]
    main(arguments)
    runs = [pd.read_csv(tmp_path / "device_table" / f"torch_{run}.csv") for run in (1, 2)]
    assert all((run["latency_ms"] > 0).sum() == 22 for run in runs)
    rows = pd.read_csv(tmp_path / "device_table.csv")
    assert rows["method"].tolist() == ["second_run"] * 2 + ["flops"] * 2
    assert rows["spearman"].between(-1, 1).all()
    assert rows["within_10"].between(0, 100).all()
    page = (tmp_path / "device_table.md").read_text()
    same = agreement(runs[1]["latency_ms"].to_numpy(), runs[0]["latency_ms"].to_numpy())
    assert f"| torch | 22 | {runs[0]['latency_ms'].median():.2f} | {same['spearman']:.4f} |" in page
    assert "1 thread, batch 1, float32, at most 0.1 s per look" in page
    capsys.readouterr()
    main(arguments)
    assert "[1/" not in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "device_table.csv")) == 4


def test_agreement_is_relative() -> None:
    truth = np.array([1.0, 2.0, 4.0, 8.0])
    told = agreement(truth * [1.0, 1.04, 0.93, 1.5], truth)
    assert told["spearman"] == 1
    assert told["median"] == pytest.approx(5.5)
    assert (told["within_5"], told["within_10"]) == (50, 75)
