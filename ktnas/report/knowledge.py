"""What other tasks lent to a target, and what can be known of its worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ktnas.record.description import FrontSpec
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import RunRecord
from ktnas.record.view import FrontView

FEWEST = 5
"""Common architectures below which no correlation is given."""


@dataclass(frozen=True)
class Lender:
    """Another task of the run.

    Attributes:
        task: name.
        role: in the run.
        evaluations: of the task.
        best_error: within the limits; NaN when nothing succeeded.
        common: architectures that succeeded there and on the target.
        correlation: Spearman's, of the errors of those; NaN of fewer than 5, or where one is constant.
    """

    task: str
    role: str
    evaluations: int
    best_error: float
    common: int
    correlation: float


@dataclass(frozen=True)
class Knowledge:
    """What a target could learn from, and what it took over.

    Attributes:
        target: name.
        lenders: the other tasks, sources first.
        origin: where the evaluations of the sources are from.
        ways: setting of the algorithm to how it uses other tasks.
        evaluations: of the target.
        met: those whose architecture another task had evaluated before.
        best_met: lowest error among them; NaN of none.
        best_new: lowest error among the others; NaN of none.
        front: architectures on the target's fronts.
        front_met: those that another task had evaluated before.
    """

    target: str
    lenders: list[Lender]
    origin: str
    ways: dict[str, str]
    evaluations: int
    met: int
    best_met: float
    best_new: float
    front: int
    front_met: int


def target_knowledge(record: RunRecord) -> list[Knowledge]:
    """What each target of a run could learn from, in the order of the description."""
    specs: dict[str, list[FrontSpec]] = {}
    for spec in record.description.fronts():
        specs.setdefault(spec.task, []).append(spec)
    return [_knowledge(record, of_task, specs) for of_task in specs.values() if of_task[0].role == "target"]


def _knowledge(record: RunRecord, own: Sequence[FrontSpec], specs: dict[str, list[FrontSpec]]) -> Knowledge:
    views = [FrontView.of(spec, record.evaluations) for spec in own]
    target, evaluations = own[0].task, views[0].evaluations
    others = sorted((s[0] for s in specs.values() if s[0].task != target), key=lambda s: s.role == "target")
    asked: dict[str, int] = {}
    for evaluation in record.evaluations:
        if evaluation.task != target:
            asked.setdefault(evaluation.key, evaluation.order)
    met = np.array([asked.get(e.key, math.inf) < e.order for e in evaluations], dtype=np.bool_)
    errors = views[0].errors
    front = np.any([view.front for view in views], axis=0)
    return Knowledge(
        target,
        [_lender(record, spec, evaluations) for spec in others],
        _origin(record),
        _ways(record),
        len(evaluations),
        int(met.sum()),
        _lowest(errors[met]),
        _lowest(errors[~met]),
        int(front.sum()),
        int((front & met).sum()),
    )


def _lender(record: RunRecord, spec: FrontSpec, on_target: Sequence[Evaluation]) -> Lender:
    view = FrontView.of(spec, record.evaluations)
    theirs = {e.key: e.metric("error") for e in view.evaluations}
    both = [(theirs[e.key], e.metric("error")) for e in on_target if e.key in theirs]
    pairs = np.array(both).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    comparable = len(pairs) >= FEWEST and (np.ptp(pairs, axis=0) > 0).all()
    ranks = pd.DataFrame(pairs).rank().to_numpy()
    correlation = float(np.corrcoef(ranks, rowvar=False)[0, 1]) if comparable else math.nan
    return Lender(spec.task, spec.role, len(view.evaluations), _lowest(view.errors), len(pairs), correlation)


def _origin(record: RunRecord) -> str:
    source = record.fingerprint.get("source")
    if isinstance(source, dict):
        named = record.description.config.get("source")
        return f"taken over from the run {named} (digest of its rows: {source.get('run')})"
    return "searched first, in this run"


def _ways(record: RunRecord) -> dict[str, str]:
    transfer, screen, surrogate = (
        (record.description.config.get(part) or {}).get("name", "none")
        for part in ("transfer", "screen", "surrogate")
    )
    ways: dict[str, str] = {}
    if transfer != "none":
        ways[f"transfer={transfer}"] = "moves parents of other tasks into the breeding pool of the target"
    if screen == "surrogate":
        ways[f"surrogate={surrogate}"] = "learns from the evaluations of all tasks what to evaluate next"
    return ways


def _lowest(errors: np.ndarray) -> float:
    return float(np.nanmin(errors)) if np.isfinite(errors).any() else math.nan
