"""Processes of this machine, through loky."""

import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from joblib.externals.loky import ProcessPoolExecutor, process_executor

from ktnas.errors import UserError
from ktnas.task.isolation import AbandonedError, evaluate_isolated
from ktnas.task.outcome import Outcome
from ktnas.task.pool import ATTEMPTS, ONE_THREAD, Desk, Pool, Question, died

IDLE_SECONDS = 300
WATCH_SECONDS = 1.0
GRACE_SECONDS = 3.0
SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class LokyPool(Pool):
    """Worker processes of this machine, in the directory that this process is in.

    The executor is not loky's reusable one, which joblib's ``Parallel`` takes for its own.
    """

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """As ``Pool.desk``; workers that died are replaced."""
        desk = _LokyDesk(self.workers)
        try:
            yield desk
        except BaseException:
            desk.settle()
            close()
            raise


@dataclass(frozen=True)
class _Try:
    """A question, and how many workers have died while it was worked on."""

    index: int
    question: Question
    deaths: int = 0


class _LokyDesk(Desk):
    """Hands the executor no more questions than it has workers.

    A worker that dies takes all with it that the executor holds, whichever of the questions it died of. So
    the last attempt at a question is made with no other beside it: only the one to blame fails.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._waiting: deque[_Try] = deque()
        self._begun: dict[Future[Outcome], tuple[_Try, ProcessPoolExecutor]] = {}
        self._done: SimpleQueue[Future[Outcome]] = SimpleQueue()

    def ask(self, index: int, question: Question) -> None:
        """As in ``Desk``."""
        self._waiting.append(_Try(index, question))
        self._begin()

    def answer(self) -> tuple[int, Outcome]:
        """As in ``Desk``."""
        while True:
            tried, outcome = self._ended(self._done.get())
            if outcome is None:
                self._waiting.appendleft(tried)
            self._begin()
            if outcome is not None:
                return tried.index, outcome

    def settle(self) -> None:
        """Wait, not for long, until the executor has handed on all that it was asked.

        A thread of loky's fails when the executor is closed before, and prints why.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline and not all(f.running() or f.done() for f in self._begun):
            time.sleep(0.005)

    def _ended(self, future: Future[Outcome]) -> tuple[_Try, Outcome | None]:
        """What was tried, and its outcome; None where it is to be tried again."""
        tried, executor = self._begun.pop(future)
        problem = future.exception()
        if isinstance(problem, UserError):
            raise UserError(str(problem)) from None
        if not isinstance(problem, BrokenExecutor):
            return tried, future.result()
        if executor is _executor(self._workers):
            close()
        tried = replace(tried, deaths=tried.deaths + 1)
        return tried, died() if tried.deaths == ATTEMPTS else None

    def _begin(self) -> None:
        while self._waiting and len(self._begun) < self._room():
            executor = _executor(self._workers)
            try:
                future = executor.submit(_answer, self._waiting[0].question, os.getpid())
            except BrokenExecutor:
                close()
                continue
            self._begun[future] = self._waiting.popleft(), executor
            future.add_done_callback(self._done.put)

    def _room(self) -> int:
        tries = [self._waiting[0], *(tried for tried, _ in self._begun.values())]
        return 1 if any(tried.deaths == ATTEMPTS - 1 for tried in tries) else self._workers


_kept: dict[tuple[int, Path], ProcessPoolExecutor] = {}


def _executor(workers: int) -> ProcessPoolExecutor:
    """The executor of that size in this directory; one of another size or elsewhere is closed."""
    kind = workers, Path.cwd()
    if kind not in _kept:
        close()
        _kept[kind] = ProcessPoolExecutor(
            max_workers=workers,
            timeout=IDLE_SECONDS,
            env=ONE_THREAD,
            initializer=_set_up,
            initargs=(os.getpid(),),
        )
    return _kept[kind]


def close() -> None:
    """End the workers that are kept."""
    while _kept:
        _kept.popitem()[1].shutdown(wait=True, kill_workers=True)


def _set_up(search: int) -> None:
    """Have a worker live as long as the process ``search``, its parent.

    Not shorter: a large library that it has loaded is a leak of memory to loky, which ends workers for one.
    What an evaluation itself takes ends with its process.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
    Thread(target=_end_with, args=(search,), daemon=True).start()


def _end_with(search: int) -> None:
    """End this process soon after its parent ``search``, however that ends.

    ``_answer`` has time to end it before, together with what is being evaluated.
    """
    while os.getppid() == search:
        time.sleep(WATCH_SECONDS)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _answer(question: Question, search: int) -> Outcome:
    """Answer for the process ``search``, this one's parent; once it is gone, nobody waits for the answer."""
    try:
        return evaluate_isolated(question, lambda: os.getppid() != search)
    except AbandonedError:
        os._exit(1)
