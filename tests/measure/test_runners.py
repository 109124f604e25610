import importlib.util
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.measure import torch_runner
from ktnas.measure.command_runner import CommandError, CommandRunner, read_milliseconds
from ktnas.measure.onnx_file import check_onnx, export_onnx
from ktnas.measure.torch_runner import TorchRunner
from ktnas.space import load_space
from tests.measure.contract import RunnerContract

RUNS_ONNX = """
import sys, time, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
(taken,) = session.get_inputs()
import numpy
inputs = {taken.name: numpy.zeros(taken.shape, dtype=numpy.float32)}
for _ in range(9):
    started = time.perf_counter()
    session.run(None, inputs)
    print(f"{(time.perf_counter() - started) * 1000:.6f}", end=" ")
"""


class TestTorch(RunnerContract):
    preset = "cpu"
    wrong = (
        ({"threads": 0}, "threads=0: expected 1 or more"),
        ({"place": "tpu"}, "place=tpu: expected cpu, cuda or cuda:NUMBER"),
        ({"place": "meta"}, "place=meta: expected cpu"),
        ({"place": "cuda:99"}, "GPU"),
    )

    def test_description_has_what_numbers_depend_on(self):
        told = self.build().describe()
        assert told["torch"] == version("torch")
        assert told["cores"] >= told["usable_cores"] >= 1
        assert told["memory_gib"] > 0
        assert told["cpu"]
        assert told["os"]

    def test_every_run_is_waited_for(self):
        order = []
        run = torch_runner._runs(lambda: order.append("run"), (), lambda: order.append("wait"))
        assert len(run(3)) == 1
        assert order == ["run", "wait"] * 3

    def test_threads_are_set(self, tmp_path):
        before = torch.get_num_threads()
        try:
            self.build(threads=2).prepare(nn.Identity(), (torch.rand(1),), tmp_path)
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(before)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="a machine without a GPU is needed")
    def test_a_missing_gpu_is_named(self):
        with pytest.raises(UserError, match=r"finds no GPU on this machine.*device=cpu"):
            TorchRunner(place="cuda").check()

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="a GPU is needed")
    def test_a_gpu_is_described_and_used(self, tmp_path):
        runner = TorchRunner(place="cuda")
        runner.check()
        assert runner.describe()["gpu"]
        assert runner.prepare(nn.Linear(4, 4), (torch.rand(1, 4),), tmp_path)(2)[0] > 0

    @pytest.mark.slow
    def test_a_compiler_that_fails_is_named(self, monkeypatch):
        def fail(*_):
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nmore")

        monkeypatch.setattr(torch, "compile", lambda network: fail)
        with pytest.raises(UserError, match=r"does not work here: InvalidCxxCompiler.*g\+\+.*device=cpu"):
            torch_runner._compile(nn.Identity(), (torch.rand(1),))


@pytest.mark.slow
class TestCompile(RunnerContract):
    preset = "compile"

    def test_compiling_may_take_its_time(self):
        assert self.build().patience > self.build(compiled=False).patience


class TestOnnxruntime(RunnerContract):
    preset = "onnxruntime"
    wrong = (
        ({"threads": 0}, "threads=0"),
        ({"provider": "CPUExecutionProvidr"}, "Did you mean CPUExecutionProvider"),
    )

    def test_a_missing_package_is_named(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        monkeypatch.setattr("ktnas.measure.onnx_file.find_spec", lambda name: None)
        with pytest.raises(UserError, match=r"onnxruntime not installed.*pip install 'ktnas\[onnx\]'"):
            check_onnx("onnxruntime")


class TestCommand(RunnerContract):
    preset = "command"
    wrong = (
        ({"command": ""}, 'command="python my_runner.py {onnx}"'),
        ({"command": "no-such-program {onnx}"}, "there is no program 'no-such-program'"),
        ({"command": "python 'my_runner.py"}, "Check its quotes"),
    )

    @pytest.fixture(autouse=True)
    def _command(self, tmp_path, monkeypatch):
        script = tmp_path / "my runner.py"
        script.write_text(RUNS_ONNX)
        monkeypatch.setattr(type(self), "parameters", {"command": f"{sys.executable} '{script}'"})

    @pytest.mark.parametrize("where", ["{onnx} end", "--model={onnx} end", "end"])
    def test_the_file_goes_where_it_is_wanted(self, tmp_path, where):
        script = tmp_path / "sees.py"
        script.write_text("import sys\nprint(*sys.argv[1:], file=open('seen.txt', 'w'))\nprint(7)\n")
        run = CommandRunner(f"{sys.executable} {script} {where}").prepare(
            nn.Identity(), (torch.rand(1),), tmp_path
        )
        assert run(1) == [7]
        path = str(tmp_path / "network.onnx")
        seen = (tmp_path / "seen.txt").read_text().strip()
        assert seen == (where.replace("{onnx}", path) if "{" in where else f"end {path}")

    @pytest.fixture(autouse=True)
    def _here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        ("script", "said"),
        [
            ("import sys; print('device offline', file=sys.stderr); sys.exit(3)", "status 3: device offline"),
            ("import sys; sys.exit(1)", "status 1: it printed nothing"),
            ("pass", "last line is no number: ''"),
            ("print('no luck')", "last line is no number: 'no luck'"),
        ],
    )
    def test_failures_are_told(self, tmp_path, script, said):
        (tmp_path / "bad.py").write_text(script)
        run = CommandRunner(f"{sys.executable} bad.py").prepare(nn.Identity(), (torch.rand(1),), tmp_path)
        with pytest.raises(CommandError) as caught:
            run(1)
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("12.5\n", [12.5]),
        ("warming up 3\n 1.5 2,5 \n\n", [1.5, 2, 5]),
        ("1.5, 2.5; .5 1e-1", [1.5, 2.5, 0.5, 0.1]),
        ("latency: 12.5 ms", [12.5]),
        ("median of 50 runs: 12.5ms", [12.5]),
        ("3 ms 4 ms", [3, 4]),
        ("10 runs 12.5 ms", [12.5]),
        ("model v2 took 1.25e+1", [12.5]),
    ],
)
def test_numbers_are_read(printed, expected):
    assert read_milliseconds(printed) == expected


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("", "no number"),
        ("5\nfinished", "no number: 'finished'"),
        ("nan", "no number"),
        ("-3", "above 0"),
        ("1 0 2", "above 0"),
        ("0.0125 s", "expected milliseconds, not s"),
        ("latency 950 us", "expected milliseconds, not us"),
    ],
)
def test_what_is_no_latency_is_refused(printed, said):
    with pytest.raises(CommandError, match=said):
        read_milliseconds(printed)


@pytest.mark.parametrize(
    ("space", "task"), [("nasbench201", "cifar10"), ("nasbench101", "cifar10"), ("nasbench_macro", "cifar10")]
)
def test_exported_networks_compute_what_torch_does(tmp_path, space, task):
    loaded = load_space(space)
    small = {} if space == "nasbench_macro" else {"channels": 4}
    network = loaded.build(loaded.sample(1, np.random.default_rng(0))[0], task, **small).eval()
    images = torch.rand(2, 3, 16, 16)
    export_onnx(network, (images,), tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(answer, network(images).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_what_no_exporter_knows_is_an_error(tmp_path):
    class Strange(nn.Module):
        def forward(self, x):
            raise TypeError("strange")

    with pytest.raises(UserError, match="cannot be written as ONNX"):
        export_onnx(Strange(), (torch.rand(1),), tmp_path / "network.onnx")
