import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from ktnas.cli.main import main
from ktnas.engine.benchmark_config import benchmark_config, benchmark_names
from ktnas.engine.schema import read_config
from ktnas.errors import UserError
from ktnas.presets import group_options
from ktnas.record.ledger import read_ledger
from tests.processes import running

SMALL = ["algorithm=random", "budget=6", "source=[]"]
FILES = {
    "config.yaml",
    "evaluations.csv",
    "front_citeseer.csv",
    "front_citeseer.json",
    "front_citeseer.png",
    "ledger.sqlite",
    "summary.json",
}


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(*arguments):
    assert main(["search", *arguments]) == 0


def rows(run_dir):
    """Everything that does not depend on the clock."""
    return pd.read_csv(run_dir / "evaluations.csv").drop(columns=["seconds", "host"])


def recorded(run_dir):
    """Evaluations of a run that may not have begun yet."""
    try:
        return len(read_ledger(run_dir).evaluations)
    except UserError:
        return 0


def test_help_teaches_what_there_is(capsys):
    search("--help")

    printed = capsys.readouterr().out
    for name in benchmark_names():
        config = benchmark_config(name)
        assert all(word in printed for word in (name, *(config.tasks or ()), *(config.devices or ())))
    for group in ("algorithm", "transfer", "encoding", "surrogate", "screen", "survival"):
        assert all(name in printed for name in group_options(group))
    assert printed.count("\n  ktnas search") >= 4
    assert max(map(len, printed.splitlines())) <= 120


def test_run_directory_holds_everything(directory, capsys):
    search(*SMALL, "hydra.run.dir=run")

    assert {path.name for path in (directory / "run").iterdir()} >= FILES
    assert len(rows(directory / "run")) == 6
    assert read_config(directory / "run" / "config.yaml").algorithm == "random"
    printed = capsys.readouterr().out
    for words in ("Pareto set of citeseer", "valid", "test", "accuracy", "latency", "params"):
        assert words in printed
    assert "of the true front's" in printed
    assert "regret" in printed
    assert "ktnas export run" in printed


def test_run_directory_is_named_after_what_runs(directory):
    search(*SMALL, "seed=3")

    (run_dir,) = directory.glob("runs/nasbench_graph/random/*_seed3")
    assert (run_dir / "summary.json").is_file()


def test_nothing_but_the_run_is_written(directory):
    search(*SMALL, "hydra.run.dir=run")

    assert [path.name for path in directory.iterdir()] == ["run"]


def test_names_may_stand_without_brackets(directory):
    search(*SMALL, "target=cora", "device=gpu", "objectives=error", "hydra.run.dir=a")
    search(*SMALL, "target=[cora]", "device=[gpu]", "objectives=[error]", "hydra.run.dir=b")

    pd.testing.assert_frame_equal(rows(directory / "a"), rows(directory / "b"))


def test_path_may_hold_any_character(directory, capsys):
    search(*SMALL, "hydra.run.dir=mein Läufe=1~")

    assert (directory / "mein Läufe=1~" / "summary.json").is_file()
    assert "ktnas export 'mein Läufe=1~'" in capsys.readouterr().out


def test_same_run_directory_goes_on(directory):
    search(*SMALL, "hydra.run.dir=run")
    before = rows(directory / "run")
    search(*SMALL, "hydra.run.dir=run")

    pd.testing.assert_frame_equal(rows(directory / "run"), before)


@pytest.mark.parametrize("again", [[], SMALL], ids=["alone", "with the same keys"])
def test_resume(again, directory):
    search(*SMALL, "hydra.run.dir=run")
    before = rows(directory / "run")
    search(*again, "resume=run")

    pd.testing.assert_frame_equal(rows(directory / "run"), before)
    assert [path.name for path in directory.iterdir()] == ["run"]


def test_interrupted_search_says_how_to_go_on_and_ends_as_if_it_never_stopped(directory):
    """Ctrl-C in the middle of a search, then what the message says."""
    slow = directory / "slow.py"
    slow.write_text("import time\n\ndef score(text):\n    time.sleep(0.05)\n    return len(text)\n")
    function = [
        "benchmark=function",
        "space=transnas_micro",
        "benchmark.functions={length: slow:score}",
        "target=[length]",
        "objectives=[error]",
        "algorithm=regularized_evolution",
        "initial=2",
        "source=[]",
        "budget=12",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(directory), *sys.path])}

    def start(*arguments):
        command = [sys.executable, "-m", "ktnas", "search", *arguments]
        return running(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    with start(*function, "hydra.run.dir=run") as process:
        while recorded(directory / "run") < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1].endswith("Continue with: ktnas search resume=run")
    assert 3 <= recorded(directory / "run") < 12

    for arguments in (["resume=run"], [*function, "hydra.run.dir=straight"]):
        with start(*arguments) as process:
            _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    resumed, straight = rows(directory / "run"), rows(directory / "straight")
    assert list(resumed["architecture"]) == list(straight["architecture"])
    assert list(resumed["error"]) == list(straight["error"])


def test_sweep_runs_every_combination_once(directory, capsys):
    sweep = [*SMALL[1:], "-m", "algorithm=random,nsga2", "seed=0,1", "hydra.sweep.dir=sweep"]
    search(*sweep)

    names = sorted(path.name for path in (directory / "sweep").iterdir() if path.is_dir())
    assert names == [f"algorithm-{name}_seed-{seed}" for name in ("nsga2", "random") for seed in (0, 1)]
    assert all((directory / "sweep" / name / "summary.json").is_file() for name in names)
    assert "4 searches" in capsys.readouterr().out
    before = rows(directory / "sweep" / names[0])

    (directory / "sweep" / names[0] / "summary.json").unlink()
    search(*sweep)
    assert capsys.readouterr().out.count("finished before, skipped") == 3
    pd.testing.assert_frame_equal(rows(directory / "sweep" / names[0]), before)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_change_nothing(launcher, directory):
    sweep = [
        "ktnas",
        "search",
        *SMALL,
        "-m",
        "seed=0,1",
        f"hydra/launcher={launcher}",
        "hydra.sweep.dir=sweep",
    ]
    done = subprocess.run([sys.executable, "-m", *sweep], cwd=directory, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "2 searches" in done.stdout
    search(*SMALL, "seed=1", "hydra.run.dir=alone")
    pd.testing.assert_frame_equal(rows(directory / "sweep" / "seed-1"), rows(directory / "alone"))


def test_sweep_goes_on_after_a_failure_and_fails_in_the_end(directory, capsys):
    search(*SMALL, "seed=7", "hydra.run.dir=sweep/seed-0")

    assert main(["search", *SMALL, "-m", "seed=0,1", "hydra.sweep.dir=sweep"]) == 1
    assert (directory / "sweep" / "seed-1" / "summary.json").is_file()
    assert "seed-0: failed, The ledger in" in capsys.readouterr().err


def test_configuration_can_be_looked_at(directory, capsys):
    search("--cfg", "job", "budget=7", "transfer=random")

    printed = capsys.readouterr().out
    assert "budget: 7" in printed
    assert "name: random" in printed
    search("--info", "defaults")
    assert "algorithm/ktnas" in capsys.readouterr().out
    assert list(directory.iterdir()) == []


def test_presets_of_ones_own(directory, capsys):
    mine = directory / "mine" / "algorithm"
    mine.mkdir(parents=True)
    (mine / "tiny.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /transfer: none\n  - override /surrogate: none\n"
        "  - override /screen: none\nalgorithm: tiny\nbudget: 3\ninitial: 3\n"
    )
    search("--config-dir", "mine", "algorithm=tiny", "source=[]", "hydra.run.dir=run")

    assert len(rows(directory / "run")) == 3
    assert json.loads((directory / "run" / "summary.json").read_text())["algorithm"] == "tiny"
