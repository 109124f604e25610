import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ktnas.cli.compare import compare
from ktnas.errors import UserError
from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import Ledger


@pytest.fixture
def sweep(tmp_path):
    for algorithm, worst in (("ktnas", 20), ("random", 40)):
        for seed in range(6):
            config = {"benchmark": {"name": "table"}, "algorithm": algorithm, "seed": seed}
            run = RunDescription(
                (Objective("error", "error"), Objective("latency", "latency_ms_gpu", "gpu")),
                {"cora": "target"},
                ("gpu",),
                config=config,
            )
            rng = np.random.default_rng(seed)
            values = zip(rng.uniform(10, worst, 12), rng.uniform(1, 5, 12), strict=True)
            with Ledger.open(tmp_path / "multirun" / f"{algorithm},{seed}", {}, run) as ledger:
                ledger.record(
                    [
                        Evaluation(
                            *(i, 0, "cora", "target", f"a{i}", f"{i:016x}", "ok"),
                            metrics={"error": error, "latency_ms_gpu": latency},
                            answered=i,
                        )
                        for i, (error, latency) in enumerate(values)
                    ]
                )
            if seed:
                (tmp_path / "multirun" / f"{algorithm},{seed}" / "summary.json").write_text("{}")
    return tmp_path / "multirun"


@pytest.fixture
def ktnas():
    app = typer.Typer()
    app.command()(compare)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})

    return run


def test_tables_and_files(ktnas, sweep, tmp_path):
    result = ktnas(sweep, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    for text in (
        "table (error, latency): cora on gpu",
        "algorithm=ktnas",
        "±",
        "Wilcoxon",
        "is not finished",
    ):
        assert text in result.stdout
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert table["runs"].tolist() == [6, 6]
    assert pd.read_csv(tmp_path / "out" / "comparison_tests.csv")["n"].tolist() == [6, 6]
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path / "out" / "comparison.png") in result.stdout.replace("\n", "")


def test_one_group_has_no_tests(ktnas, sweep, tmp_path):
    result = ktnas(f"{sweep}/ktnas*", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "Wilcoxon" not in result.stdout


def test_a_bad_directory(ktnas, sweep, tmp_path):
    error = ktnas(sweep, tmp_path / "nothing", "--out", tmp_path / "out").exception
    assert isinstance(error, UserError)
    assert "Expected the directory of a run" in str(error)
    assert not (tmp_path / "out").exists()


def test_help_teaches(ktnas):
    text = ktnas("--help").stdout
    for word in ("RUN", "--out", "Holm", "ktnas search -m"):
        assert word in text
