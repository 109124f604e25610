import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ktnas.errors import UserError
from ktnas.measure.command_runner import CommandRunner
from ktnas.measure.layers import measure_layers
from ktnas.measure.measuring import draw, measure, reference_architecture
from ktnas.measure.operations import layer_signatures
from ktnas.measure.session import Plan
from ktnas.measure.timing import Limits
from ktnas.measure.torch_runner import TorchRunner
from ktnas.network.count import count_flops
from ktnas.network.graph_task import GraphTask
from ktnas.space import load_space
from tests.measure.small import TASK, small_space

SPACE = small_space()
QUICK = Plan(Limits(precision=0.5, max_seconds=0.1), looks=1, tolerance=1000)
MISBEHAVES = """
import sys, time
from pathlib import Path
calls = Path("calls")
number = len(calls.read_text()) if calls.exists() else 0
calls.write_text("x" * (number + 1))
assert Path(sys.argv[1]).stat().st_size > 1000
print("warming up")
if number == 2:
    sys.exit("the board is on fire")
if number == 3:
    print("done")
elif number == 4:
    Path("hangs").touch()
    time.sleep(60)
else:
    print(*[number + 1] * 40)
"""


@pytest.mark.slow
def test_a_command_may_misbehave(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.py").write_text(MISBEHAVES)
    plan = replace(QUICK, timeout=15)
    runner = CommandRunner(f"{sys.executable} {tmp_path / 'board.py'}")
    measured = measure(SPACE, draw(SPACE, 5, 0), runner, TASK, name="board", directory=tmp_path, plan=plan)
    table = pd.read_csv(measured.csv)
    assert table["status"].tolist() == ["ok", "failed", "failed", "timeout", "ok"]
    assert table["latency_ms"].dropna().tolist() == [2, 6]
    assert table["repeats"].tolist() == [40, 0, 0, 0, 40]
    said = table["message"].dropna().tolist()
    assert said[:2] == [
        "the command exited with status 1: the board is on fire",
        "the command's last line is no number: 'done'",
    ]
    assert "took longer than 15 s and was killed" in said[2]
    assert (tmp_path / "hangs").exists()
    assert measured.references.tolist() == [1, 7]


def test_layers_are_timed_alone(tmp_path):
    space, task = load_space("nasbench_graph"), GraphTask("nodes", 3, 8, 4)
    text = space.format(draw(space, 1, 0))
    path = tmp_path / "layers.csv"
    told = []
    rows = measure_layers(
        space, text, TorchRunner(batch=2), task, path, QUICK, lambda *done: told.append(done)
    )
    signatures = layer_signatures(space, space.parse(text)[0], task)
    assert list(rows) == list(dict.fromkeys(signatures))
    table = pd.read_csv(path)
    assert table["signature"].tolist() == list(rows)
    assert (table["latency_ms"] > 0).all()
    assert (table["status"] == "ok").all()
    assert told[-1] == (len(rows), len(rows))
    assert measure_layers(space, text, TorchRunner(batch=2), task, path, QUICK, lambda *_: 1 / 0) == rows


def test_signatures_tell_layers_apart():
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
    signatures = layer_signatures(load_space("nasbench201"), SPACE.parse([text])[0], "cifar10")
    first = "Conv2d(3, 16, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False) 1x3x32x32"
    assert signatures[0] == first
    assert signatures.count(first) == 1
    assert signatures[-1] == "Linear(in_features=64, out_features=10, bias=True) 1x64"
    for kernel, padding in ((3, ", padding=(1, 1)"), (1, "")):
        layer = (
            f"Conv2d(32, 32, kernel_size=({kernel}, {kernel}), stride=(1, 1){padding}, bias=False) 1x32x16x16"
        )
        assert signatures.count(layer) == 5 + (kernel == 3)
    assert sum(signature.startswith("AvgPool2d") for signature in signatures) == 15 + 2
    assert "Zero(given=16, stride=1) 1x16x32x32" in signatures


@pytest.mark.parametrize(("space", "task"), [("mobilenetv3", "imagenet"), ("nasbench_graph", "cora")])
def test_networks_of_other_inputs_have_signatures(space, task):
    loaded = load_space(space)
    first, second = (layer_signatures(loaded, row, task) for row in draw(loaded, 2, 0))
    assert first != second
    assert first[0] == layer_signatures(loaded, draw(loaded, 1, 0)[0], task)[0]


def test_draws_differ_and_grow():
    drawn = draw(SPACE, 300, 5)
    assert len(np.unique(drawn, axis=0)) == 300
    np.testing.assert_array_equal(draw(SPACE, 20, 5), drawn[:20])
    assert (draw(SPACE, 20, 6) != drawn[:20]).any()


def test_draws_from_a_large_space_differ_and_grow():
    space = load_space("fbnet")
    drawn = draw(space, 100, 5)
    assert len(np.unique(drawn, axis=0)) == 100
    np.testing.assert_array_equal(draw(space, 20, 5), drawn[:20])


def test_a_small_space_is_drawn_whole():
    space = load_space("transnas_macro")
    drawn = draw(space, 10**6, 0)
    assert len(np.unique(drawn, axis=0)) == len(drawn) == space.n_architectures


def test_reference_is_an_ordinary_architecture(monkeypatch):
    monkeypatch.setattr("ktnas.measure.measuring.CANDIDATES", 5)
    text = reference_architecture(SPACE, TASK)
    assert text == reference_architecture(SPACE, TASK)
    counts = [count_flops(SPACE.build(row, TASK), TASK.inputs(1)) for row in draw(SPACE, 5, 0)]
    assert count_flops(SPACE.build(text, TASK), TASK.inputs(1)) == sorted(counts)[2]


def test_equal_architectures_are_measured_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "ktnas.measure.session.Session.measure_missing", lambda self, texts, _: asked.extend(texts)
    )
    genotypes = draw(SPACE, 3, 0)
    measure(SPACE, genotypes[[2, 0, 2, 1, 0]], TorchRunner(), TASK, name="x", directory=tmp_path)
    assert asked == SPACE.format(genotypes[[2, 0, 1]])


def test_a_space_without_networks_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no networks to measure"):
        measure(replace(SPACE, network={}), draw(SPACE, 1, 0), TorchRunner(), name="x", directory=tmp_path)
