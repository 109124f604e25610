"""Small worlds for the tests of the engine: tables of one's own, and what a search knows of their tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ktnas.arrays import FloatArray, IntArray
from ktnas.engine.benchmark import load_benchmark
from ktnas.engine.config import LimitsConfig
from ktnas.engine.objectives import Objectives
from ktnas.engine.state import TaskState
from ktnas.record.evaluation import Evaluation
from ktnas.space import load_space

SPACE = load_space("transnas_micro")
COLUMNS = ("error", "latency_ms_phone", "params")


def write_tables(directory: Path, n: int | None = 40, seed: int = 0) -> dict[str, Any]:
    """Benchmark of ``n`` architectures (all for None): related tasks a, b and c, devices phone and board."""
    rng = np.random.default_rng(seed)
    rows = SPACE.architectures()
    if n is not None:
        rows = rows[np.sort(rng.choice(len(rows), n, replace=False))]
    worth, cost = rng.normal(size=(6, 4)), rng.uniform(0.1, 2, size=(6, 4))
    score = worth[np.arange(6), rows].sum(axis=1)
    texts = SPACE.format(rows)
    scores = {name: 80 + 3 * score + rng.normal(size=len(rows)) for name in ("a", "b", "c")}
    latency = cost[np.arange(6), rows].sum(axis=1)
    pd.DataFrame({"arch": texts} | scores).to_csv(directory / "scores.csv", index=False)
    pd.DataFrame({"arch": texts, "phone": latency, "board": 30 - 2 * latency}).to_csv(
        directory / "latency.csv", index=False
    )
    return {
        "name": "table",
        "space": SPACE.name,
        "scores": str(directory / "scores.csv"),
        "latency": str(directory / "latency.csv"),
        "unit": "%",
    }


def state_of(values: FloatArray, limits: Sequence[float] = (), seed: int = 0) -> TaskState:
    """A state with the given objectives (N, m) of N architectures, NaN where the evaluation failed."""
    values = np.asarray(values, dtype=np.float64)
    columns = COLUMNS[: values.shape[1]]
    state = TaskState(
        index=0,
        name="a",
        role="target",
        space=SPACE,
        columns=columns,
        n_objectives=values.shape[1],
        limits=np.array([[*limits, *[np.inf] * (values.shape[1] - len(limits))]]),
        budget=1000,
        rng=np.random.default_rng(seed),
    )
    rows = SPACE.architectures()[np.random.default_rng(seed).choice(SPACE.size, len(values), replace=False)]
    state.add(
        rows,
        [
            evaluation(order, dict(zip(columns, row, strict=True)))
            for order, row in enumerate(values.tolist())
        ],
    )
    return state


def evaluation(order: int, metrics: dict[str, float]) -> Evaluation:
    """An evaluation of task a; failed where a metric is NaN."""
    failed = any(np.isnan(value) for value in metrics.values())
    return Evaluation(
        order=order,
        generation=0,
        task="a",
        role="target",
        architecture="",
        key=f"{order:016x}",
        status="failed" if failed else "ok",
        metrics={} if failed else metrics,
    )


@dataclass
class Scene:
    """A search in the middle: objectives, and the states of its tasks."""

    objectives: Objectives
    states: list[TaskState]

    @classmethod
    def of(
        cls,
        config: dict[str, Any],
        tasks: Sequence[str] = ("a", "b"),
        objectives: Sequence[str] = ("error",),
        devices: Sequence[str] = (),
        limits: LimitsConfig | None = None,
        seed: int = 0,
    ) -> "Scene":
        """A search of which nothing is known yet."""
        benchmark = load_benchmark(config)
        chosen = Objectives.of(objectives, [benchmark.device(d) for d in devices], limits or LimitsConfig())
        columns = tuple(dict.fromkeys((*chosen.names, *chosen.limits, "error")))
        states = [
            TaskState(
                index=index,
                name=name,
                role="target",
                space=benchmark.space,
                columns=columns,
                n_objectives=len(chosen.names),
                limits=chosen.front_limits(columns),
                budget=1000,
                rng=np.random.default_rng([seed, index]),
                task=benchmark.task(name),
            )
            for index, name in enumerate(tasks)
        ]
        return cls(chosen, states)

    def evaluate(self, index: int, n: int, fail: bool = False) -> "Scene":
        """Evaluate ``n`` random architectures on a task."""
        state = self.states[index]
        return self.tell(index, state.draw(n), fail)

    def tell(self, index: int, genotypes: IntArray, fail: bool = False) -> "Scene":
        """Evaluate ``genotypes`` on a task; ``fail`` all of them."""
        state = self.states[index]
        assert state.task is not None
        found = [outcome.metrics for outcome in state.task.evaluate(genotypes)]
        metrics = self.objectives.metrics(state.task, genotypes, found)
        if fail:
            metrics = [dict.fromkeys(row, np.nan) for row in metrics]
        state.add(genotypes, [evaluation(len(state) + i, row) for i, row in enumerate(metrics)])
        state.parents = np.flatnonzero(np.isfinite(state.F).all(axis=1))[:10]
        return self
