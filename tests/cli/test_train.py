"""``ktnas search benchmark=train``, from images to a run of trained networks."""

import json
import os
import subprocess
import sys
import time

import pandas as pd
import pytest

from ktnas.cli.main import main
from ktnas.errors import UserError
from ktnas.record.ledger import read_ledger
from tests.processes import running
from tests.train.stripes import arrays_of, striped, write

SMALL = [
    "benchmark=train",
    "benchmark.data=stripes.npz",
    "benchmark.training.epochs=1",
    "benchmark.training.network={channels: 2}",
]


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "stripes.npz", arrays_of(striped()))
    return tmp_path


def rows(run_dir):
    """Everything that does not depend on the clock."""
    table = pd.read_csv(run_dir / "evaluations.csv")
    return table.drop(columns=["seconds", "host", "answered"])


@pytest.mark.slow
def test_one_data_set_is_several_tasks(directory, capsys):
    arguments = [*SMALL, "source=[rotation]", "target=[classification,jigsaw]", "budget=3", "source_budget=2"]
    assert main(["search", *arguments, "hydra.run.dir=run"]) == 0

    table = pd.read_csv(directory / "run" / "evaluations.csv")
    assert table["task"].value_counts().to_dict() == {"rotation": 2, "classification": 3, "jigsaw": 3}
    assert (table["status"] == "ok").all()
    assert (table[["latency_ms_here", "params", "flops", "epochs", "seconds"]] > 0).all(axis=None)
    assert table["error"].equals(table["valid_error"])
    assert "Pareto set of classification" in capsys.readouterr().out
    for _, row in table.iterrows():
        kept = json.loads((directory / "run" / "trained" / row["task"] / f"{row['key']}.json").read_text())
        assert kept["architecture"] == row["architecture"]
        assert kept["curve"][-1]["valid_error"] == row["valid_error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["benchmark.data=strips.npz"], "There is no file 'strips.npz' in"),
        (["benchmark.training.epoch=1"], "Unknown key of benchmark.training: 'epoch'. Did you mean epochs?"),
        (["target=[labels]"], "Unknown task of benchmark train: 'labels'."),
        (["space=nasbench_graph"], "Space nasbench_graph has networks of graphs"),
        (["benchmark.data=CIFAR11"], "Did you mean CIFAR10"),
    ],
)
def test_a_mistake_is_one_message(arguments, message, directory, capsys):
    assert main(["search", *SMALL, *arguments, "hydra.run.dir=run"]) == 2

    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (directory / "run").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_and_resumed_it_ends_as_if_it_had_never_stopped(directory):
    slower = ["benchmark.training.epochs=3", "algorithm=random", "initial=2", "workers=2"]
    arguments = [*SMALL, *slower, "objectives=[error]", "budget=8"]
    command = [sys.executable, "-m", "ktnas", "search", *arguments, "hydra.run.dir=run"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with running(command, env=environment, stdout=subprocess.DEVNULL) as started:
        while recorded(directory / "run") < 3:
            assert started.poll() is None
            time.sleep(0.02)
    assert recorded(directory / "run") < 8

    assert main(["search", "resume=run"]) == 0
    assert main(["search", *arguments, "workers=1", "hydra.run.dir=straight"]) == 0
    pd.testing.assert_frame_equal(rows(directory / "run"), rows(directory / "straight"))


def recorded(run_dir):
    """Evaluations of a run that may not have begun yet."""
    try:
        return len(read_ledger(run_dir).evaluations)
    except UserError:
        return 0
