import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ktnas.cli.export import export
from ktnas.errors import UserError
from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import Ledger

RUN = RunDescription(
    (Objective("error", "error"), Objective("latency", "latency_ms_gpu", "gpu")), {"cora": "target"}, ("gpu",)
)
METRICS = {"error": 3.0, "latency_ms_gpu": 1.0}


@pytest.fixture
def run_dir(tmp_path):
    """A run that was killed: its ledger and nothing else."""
    with Ledger.open(tmp_path / "run", {}, RUN) as ledger:
        ledger.record([Evaluation(0, 0, "cora", "target", "a", "0" * 16, "ok", METRICS)])
    return tmp_path / "run"


@pytest.fixture
def ktnas():
    app = typer.Typer()
    app.command()(export)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def test_into_the_run_directory(ktnas, run_dir):
    result = ktnas(run_dir)
    assert result.exit_code == 0
    assert result.stdout.split() == [str(run_dir / "evaluations.csv"), str(run_dir / "front_cora.csv")]
    assert pd.read_csv(run_dir / "evaluations.csv")["error"].tolist() == [3.0]


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_into_another_directory(ktnas, run_dir, tmp_path, kind):
    assert ktnas(run_dir, "--format", kind, "--out", tmp_path / "out").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"evaluations.{kind}", f"front_cora.{kind}"]


def test_a_run_that_is_still_going(ktnas, run_dir):
    with Ledger.open(run_dir, {}, RUN) as ledger:
        ledger.record([Evaluation(1, 0, "cora", "target", "b", "1" * 16, "ok", METRICS, answered=1)])
        assert ktnas(run_dir).exit_code == 0
    assert len(pd.read_csv(run_dir / "evaluations.csv")) == 2


def test_networks(ktnas, tmp_path):
    config = {"space": "nasbench_graph", "algorithm": "mine", "seed": 0}
    run = RunDescription(RUN.objectives, {"cora": "target"}, ("gpu",), config=config)
    text = "Arch([0, 0, 1, 2], ['gcn', 'skip', 'gat', 'fc'])"
    with Ledger.open(tmp_path / "run", {}, run) as ledger:
        ledger.record([Evaluation(0, 0, "cora", "target", text, "0" * 16, "ok", METRICS)])
    directory = tmp_path / "run" / "networks" / "torch"
    result = ktnas(tmp_path / "run", "--format", "torch", "--task", "proteins", "--size", "12")
    assert result.exit_code == 0
    files = [str(directory / f"cora_{'0' * 16}.{ending}") for ending in ("safetensors", "json", "md")]
    assert result.stdout.split() == files
    assert sorted(map(str, directory.iterdir())) == sorted(files)


def test_trained_networks_that_are_gone(ktnas, tmp_path):
    """What the run trained is wanted, unless a task is named."""
    config = {"space": "nasbench201", "benchmark": {"data": "digits"}}
    run = RunDescription(RUN.objectives[:1], {"rotation": "target"}, config=config)
    text = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    with Ledger.open(tmp_path / "run", {}, run) as ledger:
        ledger.record([Evaluation(0, 0, "rotation", "target", text, "0" * 16, "ok", METRICS)])

    export = (tmp_path / "run", "--format", "torch")
    gone = f"There is no file {tmp_path / 'run' / 'trained' / 'rotation' / ('0' * 16)}.safetensors"
    for options, message in [
        ((), gone),
        (("--size", 8), "size 8 is of untrained networks"),
        (("--seed", 0), "seed 0 is of untrained networks"),
    ]:
        error = ktnas(*export, *options).exception
        assert isinstance(error, UserError)
        assert message in str(error)
    assert not (tmp_path / "run" / "networks").exists()
    assert ktnas(*export, "--task", "cifar10", "--size", 8, "--seed", 2).exit_code == 0
    assert "**Not trained.**" in next((tmp_path / "run").rglob("*.md")).read_text()


def test_mistakes(ktnas, run_dir, tmp_path):
    for arguments, message in [
        ((tmp_path / "nothing",), "No run to read"),
        ((run_dir, "--format", "xlsx"), "Unknown format 'xlsx'"),
        ((run_dir, "--format", "json", "--size", "8"), "--size 8 is of networks"),
        ((run_dir, "--format", "torch"), "names no space"),
        ((tmp_path / "nothing", "--format", "torch"), "No run to read"),
    ]:
        error = ktnas(*arguments).exception
        assert isinstance(error, UserError)
        assert message in str(error)


def test_help_teaches(ktnas):
    text = ktnas("--help").stdout
    for word in ("--format", "parquet", "--out", "killed", "onnx", "--task", "--size", "--seed"):
        assert word in text
