import numpy as np
import pandas as pd
import pytest

from experiments.brp_nas import (
    COUNTS,
    MODELS,
    ORDERING,
    PREDICTORS,
    curve,
    main,
    search,
    search_table,
    select_iteratively,
    truth,
)
from ktnas.surrogate.base import Surrogate

pytestmark = pytest.mark.usefixtures("data_dir")
TINY = {"name": "binary_relation", "width": 8, "epochs": 20, "members": 2, "encoded": False}


class Oracle(Surrogate):
    """Knows the table, and keeps what it was taught."""

    taught: list[np.ndarray]

    def __init__(self):
        self.taught = []

    def fit(self, genotypes, tasks, values):
        self.taught.append(genotypes)
        return self

    def _predict(self, genotypes, task):
        return -truth().valid, np.ones(len(genotypes))

    state = restore = None


def test_iterative_selection_takes_half_from_the_top_and_half_from_the_promising():
    oracle = Oracle()
    rows = select_iteratively(oracle, "published", 50, np.random.default_rng(0))
    order = np.argsort(-truth().valid, kind="stable")
    places = np.argsort(order)[rows].reshape(5, 10)

    assert len(set(rows.tolist())) == 50
    assert [len(genotypes) for genotypes in oracle.taught] == [10, 20, 30, 40]
    top = places[1:, :5]
    assert (np.diff(top.ravel()) > 0).all()
    assert top.max() < 50
    for i in range(1, 5):
        assert places[i, 5:].max() < 15_625 / 2**i
    assert places[1, 5:].max() > 15_625 / 4


def test_curve_keeps_the_best_so_far():
    table = truth()
    rows = np.argsort(table.valid)[:: len(table.valid) // MODELS][:MODELS]
    found = curve(rows, np.random.default_rng(0))

    for count in COUNTS:
        assert found[f"best_{count}"] == pytest.approx(table.test[rows[:count]].max(), abs=1e-4)
        assert found[f"incumbent_{count}"] == pytest.approx(table.test[rows[count - 1]], abs=1e-4)
        assert abs(found[f"single_{count}"] - found[f"best_{count}"]) < 1.2
    assert found["best_98"] <= 73.52


def test_accuracies_of_one_training_are_told_apart():
    table = truth()
    assert 0.6 < table.once.mean() < 0.7
    assert not table.once[np.argmax(table.test)]


def test_engine_beats_random():
    assert search("ktnas", 3)["incumbent_98"] > search("random", 3)["incumbent_98"]


def test_runs_and_resumes(tmp_path, capsys, monkeypatch):
    for known in (PREDICTORS, ORDERING):
        monkeypatch.setitem(known, "published", TINY | {"head": "published"})
    arguments = ["--seeds", "1", "--methods", "random,published,gp", "--out", str(tmp_path)]
    main(arguments)
    page = (tmp_path / "brp_nas.md").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count("\n") == 2 + 4

    main(arguments)

    assert capsys.readouterr().err == ""
    assert (tmp_path / "brp_nas.md").read_text(encoding="utf-8") == page
    assert "| best: BRP-NAS, published | 71.92 | 73.06 | 73.47 | 73.67 | – |" in page
    predictors = pd.read_csv(tmp_path / "brp_nas_predictor.csv")
    by_method = predictors.groupby("method")
    assert (by_method["kendall"].min() > 0.1).all()
    assert (by_method["intransitive"].max() < 0.3).all()
    assert by_method["contradictory"].max()["gp"] == 0


def test_search_table():
    numbers = {
        f"{measure}_{count}": [70.0, 71.0] for measure in ("incumbent", "best", "single") for count in COUNTS
    }
    table = search_table(pd.DataFrame({"method": "a", "seed": [0, 1], **numbers}))

    assert (
        "| best, one training: a | 70.50 ± 0.50 | 70.50 ± 0.50 | 70.50 ± 0.50 | 70.50 ± 0.50 | 2 |" in table
    )
