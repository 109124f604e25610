"""What every pool of workers keeps to."""

import os
import random
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.task.function_task import FunctionTask
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Pool

SPACE = load_space("transnas_micro")
ROOT = Path(__file__).resolve().parents[2]


def genotypes_of(n: int) -> IntArray:
    return SPACE.enumerate()[:n]


def by_position(*functions: Callable[[], Any]) -> Callable[[str], Any]:
    texts = SPACE.format(genotypes_of(len(functions)))
    return lambda text: functions[texts.index(text)]()


def answers(
    pool: Pool, function: Callable[[str], Any], n: int, timeout: float | None = None
) -> list[Outcome]:
    return FunctionTask("t", SPACE, function, pool=pool, timeout=timeout).evaluate(genotypes_of(n))


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


class Unloadable:
    def __call__(self, text: str) -> float:
        return 1.0

    def __reduce__(self) -> Any:
        return int, ("not a number",)


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
    (fail(ValueError("first\nsecond")), "ValueError: first second (pool_contract.py:"),
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

SEARCH = """
import os, time
from pathlib import Path
from ktnas.space import load_space
from ktnas.registry import build
from ktnas.task.function_task import FunctionTask

def note(text):
    Path({pids!r}).write_text(f"{{os.getppid()}} {{os.getpid()}}")
    time.sleep({seconds})
    return 1.0

if __name__ == "__main__":
    space, pool = load_space("transnas_micro"), build("parallel", {{"name": {name!r}}})
    FunctionTask("t", space, note, pool=pool).evaluate(space.enumerate()[:1])
    time.sleep(100)
"""


class PoolContract(ABC):
    """Tests of a kind of pool."""

    name: str
    """Under which it is registered."""

    @abstractmethod
    def pool(self, workers: int) -> Pool:
        """Under test."""

    def test_every_answer_is_an_outcome(self) -> None:
        functions = [function for function, _ in [*GOOD, *BAD]]
        outcomes = answers(self.pool(2), by_position(*functions), len(functions), timeout=2)
        for outcome, (_, metrics) in zip(outcomes, GOOD, strict=False):
            assert (outcome.status, outcome.message) == ("ok", "")
            np.testing.assert_equal(outcome.metrics, metrics)
            assert outcome.host
        for outcome, (_, message) in zip(outcomes[len(GOOD) :], BAD, strict=True):
            assert outcome.status == ("timeout" if "longer" in message else "failed")
            assert message in outcome.message
            assert not outcome.metrics
        assert 2 <= outcomes[-1].seconds < 4

    def test_same_random_numbers_for_any_number_of_workers(self) -> None:
        def function(text: str) -> dict[str, float]:
            return {"score": random.random(), "other": np.random.rand()}  # noqa: NPY002

        results = [[outcome.metrics for outcome in answers(self.pool(n), function, 6)] for n in (1, 2)]
        assert results[0] == results[1]
        assert len({metrics["score"] for metrics in results[0]}) == 6

    def test_works_on_several_at_a_time(self, tmp_path: Path) -> None:
        def function(text: str) -> bool | float:
            (tmp_path / text.replace("|", "-")).touch()
            return float(until(lambda: len(list(tmp_path.iterdir())) == 2, 10))

        assert [outcome.metrics for outcome in answers(self.pool(2), function, 2)] == [{"score": 1.0}] * 2

    def test_takes_questions_while_it_works_on_others(self, tmp_path: Path) -> None:
        first, *others = SPACE.format(genotypes_of(4))

        def function(text: str) -> float:
            return float(text != first or until(lambda: (tmp_path / "enough").exists(), 60))

        task = FunctionTask("t", SPACE, function)
        with self.pool(2).desk() as desk:
            desk.ask(7, task.question(first))
            for index, text in enumerate(others):
                desk.ask(index, task.question(text))
                assert desk.answer()[0] == index
            (tmp_path / "enough").touch()
            assert desk.answer()[0] == 7

    def test_stops_at_once_with_nothing_to_print(self, capfd: pytest.CaptureFixture[str]) -> None:
        task = FunctionTask("t", SPACE, len)

        def ask_and_stop() -> None:
            with self.pool(2).desk() as desk:
                for index, text in enumerate(SPACE.format(genotypes_of(2))):
                    desk.ask(index, task.question(text))
                raise UserError("enough")

        for _ in range(3):
            with pytest.raises(UserError, match="enough"):
                ask_and_stop()
        assert "Traceback" not in capfd.readouterr().err

    def test_one_thread_each(self) -> None:
        def function(text: str) -> int:
            from threadpoolctl import threadpool_info

            return max(library["num_threads"] for library in threadpool_info())

        assert answers(self.pool(1), function, 1)[0].metrics == {"score": 1.0}

    def test_works_in_the_directory_of_the_moment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for answer in ("1", "2"):
            (tmp_path / answer).mkdir()
            (tmp_path / answer / "answer").write_text(answer)
            monkeypatch.chdir(tmp_path / answer)
            outcome = answers(self.pool(1), lambda text: float(Path("answer").read_text()), 1)[0]
            assert outcome.metrics == {"score": float(answer)}

    def test_processes_it_started_are_killed(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        assert answers(self.pool(1), by_position(start_process(pid_file)), 1)[0].status == "ok"
        assert until(lambda: not is_running(int(pid_file.read_text())))

    def test_function_that_cannot_be_loaded(self) -> None:
        with pytest.raises(UserError, match="cannot be loaded in a worker process: ValueError: invalid"):
            answers(self.pool(2), Unloadable(), 2)

    @pytest.mark.parametrize(
        ("how", "idle"), [(signal.SIGKILL, False), (signal.SIGKILL, True), (signal.SIGINT, False)]
    )
    def test_nothing_outlives_a_search_that_is_killed(
        self, tmp_path: Path, how: signal.Signals, idle: bool
    ) -> None:
        pids = tmp_path / "pids"
        script = SEARCH.format(pids=str(pids), name=self.name, seconds=0 if idle else 100)
        (tmp_path / "search.py").write_text(script)
        search = subprocess.Popen(
            [sys.executable, "search.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
        try:
            assert until(lambda: pids.exists() and len(pids.read_text().split()) == 2, 60)
            worker, evaluation = map(int, pids.read_text().split())
            assert not idle or until(lambda: not is_running(evaluation))
            search.send_signal(how)
            search.wait(15)
            for pid in (worker, evaluation):
                assert until(lambda pid=pid: not is_running(pid), 10)
        finally:
            search.kill()
            search.wait()

    def test_no_worker(self) -> None:
        with pytest.raises(UserError, match="workers=0: expected 1 or more"):
            self.pool(0)


class ProcessPoolContract(PoolContract):
    """Tests of a pool whose workers are processes."""

    def test_worker_that_dies_is_replaced(self, tmp_path: Path) -> None:
        def function(text: str) -> float:
            if not (tmp_path / "killed").exists():
                (tmp_path / "killed").touch()
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(100)
            return 3.0

        assert [outcome.metrics for outcome in answers(self.pool(2), function, 3)] == [{"score": 3.0}] * 3

    def test_worker_that_always_dies_is_a_failure(self) -> None:
        outcome = answers(
            self.pool(1), lambda text: os.kill(os.getppid(), signal.SIGKILL) or time.sleep(100), 1
        )[0]
        assert (outcome.status, outcome.message) == ("failed", "its worker process died 3 times")

    def test_worker_that_dies_takes_no_other_question_with_it(self) -> None:
        functions: list[Callable[[], Any]] = [lambda: time.sleep(0.05) or 1.0] * 6
        functions[1] = lambda: os.kill(os.getppid(), signal.SIGKILL) or time.sleep(100)
        outcomes = answers(self.pool(2), by_position(*functions), 6)
        assert [outcome.status for outcome in outcomes] == ["ok", "failed", "ok", "ok", "ok", "ok"]
