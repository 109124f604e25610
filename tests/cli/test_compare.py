import re

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ktnas.api import search
from ktnas.cli.compare import compare
from ktnas.errors import UserError
from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import Ledger
from ktnas.space import load_space

GENOTYPES = load_space("transnas_micro").sample(200, np.random.default_rng(0))
GENOTYPES = np.unique(GENOTYPES, axis=0)[:50]


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
        "│ ktnas",
        "±",
        "Wilcoxon",
        "is not finished",
    ):
        assert text in result.stdout
    out = tmp_path / "out"
    assert pd.read_csv(out / "comparison.csv")["runs"].tolist() == [6, 6]
    assert pd.read_csv(out / "comparison_tests.csv")["n"].tolist() == [6, 6]
    assert len(pd.read_csv(out / "comparison_evaluations.csv")) == 2 * 2 * 2
    assert len(pd.read_csv(out / "comparison_convergence.csv")) == 2 * 2 * 12
    for picture in ("comparison.png", "comparison_wins.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    assert str(out / "comparison.html") in result.stdout.replace("\n", "")


def test_page_holds_all_that_is_printed(ktnas, sweep, tmp_path):
    result = ktnas(sweep, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    printed = [cell for line in result.stdout.splitlines() if "│" in line for cell in line.split("│")]
    cells = {text.strip() for text in re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", page)}
    assert len(printed) > 50
    assert {cell.strip() for cell in printed if "┃" not in cell} <= cells | {""}
    assert page.count("data:image/png;base64,") == 2
    assert "://" not in page
    assert page.count("is not finished") == 2


def test_one_group_has_no_tests(ktnas, sweep, tmp_path):
    result = ktnas(f"{sweep}/ktnas*", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "Wilcoxon" not in result.stdout
    assert "Wins" not in result.stdout
    assert not (tmp_path / "out" / "comparison_wins.png").exists()
    assert "Who beats whom" not in (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")


def test_regret_and_rank_where_the_table_is_known(ktnas, tmp_path):
    scores = pd.DataFrame({"arch": load_space("transnas_micro").format(GENOTYPES), "a": np.arange(50.0)})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    given = {"objectives": "error", "algorithm": "random", "budget": 10}
    table = {"name": "table", "space": "transnas_micro", "scores": str(tmp_path / "scores.csv"), "unit": "%"}
    for seed in range(2):
        search(table, target="a", source=[], seed=seed, run_dir=tmp_path / f"run{seed}", **given)
    result = ktnas(tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    [row] = pd.read_csv(tmp_path / "out" / "comparison.csv").to_dict("records")
    assert row["rank"] == pytest.approx(row["regret"] + 1)
    assert row["regret"] == pytest.approx(row["error"] - 51)
    assert row["seconds"] > 0
    (tmp_path / "scores.csv").unlink()
    result = ktnas(tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert pd.read_csv(tmp_path / "out" / "comparison.csv")["rank"].isna().all()


def test_a_bad_directory(ktnas, sweep, tmp_path):
    error = ktnas(sweep, tmp_path / "nothing", "--out", tmp_path / "out").exception
    assert isinstance(error, UserError)
    assert "Expected the directory of a run" in str(error)
    assert not (tmp_path / "out").exists()


def test_help_teaches(ktnas):
    text = ktnas("--help").stdout
    for word in ("RUN", "--out", "Holm", "ktnas search -m"):
        assert word in text
