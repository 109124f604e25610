"""``ktnas.search``: the command ``ktnas search``, from Python and without Hydra."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ktnas.engine.progress import Progress
from ktnas.engine.result import SearchResult
from ktnas.engine.run import run_search
from ktnas.presets import compose


def search(
    benchmark: str | Mapping[str, Any] = "nasbench_graph",
    *,
    source: str | Path | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    device: str | Sequence[str] | None = None,
    objectives: str | Sequence[str] = ("error", "latency"),
    algorithm: str = "ktnas",
    budget: int = 100,
    source_budget: int = 100,
    seed: int = 0,
    run_dir: str | Path | None = None,
    workers: int = 1,
    timeout: float | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """Search target tasks with what is known of source tasks.

    Args:
        benchmark: name of a preset, path of a YAML file, or ``{"name": preset, **changes}``; functions of
            one's own are ``{"name": "function", "functions": {"task": f}, "space": "nasbench201"}``.
        source: tasks searched first, or the directory of a finished run; None is the benchmark's default.
        target: tasks to search; None is the benchmark's default.
        device: where latency counts; None is the benchmark's default.
        objectives: what is minimised, of error, latency, params, flops, energy.
        algorithm: a preset of ``conf/algorithm``.
        budget: evaluations of each target, first population included.
        source_budget: evaluations of each source.
        seed: of all randomness.
        run_dir: where the files go; a run that is there is continued. None keeps everything in memory.
        workers: processes that evaluate functions; does not change the rows.
        timeout: seconds that one evaluation of a function may take.
        overrides: any other field of ``SearchConfig``, nested or dotted: ``{"limits.latency": 5}``.
        progress: told how it goes.

    Returns:
        The result: ``result.front(task)``, ``result.evaluations``, ``result.summary``.

    Raises:
        UserError: for a mistake in the arguments or in the files they name.
    """
    given: dict[str, Any] = {
        "source": source,
        "target": target,
        "device": device,
        "objectives": objectives,
        "budget": budget,
        "source_budget": source_budget,
        "seed": seed,
        "workers": workers,
        "timeout": timeout,
    }
    config = compose(algorithm, benchmark, _plain(given | dict(overrides or {})))
    return run_search(config, None if run_dir is None else Path(run_dir), progress)


def _plain(value: Any) -> Any:
    """Sequences as lists, paths as texts, numpy's numbers as Python's."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value
