import os
import subprocess
import sys

import pytest

from ktnas.cli.main import COMMANDS, main
from ktnas.record.description import Objective, RunDescription
from ktnas.record.ledger import Ledger
from ktnas.version import __version__

UNNEEDED = {"torch", "sklearn", "matplotlib", "plotly", "onnx", "onnxruntime", "dask", "optuna"}
"""Packages without which a search goes."""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(arguments, capsys):
    assert main(arguments) == 0

    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ktnas {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"ktnas {command}" in capsys.readouterr().out


def test_unknown_command_names_the_nearest(capsys):
    assert main(["serach"]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: Unknown command 'serach'. Did you mean search")


@pytest.mark.parametrize("arguments", [["export", "--formt", "csv"], ["space", "shwo"], ["compare"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err


def test_a_command_loads_no_more_than_it_needs(tmp_path):
    objectives = (Objective("error", "error"), Objective("latency", "latency_ms_gpu", "gpu"))
    run = RunDescription(objectives, {"citeseer": "target"}, ("gpu",), config={"budget": 10})
    Ledger.open(tmp_path / "run", {}, run).close()
    unneeded = {
        "assert main(['--help']) == 0": {"numpy", "typer", "hydra", "omegaconf"} | UNNEEDED,
        "assert main(['status', 'run']) == 0": {"pandas", "scipy", "pymoo", "hydra", "joblib"} | UNNEEDED,
        "assert main(['search', '--help']) == 0": {"scipy", "pymoo", "pandas", "joblib"} | UNNEEDED,
        "ktnas.search(source=[], algorithm='nsga2', budget=12)": {"scipy.stats", "hydra"} | UNNEEDED,
        "ktnas.search(source=[], budget=12)": UNNEEDED,
    }
    steps = "; ".join(f"{step}; print(*sys.modules, file=sys.stderr)" for step in unneeded)
    script = f"import sys, ktnas; from ktnas.cli.main import main; {steps}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-Wignore", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    loaded = [set(line.split()) for line in done.stderr.splitlines()]
    assert [modules & known for modules, known in zip(loaded, unneeded.values(), strict=True)] == [set()] * 5


def test_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "ktnas", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"ktnas {__version__}\n"
