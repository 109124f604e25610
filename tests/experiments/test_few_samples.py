from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.few_samples import BENCHMARKS, draws, known, main, measure, proxies, sizes


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


def test_what_is_dear_is_run_where_it_tells_something() -> None:
    cells, darts = BENCHMARKS["NAS-Bench-201 cifar10"], BENCHMARKS["DARTS cifar10"]
    assert draws("flan", cells, 8, 20, 5) == 0
    assert draws("flan", darts, 256, 20, 5) == 3
    assert [draws("ensemble_prior", cells, size, 20, 5) for size in (32, 64)] == [5, 0]
    assert [draws("ensemble_size", benchmark, 8, 20, 5) for benchmark in (cells, darts)] == [0, 5]
    assert draws("ridge", cells, 8, 20, 5) == 20


def test_proxies_are_places_and_half_where_unknown(data_dir: Path) -> None:
    scores = proxies(BENCHMARKS["NAS-Bench-201 cifar10"])
    assert scores.shape == (15625, 13)
    assert scores.min() > 0
    assert scores.max() <= 1
    assert (scores == 0.5).all(axis=1).sum() == 15625 - 9445
