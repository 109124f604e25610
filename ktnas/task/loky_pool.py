"""Processes of this machine, through loky."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from joblib.externals.loky import ProcessPoolExecutor, process_executor

from ktnas.errors import UserError
from ktnas.task.isolation import AbandonedError, evaluate_isolated
from ktnas.task.outcome import Outcome
from ktnas.task.pool import ATTEMPTS, ONE_THREAD, Pool, Question, died

IDLE_SECONDS = 300


@dataclass(frozen=True)
class LokyPool(Pool):
    """Worker processes of this machine, in the directory that this process is in.

    The executor is not loky's reusable one, which joblib's ``Parallel`` takes for its own.
    """

    def stream(self, questions: Sequence[Question]) -> Iterator[tuple[int, Outcome]]:
        """As ``Pool.stream``; workers that died are replaced."""
        pending = set(range(len(questions)))
        for _ in range(ATTEMPTS):
            if not pending:
                return
            executor = _executor(self.workers)
            try:
                futures = {
                    executor.submit(_answer, questions[index], os.getpid()): index
                    for index in sorted(pending)
                }
                for future in as_completed(futures):
                    if not isinstance(future.exception(), BrokenExecutor | BrokenProcessPool):
                        outcome = future.result()
                        pending.remove(futures[future])
                        yield futures[future], outcome
                if pending:
                    close()
            except (BrokenExecutor, BrokenProcessPool):
                close()
            except UserError as problem:
                raise UserError(str(problem)) from None
            except BaseException:
                close()
                raise
        for index in sorted(pending):
            yield index, died()


_kept: dict[tuple[int, Path], ProcessPoolExecutor] = {}


def _executor(workers: int) -> ProcessPoolExecutor:
    """The executor of that size in this directory; one of another size or elsewhere is closed."""
    kind = workers, Path.cwd()
    if kind not in _kept:
        close()
        _kept[kind] = ProcessPoolExecutor(
            max_workers=workers, timeout=IDLE_SECONDS, env=ONE_THREAD, initializer=_keep_what_is_loaded
        )
    return _kept[kind]


def close() -> None:
    """End the workers that are kept."""
    while _kept:
        _kept.popitem()[1].shutdown(wait=True, kill_workers=True)


def _keep_what_is_loaded() -> None:
    """Have a worker live that has loaded a large library: loky takes that for a leak of memory.

    What an evaluation itself takes ends with its process.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize


def _answer(question: Question, search: int) -> Outcome:
    """Answer for the process ``search``, this one's parent; once it is gone, nobody waits for the answer."""
    try:
        return evaluate_isolated(question, lambda: os.getppid() != search)
    except AbandonedError:
        os._exit(1)
