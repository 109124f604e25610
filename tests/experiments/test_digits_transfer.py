from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.digits_transfer import (
    METRICS,
    PAIRS,
    Scale,
    best_rows,
    latencies,
    main,
    read,
    search_config,
    table,
    trained_once,
)
from ktnas.space import load_space
from ktnas.train.settings import TrainingSettings
from ktnas.train.trainer import Trainer

SPACE = load_space("nasbench201")
PAIR = PAIRS["digits 0-4:digits 5-9"]
SETTINGS = {"random": PAIR[1], "no transfer": PAIR[1], "transfer": " → ".join(PAIR)}


def _rows(method: str, **values: list[list[float]]) -> pd.DataFrame:
    """Runs of a method, a seed each, by metric, and the latency of the best of each."""
    return pd.DataFrame(
        {"setting": SETTINGS[method], "method": method, "seed": seed}
        | {f"{metric}_{n}": value for metric in METRICS for n, value in enumerate(values[metric][seed], 1)}
        | {"latency_ms": values["latency_ms"][seed][0]}
        for seed in range(len(values["latency_ms"]))
    )


@pytest.fixture
def rows() -> pd.DataFrame:
    with_source = _rows(
        "transfer",
        valid_error=[[2, 3, 1], [4, 4, 4]],
        test_error=[[5, 1, 6], [7, 8, 9]],
        latency_ms=[[1], [2]],
    )
    without = _rows(
        "no transfer",
        valid_error=[[9, 5, 3], [9, 3, 2]],
        test_error=[[9, 5, 4], [9, 4, 3]],
        latency_ms=[[3], [3]],
    )
    return pd.concat([with_source, without], ignore_index=True)


@pytest.mark.slow
def test_trains_once_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path / "cache"))
    arguments = ["--pairs", "digits 0-4:digits 5-9", "--methods", "no transfer,transfer", "--seeds", "1"]
    arguments += ["--budget", "2", "--source-budget", "1", "--epochs", "2", "--out", str(tmp_path)]
    main(arguments)
    rows = pd.read_csv(tmp_path / "digits_transfer.csv")
    assert rows["setting"].tolist() == [SETTINGS[method] for method in rows["method"]]
    errors = rows[[f"{metric}_{n}" for metric in METRICS for n in (1, 2)]].to_numpy()
    assert ((errors > 0) & (errors < 100)).all()
    assert (rows["latency_ms"] > 0).all()
    page = (tmp_path / "digits_transfer.md").read_text(encoding="utf-8")
    best = rows[["valid_error_1", "valid_error_2"]].min(axis=1)
    assert f"| *difference* | {best[1] - best[0]:.2f} |" in page
    assert (tmp_path / "digits_transfer.png").stat().st_size > 1000
    assert capsys.readouterr().err.count("\n") == 2

    main(arguments)
    assert capsys.readouterr().err == ""
    assert len(pd.read_csv(tmp_path / "digits_transfer.csv")) == 2


def test_an_architecture_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path))
    calls: list[str] = []

    class Counting(Trainer):
        def __call__(self, text: str) -> dict[str, float]:
            calls.append(text)
            return {"valid_error": float(len(calls)), "test_error": 50.0, "params": 1.0}

    def once(epochs: int) -> Callable[[str], dict[str, float]]:
        settings = TrainingSettings(epochs=epochs)
        return trained_once(Counting("all", "classification", None, "digits", SPACE, settings))

    assert [once(3)(text)["valid_error"] for text in ("a", "b", "a")] == [1, 2, 1]
    assert once(3)("b") == {"valid_error": 2, "test_error": 50}
    assert once(4)("b") == {"valid_error": 3, "test_error": 50}
    assert calls == ["a", "b", "b"]


def test_only_transfer_has_a_source() -> None:
    sources = {method: search_config(method, PAIR, Scale(20, 25, 3)).source for method in SETTINGS}
    assert sources == {"random": [], "no transfer": [], "transfer": [PAIR[0]]}


def test_best_is_the_first_of_equals_and_never_what_failed() -> None:
    values = np.array([[3.0, 1.0, 1.0, 2.0], [np.nan, 4.0, np.nan, 2.0]])
    np.testing.assert_array_equal(best_rows(values), [[0, 1, 1, 1], [0, 1, 1, 3]])


def test_test_error_is_of_the_architecture_that_validation_chose(rows: pd.DataFrame) -> None:
    found = read(rows, PAIR, ["transfer", "no transfer"])["transfer"]
    np.testing.assert_array_equal(found.valid, [[2, 2, 1], [4, 4, 4]])
    np.testing.assert_array_equal(found.test, [[5, 5, 6], [7, 7, 7]])


def test_tables_have_differences_by_seed(rows: pd.DataFrame) -> None:
    found = {PAIR: read(rows, PAIR, ["no transfer", "transfer"])}
    assert table(found, "valid", [1, 3]).splitlines() == [
        "| evaluations | 1 | 3 |",
        "| :-- | --: | --: |",
        "| digits 5-9, no transfer | 9.00 ± 0.00 | 2.50 ± 0.50 |",
        "| digits 0-4 → digits 5-9, transfer | 3.00 ± 1.00 | 2.50 ± 1.50 |",
        "| *difference* | -6.00 ± 1.00 | 0.00 ± 2.00 |",
        "| *worth* | +2 | +0 |",
    ]
    assert latencies(found).splitlines()[-1] == "| digits 0-4 → digits 5-9 | 3.00 ± 0.00 | 1.50 ± 0.50 |"
