from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import joint_ranking
from experiments.joint_ranking import METRICS, draw, measure, pairwise_accuracy


def test_pairs_of_equal_truth_do_not_count_and_ties_are_wrong() -> None:
    truth = np.array([1.0, 2.0, 2.0, 3.0])
    assert pairwise_accuracy(truth, truth) == 100
    assert pairwise_accuracy(-truth, truth) == 0
    assert pairwise_accuracy(np.array([1.0, 1.0, 2.0, 3.0]), truth) == pytest.approx(80)


def test_split_follows_the_protocol(data_dir: Path) -> None:
    split = draw(50, seed=3)
    assert split.seen.shape == (50, 46)
    assert len(split.test) == 1215 - 200
    np.testing.assert_array_equal(draw(100, seed=3).seen[:50], split.seen)
    assert (draw(50, seed=4).seen != split.seen).any()


def test_flops_order_as_many_pairs_as_is_known(data_dir: Path) -> None:
    found = measure("flops", 50, seed=0)
    assert found["latency"] == pytest.approx(95.5, abs=0.5)
    assert found["top1"] == pytest.approx(81.5, abs=0.7)


@pytest.mark.slow
def test_one_surrogate_is_better_than_the_published_one(data_dir: Path) -> None:
    found = measure("gp_layers", 100, seed=0)
    assert found["latency"] > 97
    assert found["top1"] > 85.02


def test_writes_its_tables(data_dir: Path, tmp_path: Path) -> None:
    arguments = ["--methods", "flops,ridge", "--counts", "50", "--seeds", "2", "--out", str(tmp_path)]
    joint_ranking.main(arguments)
    rows = pd.read_csv(tmp_path / "joint_ranking.csv")
    assert len(rows) == 4
    assert rows[list(METRICS)].to_numpy().min() > 50
    page = (tmp_path / "joint_ranking.md").read_text(encoding="utf-8")
    assert "FLOPs alone" in page
    assert "best of many, published" in page
