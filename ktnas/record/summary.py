"""The summary of a run: ``summary.json``."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ktnas.record.description import FrontSpec, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.files import plain
from ktnas.record.view import FrontView
from ktnas.version import __version__

_PACKAGES = ("numpy", "torch", "scipy", "pandas", "pymoo", "moocore")


def build_summary(
    evaluations: Sequence[Evaluation],
    description: RunDescription,
    seconds: float,
    workers: int | None = None,
    utilisation: float | None = None,
) -> dict[str, Any]:
    """What a run came to, in plain types.

    Numbers that are not known are None: regret and hypervolume ratio without a true front, hypervolume with
    one objective, the best error of a task where nothing succeeded within the limits.

    Args:
        evaluations: of the run.
        description: of the run.
        seconds: wall-clock time of the search.
        workers: evaluations at a time; None where evaluating is looking up.
        utilisation: share of the workers' time that they evaluated, or None.

    Returns:
        ``tasks`` maps each task to ``role``, ``evaluations``, ``failed`` and ``fronts``, a list with for
        each device ``device``, ``objectives`` (columns), ``limits``, ``best_error``, ``best_architecture``,
        ``regret``, ``front_size``, ``hypervolume``, ``hypervolume_ratio``, ``reference`` (the point
        hypervolume is measured from) and ``true_front`` (points, or None). Beside it ``evaluations``,
        ``failed``, ``seconds``, ``workers``, ``utilisation``, ``algorithm``, ``seed``, ``versions`` and
        ``config``.
    """
    tasks: dict[str, Any] = {}
    for spec in description.fronts():
        view = FrontView.of(spec, evaluations)
        entry = tasks.setdefault(
            spec.task,
            {"role": spec.role, "evaluations": len(view.evaluations), "failed": view.failed, "fronts": []},
        )
        entry["fronts"].append(_front_entry(spec, view))
    summary = {
        "evaluations": len(evaluations),
        "failed": sum(e.status != "ok" for e in evaluations),
        "seconds": seconds,
        "workers": workers,
        "utilisation": utilisation,
        "algorithm": description.config.get("algorithm"),
        "seed": description.config.get("seed"),
        "tasks": tasks,
        "versions": versions(),
        "config": description.config,
    }
    result: dict[str, Any] = plain(summary)
    return result


def versions() -> dict[str, str]:
    """Versions of Python, ktnas and the installed libraries that decide numbers; imports none of them."""
    found = {"python": platform.python_version(), "ktnas": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _front_entry(spec: FrontSpec, view: FrontView) -> dict[str, Any]:
    best = view.best
    return {
        "device": spec.device,
        "objectives": spec.columns,
        "limits": spec.limits,
        "best_error": None if best is None else best.metrics["error"],
        "best_architecture": None if best is None else best.architecture,
        "regret": view.regret,
        "front_size": int(view.front.sum()),
        "hypervolume": view.hypervolume,
        "hypervolume_ratio": view.hypervolume_ratio,
        "reference": view.reference,
        "true_front": spec.true_front,
    }
