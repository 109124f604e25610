import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.task.function_task import FunctionTask
from tests.task.contract import TaskContract

SPACE = load_space("transnas_micro")
ROOT = Path(__file__).resolve().parents[2]


def genotypes_of(n: int) -> IntArray:
    return SPACE.enumerate()[:n]


def by_position(*functions: Callable[[], Any]) -> Callable[[str], Any]:
    texts = SPACE.format(genotypes_of(len(functions)))
    return lambda text: functions[texts.index(text)]()


def fail(problem: BaseException) -> Callable[[], Any]:
    def function() -> Any:
        raise problem

    return function


def fork_and_exit() -> None:
    if os.fork() == 0:
        time.sleep(100)
    os._exit(4)


def start_process(pid_file: Path) -> Callable[[], int]:
    def function() -> int:
        process = subprocess.Popen(["sleep", "100"])
        pid_file.write_text(str(process.pid))
        return 1

    return function


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestFunctionTask(TaskContract):
    @pytest.fixture
    def task(self) -> FunctionTask:
        function = by_position(lambda: 1, lambda: {"score": 2.0, "params": 5}, lambda: float("nan"))
        return FunctionTask("t", SPACE, function)

    @pytest.fixture
    def genotypes(self) -> IntArray:
        return genotypes_of(3)

    def test_whole_space(self, task: FunctionTask, genotypes: IntArray) -> None:
        assert task.universe() is None
        assert task.contains(genotypes).all()


GOOD = [
    (lambda: 1, {"score": 1.0}),
    (lambda: np.float32(0.5), {"score": 0.5}),
    (lambda: np.array(2), {"score": 2.0}),
    (
        lambda: {"score": 1, "params": np.int64(3), "latency_ms": np.inf},
        {"score": 1.0, "params": 3.0, "latency_ms": np.nan},
    ),
]
BAD = [
    (lambda: None, "returned a NoneType for 'score', expected a number or a dict of numbers"),
    (lambda: "93", "returned a str for 'score'"),
    (lambda: True, "returned a bool for 'score'"),
    (lambda: [1, 2], "returned a list for 'score'"),
    (lambda: {"accuracy": 1}, "returned ['accuracy'] without 'score'"),
    (lambda: {"score": 1, "note": "x"}, "returned a str for 'note'"),
    (lambda: float("nan"), "score is nan"),
    (lambda: {"score": -np.inf}, "score is -inf"),
    (fail(ValueError("first\nsecond")), "ValueError: first second (test_function_task.py:"),
    (fail(MemoryError()), "MemoryError"),
    (lambda: sys.exit("done"), "SystemExit: done"),
    (fail(KeyboardInterrupt()), "KeyboardInterrupt"),
    (lambda: os._exit(0), "the evaluation's process exited with status 0 before it answered"),
    (lambda: os._exit(7), "exited with status 7"),
    (lambda: os.kill(os.getpid(), signal.SIGSEGV), "was killed by SIGSEGV"),
    (lambda: os.closerange(3, 256), "exited with status 1"),
    (fork_and_exit, "exited with status 4"),
    (lambda: time.sleep(100), "took longer than 2 s and was killed"),
]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_answer_is_an_outcome(workers: int) -> None:
    functions = [function for function, _ in [*GOOD, *BAD]]
    task = FunctionTask("t", SPACE, by_position(*functions), workers=workers, timeout=2)
    outcomes = task.evaluate(genotypes_of(len(functions)))
    for outcome, (_, metrics) in zip(outcomes, GOOD, strict=False):
        assert (outcome.status, outcome.message) == ("ok", "")
        np.testing.assert_equal(outcome.metrics, metrics)
        assert outcome.host
    for outcome, (_, message) in zip(outcomes[len(GOOD) :], BAD, strict=True):
        assert outcome.status == ("timeout" if "longer" in message else "failed")
        assert message in outcome.message
        assert not outcome.metrics
    assert 2 <= outcomes[-1].seconds < 4


def test_same_random_numbers_for_any_number_of_workers() -> None:
    def function(text: str) -> dict[str, float]:
        return {"score": random.random(), "other": np.random.rand()}  # noqa: NPY002

    results = [
        [
            outcome.metrics
            for outcome in FunctionTask("t", SPACE, function, workers=n).evaluate(genotypes_of(6))
        ]
        for n in (1, 2)
    ]
    assert results[0] == results[1]
    assert len({metrics["score"] for metrics in results[0]}) == 6


def test_one_thread_each() -> None:
    task = FunctionTask("t", SPACE, lambda text: int(os.environ["OMP_NUM_THREADS"]))
    assert task.evaluate(genotypes_of(1))[0].metrics == {"score": 1.0}


def test_works_in_the_directory_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = FunctionTask("t", SPACE, lambda text: float(Path("answer").read_text()))
    for answer in ("1", "2"):
        (tmp_path / answer).mkdir()
        (tmp_path / answer / "answer").write_text(answer)
        monkeypatch.chdir(tmp_path / answer)
        assert task.evaluate(genotypes_of(1))[0].metrics == {"score": float(answer)}


def test_processes_it_started_are_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    task = FunctionTask("t", SPACE, by_position(start_process(pid_file)))
    assert task.evaluate(genotypes_of(1))[0].status == "ok"
    assert until(lambda: not is_running(int(pid_file.read_text())))


def test_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    def function(text: str) -> float:
        if not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(100)
        return 3.0

    assert [o.metrics for o in FunctionTask("t", SPACE, function).evaluate(genotypes_of(3))] == [
        {"score": 3.0}
    ] * 3


def test_worker_that_always_dies_is_a_failure() -> None:
    task = FunctionTask("t", SPACE, lambda text: os.kill(os.getppid(), signal.SIGKILL) or time.sleep(100))
    outcome = task.evaluate(genotypes_of(1))[0]
    assert (outcome.status, outcome.message) == ("failed", "its worker process died 3 times")


SEARCH = """
import os, time
from pathlib import Path
from ktnas.space import load_space
from ktnas.task.function_task import FunctionTask

def hang(text):
    Path({pids!r}).write_text(f"{{os.getppid()}} {{os.getpid()}}")
    time.sleep(100)

if __name__ == "__main__":
    space = load_space("transnas_micro")
    FunctionTask("t", space, hang).evaluate(space.enumerate()[:1])
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_search_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    pids = tmp_path / "pids"
    (tmp_path / "search.py").write_text(SEARCH.format(pids=str(pids)))
    search = subprocess.Popen(
        [sys.executable, "search.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        search.send_signal(how)
        search.wait(15)
        for pid in map(int, pids.read_text().split()):
            assert until(lambda pid=pid: not is_running(pid))
    finally:
        search.kill()
        search.wait()


def test_function_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ktnas_test_functions.py").write_text(
        "class Score:\n    @staticmethod\n    def of(text):\n        return len(text)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    task = FunctionTask("t", SPACE, "ktnas_test_functions:Score.of")
    assert task.evaluate(genotypes_of(1))[0].metrics == {"score": 17.0}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("len", "'len' is no function, expected module:callable"),
        ("os:", "expected module:callable"),
        ("no_such_module:f", "'no_such_module:f' cannot be imported: ModuleNotFoundError"),
        ("os:no_such", "cannot be imported: AttributeError"),
        ("os:sep", "'os:sep' is a str, expected a function"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FunctionTask("t", SPACE, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": 3}, "got a int, expected a function"),
        ({"function": threading.Lock().acquire}, "cannot be sent to a worker process"),
        ({"workers": 0}, "workers=0, expected 1 or more"),
        ({"timeout": 0}, "timeout=0, expected seconds above 0"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"better": "up"}, "expected higher or lower"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FunctionTask("t", SPACE, **{"function": len, **arguments})


class Unloadable:
    def __call__(self, text: str) -> float:
        return 1.0

    def __reduce__(self) -> Any:
        return int, ("not a number",)


def test_function_that_no_worker_can_load() -> None:
    task = FunctionTask("t", SPACE, Unloadable())
    with pytest.raises(UserError, match="cannot be loaded in a worker process: ValueError: invalid literal"):
        task.evaluate(genotypes_of(2))
