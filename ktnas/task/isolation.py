"""One evaluation in a process of its own, which is killed when it takes too long.

Runs inside a worker: the worker loads the function once and forks a child for each architecture, so that
whatever an evaluation does to its process (a hang in C, an exit, a crash, memory that runs out) becomes an
outcome.
"""

import ctypes
import faulthandler
import math
import os
import pickle
import random
import signal
import socket
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ktnas.errors import UserError
from ktnas.task.callables import import_callable
from ktnas.task.outcome import Outcome, Status
from ktnas.task.pool import Question

Answer = tuple[Status, dict[str, float], str]

WATCH_SECONDS = 0.5
GRACE_SECONDS = 1.0
MESSAGE_LENGTH = 500
PR_SET_PDEATHSIG = 1


class AnswerError(Exception):
    """What the function returned cannot be used."""


class AbandonedError(Exception):
    """Nobody waits for an answer any more."""


def _never() -> bool:
    return False


def evaluate_isolated(question: Question, abandoned: Callable[[], bool] = _never) -> Outcome:
    """Call the function of a question on its architecture's text, in a child process.

    The searched metric that the function returns must be finite. The global generators of random, numpy and
    torch are seeded from the text, and numerical libraries use one thread. The child leads a process group,
    all of which is killed at the end.

    Args:
        question: what to evaluate.
        abandoned: says when nobody waits for the answer any more; asked every ``WATCH_SECONDS``.

    Raises:
        UserError: the function cannot be loaded in this process.
        AbandonedError: ``abandoned`` said so, before the answer; the child is killed.
    """
    if abandoned():
        raise AbandonedError
    load(question.payload)
    receiver, sender = get_context("fork").Pipe(duplex=False)
    child = get_context("fork").Process(target=_child, args=(sender, os.getpid(), question))
    started = time.perf_counter()
    child.start()
    sender.close()
    try:
        status, metrics, message = _wait(child, receiver, question.timeout, abandoned)
        seconds = time.perf_counter() - started
        if status == "ok":
            connection.wait([child.sentinel], GRACE_SECONDS)
    finally:
        receiver.close()
        _kill(child)
    return Outcome(status, metrics, seconds, message, socket.gethostname())


@lru_cache(maxsize=8)
def load(payload: bytes) -> Callable[[str], Any]:
    """The function in a payload; ``UserError`` where it cannot be loaded."""
    try:
        content = pickle.loads(payload)
    except Exception as problem:  # unpickling imports the user's modules
        reason = f"{type(problem).__name__}: {problem}"
        raise UserError(f"The function to evaluate cannot be loaded in a worker process: {reason}") from None
    function: Callable[[str], Any] = import_callable(content) if isinstance(content, str) else content
    return function


def _wait(
    child: BaseProcess,
    receiver: "connection.Connection[Any, Answer]",
    timeout: float | None,
    abandoned: Callable[[], bool],
) -> Answer:
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        patience = min(WATCH_SECONDS, deadline - time.monotonic())
        ready = connection.wait([receiver, child.sentinel], max(patience, 0))
        if receiver in ready or not child.is_alive():
            return _receive(child, receiver)
        if time.monotonic() >= deadline:
            return "timeout", {}, f"took longer than {timeout:g} s and was killed"
        if abandoned():
            raise AbandonedError


def _receive(child: BaseProcess, receiver: "connection.Connection[Any, Answer]") -> Answer:
    try:
        if receiver.poll():
            return receiver.recv()
    except (EOFError, OSError):
        pass
    child.join(GRACE_SECONDS)
    code = child.exitcode
    if code is None:
        how = "closed its connection"
    else:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
    return "failed", {}, f"the evaluation's process {how} before it answered"


def _kill(child: BaseProcess) -> None:
    """Kill the child and every process it started, and reap it."""
    pid = child.pid
    if pid is not None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it does not lead its group yet, or nobody is left
            child.kill()
    child.join()
    known = time.monotonic() + GRACE_SECONDS
    while child.exitcode is None:  # a thread that started another one has reaped it, and is to say so
        if time.monotonic() > known:
            return
        time.sleep(0.001)
    child.close()


def _child(sender: "connection.Connection[Answer, Any]", worker: int, question: Question) -> None:
    os.setpgid(0, 0)
    faulthandler.disable()
    _die_with(worker)
    answer: Answer
    try:
        _seed(zlib.crc32(question.text.encode()))
        with threadpool_limits(1):
            value = load(question.payload)(question.text)
        answer = "ok", read_metrics(value, question.searched), ""
    except AnswerError as problem:
        answer = "failed", {}, str(problem)
    except BaseException as problem:  # SystemExit and KeyboardInterrupt too
        answer = "failed", {}, _describe(problem)
    try:
        sender.send(answer)
    except OSError:  # the function closed what it did not open
        os._exit(1)


def _die_with(worker: int) -> None:
    """Have the kernel kill this process when the worker dies; elsewhere than on Linux it finishes unheard."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != worker:
            os._exit(1)


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - for functions that draw from the global generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def read_metrics(value: Any, searched: str) -> dict[str, float]:
    """Metrics a user's function returned, as floats; NaN where not finite.

    Raises:
        AnswerError: no number or dict of numbers, or the searched metric is missing, NaN or infinite.
    """
    if not isinstance(value, Mapping):
        value = {searched: value}
    if searched not in value:
        raise AnswerError(f"returned {sorted(map(str, value))} without '{searched}'")
    metrics = {str(name): _number(name, number) for name, number in value.items()}
    if not math.isfinite(metrics[searched]):
        raise AnswerError(f"{searched} is {metrics[searched]}")
    return {name: number if math.isfinite(number) else math.nan for name, number in metrics.items()}


def _number(name: object, value: Any) -> float:
    try:
        if not isinstance(value, (bool, str, bytes, bytearray)):
            return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        pass
    raise AnswerError(
        f"returned a {type(value).__name__} for '{name}', expected a number or a dict of numbers"
    )


def _describe(problem: BaseException) -> str:
    """Type, text and last place of an exception, on one line."""
    text = " ".join("".join(traceback.format_exception_only(problem)).split())
    frames = traceback.extract_tb(problem.__traceback__)[1:]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno}: {frames[-1].line})" if frames else ""
    return text[: MESSAGE_LENGTH - len(place[:200])] + place[:200]
