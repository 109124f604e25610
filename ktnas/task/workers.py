"""Evaluations spread over worker processes."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from joblib.externals.loky import ProcessPoolExecutor

from ktnas.errors import UserError
from ktnas.task.isolation import evaluate_isolated
from ktnas.task.outcome import Outcome

IDLE_SECONDS = 300
ATTEMPTS = 3
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)


def stream_from_workers(
    payload: bytes, texts: Sequence[str], searched: str, workers: int, timeout: float | None
) -> Iterator[tuple[int, Outcome]]:
    """Index and outcome of each architecture, in the order in which they are answered.

    A pool of loky's that is kept from call to call, so that one worker too is a process of its own; not the
    reusable one, which joblib's ``Parallel`` takes for its own. Its processes work in the directory that this
    process is in. Numerical libraries use one thread.
    An evaluation whose worker died is asked again in a new pool, at most ``ATTEMPTS`` times.

    Raises:
        UserError: the function cannot be loaded in a worker.
    """
    pending = set(range(len(texts)))
    for _ in range(ATTEMPTS):
        if not pending:
            return
        pool = _pool(workers)
        try:
            futures = {
                pool.submit(evaluate_isolated, payload, texts[index], searched, timeout, os.getpid()): index
                for index in sorted(pending)
            }
            for future in as_completed(futures):
                if not isinstance(future.exception(), BrokenExecutor | BrokenProcessPool):
                    outcome = future.result()
                    pending.remove(futures[future])
                    yield futures[future], outcome
            if pending:
                _close()
        except (BrokenExecutor, BrokenProcessPool):
            _close()
        except UserError as problem:
            raise UserError(str(problem)) from None
        except BaseException:
            _close()
            raise
    for index in sorted(pending):
        yield index, Outcome("failed", message=f"its worker process died {ATTEMPTS} times")


_kept: dict[tuple[int, Path], ProcessPoolExecutor] = {}


def _pool(workers: int) -> ProcessPoolExecutor:
    """The pool of that size in this directory; one of another size or elsewhere is closed."""
    kind = workers, Path.cwd()
    if kind not in _kept:
        _close()
        _kept[kind] = ProcessPoolExecutor(max_workers=workers, timeout=IDLE_SECONDS, env=ONE_THREAD)
    return _kept[kind]


def _close() -> None:
    while _kept:
        _kept.popitem()[1].shutdown(wait=True, kill_workers=True)
