from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.few_samples import BENCHMARKS, known, main, measure, sizes


def test_runs_and_resumes(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--out", str(tmp_path), "--seeds", "2", "--sizes", "32", "--methods", "ridge,multitask_gp"]
    arguments += ["--benchmarks", "TransNAS micro class_scene"]
    main(arguments)
    rows = pd.read_csv(tmp_path / "few_samples.csv")
    means = rows.groupby("method")["tau"].mean()
    assert len(rows) == 4
    assert means["multitask_gp"] > means["ridge"] + 0.05
    page = (tmp_path / "few_samples.md").read_text()
    assert f"{means['multitask_gp']:.3f}" in page
    assert "| FLAN, published | 0.649 |" in page
    main(arguments)
    assert len(pd.read_csv(tmp_path / "few_samples.csv")) == 4


def test_draws_depend_on_the_seed_alone(data_dir: Path) -> None:
    once, again, other = (measure("DARTS cifar10", 8, "ridge", seed)["tau"] for seed in (1, 1, 2))
    assert once == again != other


@pytest.mark.parametrize("name", BENCHMARKS)
def test_sizes_are_those_of_every_row(data_dir: Path, name: str) -> None:
    frame = sizes(BENCHMARKS[name])
    space, genotypes, _ = known(name)
    assert (space.parse(frame["arch"].tolist()) == genotypes).all()
    assert np.isfinite(frame[["params", "flops"]]).all(axis=None)
    assert (frame[["params", "flops"]] > 0).all(axis=None)
