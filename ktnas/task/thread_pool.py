"""Threads of this process."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event

from ktnas.task.isolation import evaluate_isolated
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Pool, Question


@dataclass(frozen=True)
class ThreadPool(Pool):
    """Threads of the search's own process, each of which forks the process of an evaluation.

    Nothing is started beforehand and the function is loaded once, in this process: the quickest way for short
    evaluations of a function that is safe to fork with all that is loaded here.
    """

    def stream(self, questions: Sequence[Question]) -> Iterator[tuple[int, Outcome]]:
        """As ``Pool.stream``."""
        stopped = Event()
        with ThreadPoolExecutor(self.workers) as executor:
            futures = {
                executor.submit(evaluate_isolated, question, stopped.is_set): index
                for index, question in enumerate(questions)
            }
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                stopped.set()
