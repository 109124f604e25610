from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktnas.engine.config import plain_config
from ktnas.presets import compose
from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.files import json_bytes
from ktnas.record.ledger import Ledger
from ktnas.record.summary import build_summary
from ktnas.space import load_space

SPACE = load_space("nasbench201")
OBJECTIVES = (Objective("error", "error", unit="%"), Objective("latency", "latency_ms_phone", "phone", "ms"))


def make_evaluations(
    task: str, role: str, count: int, first: int = 0, seed: int = 0, predicted: bool = False
) -> list[Evaluation]:
    """Random cells whose error falls with their latency; some fail."""
    rng = np.random.default_rng(seed)
    genotypes = SPACE.architectures()[rng.permutation(len(SPACE.architectures()))[:count]]
    evaluations = []
    for i, (text, key) in enumerate(
        zip(SPACE.format(genotypes), SPACE.identities(genotypes).tolist(), strict=True)
    ):
        latency = float(rng.uniform(1, 20))
        metrics = {"error": 10 + 20 / latency + float(rng.exponential(2)), "latency_ms_phone": latency}
        if predicted:
            metrics["latency_ms_phone_std"] = 0.5 * (i % 2)
        failed = i % 7 == 3
        evaluations.append(
            Evaluation(
                first + i, i // 5, task, role, text, f"{key:016x}",
                "failed" if failed else "ok", {} if failed else metrics, 0.5,
                "ValueError: <b>no memory</b> & no hope" if failed else "", "here", first + i,
            )
        )  # fmt: skip
    return evaluations


@pytest.fixture
def evaluations() -> Callable[..., list[Evaluation]]:
    return make_evaluations


@pytest.fixture
def write_run(tmp_path) -> Callable[..., Path]:
    """Write a run of the tasks of its evaluations, with a configuration that presets compose to."""

    def write(
        name: str,
        evaluations: Sequence[Evaluation],
        *,
        finished: bool = True,
        fingerprint: dict[str, Any] | None = None,
        changes: dict[str, Any] | None = None,
        objectives: tuple[Objective, ...] = OBJECTIVES,
        **config: Any,
    ) -> Path:
        overrides = {"device": ["phone"], "budget": 20, "source_budget": 20, "target": ["cifar100"], **config}
        settings = plain_config(compose("nsga2", "nasbench201", overrides)) | (changes or {})
        tasks = {e.task: e.role for e in evaluations}
        run = RunDescription(objectives, tasks, ("phone",) if len(objectives) > 1 else (), {}, settings, {})
        decisive = {
            key: value
            for key, value in settings.items()
            if key not in ("workers", "parallel", "measure_front")
        }
        with Ledger.open(tmp_path / name, decisive | (fingerprint or {}), run) as ledger:
            ledger.record(evaluations)
        (tmp_path / name / "config.yaml").touch()
        if finished:
            summary = build_summary(evaluations, run, 1.5)
            (tmp_path / name / "summary.json").write_bytes(json_bytes(summary))
        return tmp_path / name

    return write
