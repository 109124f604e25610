import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from ktnas.cli.main import main
from ktnas.cli.measure import MeasureConfig, read_arguments, runner_presets
from ktnas.engine.informative import informative
from ktnas.measure.measuring import draw
from tests.measure.small import small_space, small_space_file
from tests.processes import running

QUICK = ["size=8", "max_seconds=0.1", "precision=0.5", "drift=1000", "looks=1", "name=board"]


@pytest.fixture
def devices(tmp_path, monkeypatch):
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "devices"


@pytest.fixture
def asked(tmp_path):
    return ["measure", f"space={small_space_file(tmp_path)}", *QUICK]


def test_networks_are_measured_added_to_and_listed(devices, asked, capsys):
    assert main(["measure", "list"]) == 0
    assert "Measure one: ktnas measure space=" in capsys.readouterr().out
    assert main([*asked, "n=2", "every=1"]) == 0
    told = capsys.readouterr()
    assert "2/2 looks" in told.err
    for words in (
        "2 architectures measured as board",
        "0 failed",
        "Drift: the reference network, measured 3 times",
        str(devices / "board.csv"),
        "ktnas search benchmark=nasbench201 device=board",
    ):
        assert words in told.out
    table = pd.read_csv(devices / "board.csv")
    assert (table["latency_ms"] > 0).all()
    assert table["arch"].tolist() == small_space().format(draw(small_space(), 2, 0))
    description = json.loads((devices / "board.json").read_text())
    assert description["settings"]["task"]["size"] == 8
    assert description["machine"]["torch"]

    assert main([*asked, "n=3", "every=1"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(devices / "board.csv")[:2], table)
    assert "1/1 looks" in capsys.readouterr().err
    assert main(["measure", "list"]) == 0
    assert "board" in capsys.readouterr().out


@pytest.mark.slow
def test_files_name_architectures_and_layers_are_timed(devices, asked, tmp_path, capsys):
    text = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    (tmp_path / "archs.csv").write_text(f'arch\n"{text}"\n')
    arguments = [*asked, f"archs={tmp_path / 'archs.csv'}", "operations=true", "batch=2", f"out={tmp_path}"]
    assert main(arguments) == 0
    assert pd.read_csv(tmp_path / "board.csv")["arch"].tolist() == [text]
    assert len(pd.read_csv(tmp_path / "board.operations.csv")) > 10
    out = capsys.readouterr().out
    assert str(tmp_path / "board.operations.csv") in out
    assert f"device={tmp_path / 'board.csv'}" in out


@pytest.mark.slow
def test_killed_and_started_again_it_goes_on(devices, asked):
    command = [sys.executable, "-m", "ktnas", *asked, "n=12"]
    path = devices / "board.csv"
    with running(command, env=dict(os.environ), stderr=subprocess.DEVNULL) as measuring:
        while not path.exists() or path.read_text().count("\n") < 3:
            assert measuring.poll() is None
            time.sleep(0.02)
    assert measuring.returncode == -signal.SIGKILL
    before = path.read_text()
    kept = before[: before.rfind("\n") + 1]
    assert 3 <= kept.count("\n") < 13
    path.write_text(kept + "|none~0|+|none~0|none~1|+|none~0|no")
    assert main([*asked, "n=12"]) == 0
    assert path.read_text().startswith(kept)
    table = pd.read_csv(path)
    assert table["arch"].tolist() == small_space().format(draw(small_space(), 12, 0))
    assert (table["latency_ms"] > 0).all()


def test_a_failing_command_is_named_before_anything_is_measured(devices, asked, capsys):
    command = f"command={sys.executable} -c 'raise SystemExit(\"no board\")'"
    assert main([*asked, "device=command", command]) == 2
    assert "cannot be measured, so no other was tried: the command exited with status 1: no board" in (
        capsys.readouterr().err
    )
    assert not (devices / "board.json").exists()


def test_help_names_every_key_and_device(capsys):
    assert main(["measure", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {key}=" in text for key in vars(MeasureConfig()))
    assert all(f"\n  {name} " in text for name in runner_presets())
    assert "threads=1" in text


def test_values_are_read_by_their_type():
    config, runner = read_arguments(["space=x", "n=3", "name=007", "size=null", "threads=2", "precision=.1"])
    assert (config.n, config.name, config.size, config.precision) == (3, "007", None, 0.1)
    assert runner == {"name": "torch", "place": "cpu", "compiled": False, "threads": 2, "batch": 1}
    _, runner = read_arguments(["device=command", "command={onnx} a=b: c"])
    assert runner["command"] == "{onnx} a=b: c"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["n=3"], "Name the space"),
        (["space=nonsense"], "'nonsense'"),
        (["space=nasbench201", "n=0"], "n=0: expected 1 architecture or more"),
        (["space=nasbench201", "n=many"], "n=many: expected a whole number"),
        (["space=nasbench201", "n=[1"], "n=[1: this value cannot be read"),
        (["space=nasbench201", "nn"], "'nn' is no option"),
        (["space=nasbench201", "treads=2"], "Unknown key 'treads'. Did you mean threads"),
        (["space=nasbench201", "command=x"], "Unknown key 'command'"),
        (["space=nasbench201", "threads=many"], "runner.threads='many'"),
        (["space=nasbench201", "device=onnx"], "Did you mean onnxruntime"),
        (["space=nasbench201", "device=command"], 'command="python my_runner.py {onnx}"'),
        (["space=nasbench201", "task=cifar11"], "Did you mean cifar10"),
        (["space=nasbench201", "archs=absent.csv"], "absent.csv: cannot be read"),
        (["space=nasbench201", "precision=2"], "precision=2: expected a share"),
        (["space=nasbench201", "timeout=0", "n=1"], "timeout=0"),
        (["space=nasbench201", "looks=0", "n=1"], "looks=0: expected 1 or more"),
        (["space=nasbench201", "out=/proc/none", "n=1"], "Cannot write in /proc/none"),
    ],
)
def test_mistakes_are_named(devices, capsys, arguments, said):
    assert main(["measure", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(devices.glob("*.csv"))


def test_informative_architectures_are_measured(devices, asked):
    assert main([*asked, "draw=informative", "n=2", "device=cpu"]) == 0
    table = pd.read_csv(devices / "board.csv")
    assert set(table["arch"]) == set(small_space().format(informative(small_space(), 2, "cifar10", 0)))


def test_unknown_way_to_draw(devices, asked, capsys):
    assert main([*asked, "draw=informativ"]) == 2
    assert "Did you mean informative" in capsys.readouterr().err
