import pandas as pd
import pytest

from experiments import foreseen_optimum
from experiments.foreseen_optimum import foreseen, main
from experiments.nasbench201_optimum import SIZE, TASKS

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(foreseen_optimum, "BEST", 20)
    monkeypatch.setattr(foreseen_optimum, "RANDOM", 20)


def test_knowing_the_best_is_worth_something(monkeypatch):
    informed = foreseen("test_accuracy", "own task", 0)
    monkeypatch.setattr(foreseen_optimum, "BEST", 0)
    uninformed = foreseen("test_accuracy", "own task", 0)
    assert all(1 <= informed[task] < SIZE / 50 for task in TASKS)
    assert sum(informed.values()) < sum(uninformed.values())


def test_page_has_ranks_of_every_task(tmp_path, capsys):
    main(["--seeds", "1", "--metric", "valid_accuracy", "--out", str(tmp_path)])
    rows = pd.read_csv(tmp_path / "foreseen_optimum.csv")
    assert rows["method"].value_counts().to_dict() == {"all tasks": 1, "own task": 1}
    assert rows[list(TASKS)].ge(1).all(axis=None)
    assert "| valid_accuracy | all tasks |" in capsys.readouterr().out
