"""Threads of this process."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from ktnas.task.isolation import evaluate_isolated
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Desk, FutureDesk, Pool, Question


@dataclass(frozen=True)
class ThreadPool(Pool):
    """Threads of the search's own process, each of which forks the process of an evaluation.

    Nothing is started beforehand and the function is loaded once, in this process: the quickest way for short
    evaluations of a function that is safe to fork with all that is loaded here.
    """

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """As ``Pool.desk``; evaluations that nobody waits for are killed."""
        stopped = Event()

        def submit(index: int, question: Question) -> Future[Outcome]:
            return executor.submit(evaluate_isolated, question, stopped.is_set)

        with ThreadPoolExecutor(self.workers) as executor:
            try:
                yield FutureDesk(submit, Future.result)
            finally:
                stopped.set()
