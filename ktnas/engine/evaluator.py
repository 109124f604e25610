"""Asking for evaluations: from the ledger where they were answered before, else from the task."""

import math
import time

import numpy as np

from ktnas.arrays import IntArray
from ktnas.engine.objectives import Objectives
from ktnas.engine.progress import Progress, ProgressEvent
from ktnas.engine.state import TaskState
from ktnas.record.description import FrontSpec
from ktnas.record.evaluation import Evaluation
from ktnas.record.front import hypervolume_ratio, non_dominated
from ktnas.record.ledger import Ledger
from ktnas.task.outcome import Outcome


class Evaluator:
    """Answers the questions of a search in the order they are asked, and records every answer.

    Args:
        ledger: answers what it holds and keeps the rest.
        objectives: of the search.
        fronts: task to its first front, for the progress display.
        progress: told after each batch.
    """

    def __init__(
        self, ledger: Ledger, objectives: Objectives, fronts: dict[str, FrontSpec], progress: Progress
    ) -> None:
        self._ledger = ledger
        self._objectives = objectives
        self._fronts = fronts
        self._progress = progress
        self._asked = 0
        self._answered = len(ledger)

    def evaluate(self, state: TaskState, genotypes: IntArray) -> None:
        """Evaluate (N, V) on the task of ``state`` and add them to it, in the order asked.

        What a killed run has answered is not evaluated again. Each answer is in the ledger before the next
        question of the search.
        """
        keys = [f"{identity:016x}" for identity in state.space.identities(genotypes).tolist()]
        orders = range(self._asked, self._asked + len(keys))
        self._asked += len(keys)
        answers = {
            order: answer
            for order, key in zip(orders, keys, strict=True)
            if (answer := self._ledger.replay(order, state.name, key)) is not None
        }
        open_rows = [i for i, order in enumerate(orders) if order not in answers]
        if open_rows:
            texts = state.space.format(genotypes)
            for i, new in self._ask(state, genotypes, open_rows, orders, keys, texts):
                answers[orders[i]] = new
        state.add(genotypes, [answers[order] for order in orders])
        self._report(state)

    def adopt(self, state: TaskState, genotypes: IntArray, evaluations: list[Evaluation]) -> None:
        """Take over the evaluations of a finished run: they are recorded here too, as those of a source."""
        keys = [f"{identity:016x}" for identity in state.space.identities(genotypes).tolist()]
        adopted = []
        for key, old in zip(keys, evaluations, strict=True):
            known = self._ledger.replay(self._asked, state.name, key)
            if known is None:
                known = Evaluation(
                    order=self._asked,
                    generation=old.generation,
                    task=state.name,
                    role="source",
                    architecture=old.architecture,
                    key=key,
                    status=old.status,
                    metrics=old.metrics,
                    seconds=old.seconds,
                    message=old.message,
                    host=old.host,
                    answered=self._answered,
                )
                self._answered += 1
                adopted.append(known)
            self._asked += 1
        self._ledger.record(adopted)
        state.add(genotypes, evaluations)
        self._report(state)

    def _ask(
        self,
        state: TaskState,
        genotypes: IntArray,
        rows: list[int],
        orders: range,
        keys: list[str],
        texts: list[str],
    ) -> list[tuple[int, Evaluation]]:
        assert state.task is not None
        found: list[tuple[int, Evaluation]] = []
        started = time.perf_counter()
        for finished in state.task.stream(genotypes[rows]):
            batch: list[Evaluation] = []
            seconds = (time.perf_counter() - started) / max(len(finished), 1)
            outcomes = dict(finished)
            asked = genotypes[[rows[i] for i in outcomes]]
            metrics = self._objectives.metrics(state.task, asked, [o.metrics for o in outcomes.values()])
            for (i, outcome), values in zip(outcomes.items(), metrics, strict=True):
                row = rows[i]
                batch.append(
                    self._evaluation(state, orders[row], keys[row], texts[row], outcome, values, seconds)
                )
                found.append((row, batch[-1]))
            self._ledger.record(batch)
            started = time.perf_counter()
        return found

    def _evaluation(
        self,
        state: TaskState,
        order: int,
        key: str,
        text: str,
        outcome: Outcome,
        metrics: dict[str, float],
        seconds: float,
    ) -> Evaluation:
        missing = [name for name in state.columns[: state.n_objectives] if not math.isfinite(metrics[name])]
        ok = outcome.status == "ok" and not missing
        message = outcome.message or (f"no finite {', '.join(missing)}" if missing else "")
        self._answered += 1
        return Evaluation(
            order=order,
            generation=state.generation,
            task=state.name,
            role=state.role,
            architecture=text,
            key=key,
            status="ok" if ok else ("failed" if outcome.status == "ok" else outcome.status),
            metrics=metrics if outcome.status == "ok" else {},
            seconds=outcome.seconds or seconds,
            message=message,
            host=outcome.host,
            answered=self._answered - 1,
        )

    def _report(self, state: TaskState) -> None:
        spec = self._fronts[state.name]
        errors = state.errors
        ratio = None
        if spec.true_front is not None and len(spec.objectives) > 1:
            points = state.values[:, [state.columns.index(column) for column in spec.columns]]
            points = points[state.violations[:, 0] == 0]
            ratio = hypervolume_ratio(points[non_dominated(points)], spec.true_front)
        self._progress.update(
            ProgressEvent(
                task=state.name,
                role=state.role,
                done=len(state),
                budget=state.budget,
                best_error=float(np.nanmin(errors)) if np.isfinite(errors).any() else math.nan,
                hypervolume=ratio,
                failed=int((~np.isfinite(errors)).sum()),
            )
        )
