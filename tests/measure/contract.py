"""What every runner must do; the test class of a runner inherits it."""

from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml
from torch import nn

from ktnas.errors import UserError
from ktnas.measure.runner import Runner
from ktnas.measure.timing import Limits, time_runs
from ktnas.record.files import json_bytes
from ktnas.registry import build, resolve
from ktnas.resources import resource_dir
from ktnas.threads import one_torch_thread

QUICK = Limits(precision=0.5, max_seconds=0.2)


class Network(nn.Module):
    """Multiplies a matrix by another one, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.weight = nn.Parameter(torch.eye(128))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.times):
            x = x @ self.weight
        return x


class RunnerContract:
    """Tests of a runner that works on the machine of the tests.

    Attributes:
        preset: its file in ``conf/runner``.
        parameters: laid over the preset.
        wrong: parameters that are refused when the runner is built or checked, and what is said.
    """

    preset: ClassVar[str]
    parameters: ClassVar[dict[str, Any]] = {}
    wrong: ClassVar[list[tuple[dict[str, Any], str]]] = []

    def build(self, **parameters: Any) -> Runner:
        config = yaml.safe_load((resource_dir("conf") / "runner" / f"{self.preset}.yaml").read_text())
        runner: Runner = build("runner", {**config, **self.parameters, **parameters})
        return runner

    def milliseconds(self, times: int, scratch: Path, batch: int = 1) -> float:
        runner = self.build(batch=batch)
        with one_torch_thread():
            run = runner.prepare(Network(times).eval(), (torch.rand(batch, 128, 128),), scratch)
            return time_runs(run, QUICK, runner.warms_up).latency_ms

    def test_runs_are_timed(self, tmp_path):
        run = self.build().prepare(Network(1).eval(), (torch.rand(1, 128, 128),), tmp_path)
        for count in (1, 3):
            figures = run(count)
            assert len(figures) >= 1
            assert all(0 < figure < 10_000 for figure in figures)

    def test_more_work_takes_longer(self, tmp_path):
        assert self.milliseconds(60, tmp_path, batch=2) > self.milliseconds(1, tmp_path)

    def test_it_can_work_here_and_says_where(self):
        runner = self.build()
        runner.check()
        assert json_bytes(runner.describe())

    def test_name_and_preset_are_those_of_the_registry(self):
        plugin = resolve("runner", self.build().name)
        config = yaml.safe_load((resource_dir("conf") / "runner" / f"{self.preset}.yaml").read_text())
        assert type(self.build()) is plugin
        assert set(config) == {"name", *(item.name for item in fields(plugin) if item.init)}

    def test_mistakes_are_named(self):
        for parameters, said in [*self.wrong, ({"batch": 0}, "batch=0: expected 1 image or more")]:
            with pytest.raises(UserError) as caught:
                self.build(**parameters).check()
            assert said in str(caught.value)
