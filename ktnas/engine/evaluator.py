"""Asking for evaluations: from the ledger where they were answered before, else from the task."""

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ktnas.arrays import IntArray
from ktnas.engine.generation import Generation
from ktnas.engine.objectives import Objectives
from ktnas.engine.progress import Progress, ProgressEvent
from ktnas.engine.state import TaskState
from ktnas.record.description import FrontSpec
from ktnas.record.evaluation import Evaluation
from ktnas.record.front import hypervolume_ratio, non_dominated
from ktnas.record.ledger import Ledger
from ktnas.task.function_task import FunctionTask
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Desk, Pool


@dataclass
class Asked:
    """A question of the search.

    Attributes:
        generation: that asks.
        genotype: (1, V) that it is about.
        order: its number within the run.
        key: identity of the architecture, 16 hexadecimal digits.
        recorded: its answer, once that is in the ledger.
    """

    generation: Generation
    genotype: IntArray
    order: int
    key: str
    recorded: Evaluation | None

    @property
    def state(self) -> TaskState:
        """Of the task that it is for."""
        return self.generation.state

    @property
    def answer(self) -> Evaluation:
        """What the ledger has."""
        assert self.recorded is not None
        return self.recorded


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
        asked = list(self._ask(Generation.unbred(state, genotypes)))
        unanswered = [question for question in asked if question.recorded is None]
        if unanswered:
            assert state.task is not None
            started = time.perf_counter()
            for finished in state.task.stream(np.vstack([question.genotype for question in unanswered])):
                seconds = (time.perf_counter() - started) / len(finished)
                self._record([(unanswered[row], outcome) for row, outcome in finished], seconds)
                started = time.perf_counter()
        state.add(genotypes, [question.answer for question in asked])
        self._report(state)

    def flow(self, generations: Iterator[Generation], pool: Pool) -> Generator[Generation, None, None]:
        """Evaluate what is chosen on workers that do not wait for each other.

        A question per worker is in flight. When one of them is answered, the answer is recorded and added to
        its state, its generation is yielded, and then the next question is asked; a generation is taken from
        ``generations`` once all of the one before has been asked. So every question is decided by the seed,
        the number of workers, and the answers before it and their order.

        That order is replayed: what the ledger has comes in the order in which it was recorded. Questions
        that were in flight when a run was killed are asked again.
        """
        questions = (asked for generation in generations for asked in self._ask(generation))
        flight: dict[int, Asked] = {}
        with pool.desk() as desk:
            while True:
                for asked in islice(questions, pool.workers - len(flight)):
                    flight[asked.order] = asked
                    if asked.recorded is None:
                        (text,) = asked.state.space.format(asked.genotype)
                        desk.ask(asked.order, _function(asked).question(text))
                if not flight:
                    return
                asked = self._next_answered(flight, desk)
                del flight[asked.order]
                asked.state.add(asked.genotype, [asked.answer])
                self._report(asked.state)
                asked.generation.unanswered -= 1
                yield asked.generation

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

    def _ask(self, generation: Generation) -> Iterator[Asked]:
        """Ask the questions of a generation, one by one; those that the ledger can answer are answered."""
        state, genotypes = generation.state, generation.chosen
        for genotype, identity in zip(genotypes, state.space.identities(genotypes).tolist(), strict=True):
            order, key = self._asked, f"{identity:016x}"
            self._asked += 1
            yield Asked(generation, genotype[None], order, key, self._ledger.replay(order, state.name, key))

    def _next_answered(self, flight: Mapping[int, Asked], desk: Desk) -> Asked:
        """The question that is answered next, its answer recorded."""
        replayed = [asked for asked in flight.values() if asked.recorded is not None]
        if replayed:
            return min(replayed, key=lambda asked: asked.answer.answered)
        order, outcome = desk.answer()
        asked = flight[order]
        self._record([(asked, _function(asked).accept(outcome))], outcome.seconds)
        return asked

    def _record(self, finished: Sequence[tuple[Asked, Outcome]], seconds: float) -> None:
        """Record outcomes of one task, which took ``seconds`` each where they do not say so."""
        state = finished[0][0].state
        assert state.task is not None
        genotypes = np.vstack([asked.genotype for asked, _ in finished])
        found = [outcome.metrics for _, outcome in finished]
        metrics = self._objectives.metrics(state.task, genotypes, found)
        answers = [
            self._evaluation(asked, text, outcome, values, seconds)
            for (asked, outcome), text, values in zip(
                finished, state.space.format(genotypes), metrics, strict=True
            )
        ]
        self._ledger.record(answers)
        for (asked, _), answer in zip(finished, answers, strict=True):
            asked.recorded = answer

    def _evaluation(
        self, asked: Asked, text: str, outcome: Outcome, metrics: dict[str, float], seconds: float
    ) -> Evaluation:
        state = asked.state
        missing = [name for name in state.columns[: state.n_objectives] if not math.isfinite(metrics[name])]
        ok = outcome.status == "ok" and not missing
        message = outcome.message or (f"no finite {', '.join(missing)}" if missing else "")
        self._answered += 1
        return Evaluation(
            order=asked.order,
            generation=asked.generation.number,
            task=state.name,
            role=state.role,
            architecture=text,
            key=asked.key,
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


def _function(asked: Asked) -> FunctionTask:
    """The task a question is for, one that workers evaluate."""
    assert isinstance(asked.state.task, FunctionTask)
    return asked.state.task
