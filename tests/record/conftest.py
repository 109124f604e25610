import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.files import json_bytes
from ktnas.record.ledger import Ledger
from ktnas.record.summary import build_summary

ERROR = Objective("error", "error", unit="%")


def latency(device: str) -> Objective:
    return Objective("latency", f"latency_ms_{device}", device, "ms")


def make_evaluation(order: int, task: str = "citeseer", **changes: Any) -> Evaluation:
    values: dict[str, Any] = {
        "order": order,
        "generation": order // 10,
        "task": task,
        "role": "target",
        "architecture": f"arch-{order}",
        "key": f"{order:016x}",
        "status": "ok",
        "metrics": {"error": 30 - order / 7, "latency_ms_gpu": 1 + order / 3, "params": 100.0},
        "seconds": 0.25,
        "host": "here",
        "answered": order,
    }
    return Evaluation(**values | changes)


def make_description(devices: Sequence[str] = ("gpu",), **changes: Any) -> RunDescription:
    values: dict[str, Any] = {
        "objectives": (ERROR, *(latency(device) for device in devices)),
        "tasks": {"citeseer": "target"},
        "devices": tuple(devices),
        "config": {"benchmark": {"name": "nasbench_graph"}, "algorithm": "ktnas", "seed": 0},
    }
    return RunDescription(**values | changes)


def random_run(seed: int, quality: float, count: int = 30, task: str = "citeseer") -> list[Evaluation]:
    """Evaluations of a search; the lower ``quality``, the lower the errors."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(1, 10, count)
    errors = 20 + 10 / times + quality * rng.exponential(5, count)
    return [
        make_evaluation(i, task, metrics={"error": float(e), "latency_ms_gpu": float(t)})
        for i, (e, t) in enumerate(zip(errors, times, strict=True))
    ]


@pytest.fixture
def evaluation() -> Callable[..., Evaluation]:
    return make_evaluation


@pytest.fixture
def description() -> Callable[..., RunDescription]:
    return make_description


@pytest.fixture
def write_run() -> Callable[..., Path]:
    """Write the directory of a run; an unfinished one has a ledger alone."""

    def write(
        run_dir: Path, evaluations: Sequence[Evaluation], run: RunDescription, finished: bool = True
    ) -> Path:
        with Ledger.open(run_dir, run.config, run) as ledger:
            ledger.record(evaluations)
        if finished:
            (run_dir / "summary.json").write_bytes(json_bytes(build_summary(evaluations, run, 1.5)))
        return run_dir

    return write


@pytest.fixture
def search() -> Callable[..., list[Evaluation]]:
    return random_run


@pytest.fixture
def odd_metrics() -> dict[str, float]:
    """Numbers that do not survive careless writing."""
    return {
        "error": 0.1 + 0.2,
        "nan": math.nan,
        "inf": math.inf,
        "tiny": 5e-324,
        "negative_zero": -0.0,
        "third": 1 / 3,
    }
