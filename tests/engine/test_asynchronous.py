"""Searches whose workers do not wait for each other."""

import os
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ktnas
from ktnas import registry
from ktnas.engine.result import SearchResult
from ktnas.errors import UserError
from ktnas.record.ledger import read_ledger
from ktnas.task.isolation import load, read_metrics
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Desk, Pool, Question
from tests.engine.killer import killer_in
from tests.engine.scene import Scene, write_tables

SMALL = {"population": 4, "initial": 4, "variation.offspring": 4}
ALGORITHMS: dict[str, dict[str, Any]] = {
    "ktnas": {"screen.random": 16, "screen.rounds": 1},
    "mtnas": SMALL,
    "nsga2": SMALL,
    "regularized_evolution": {"population": 4, "initial": 4},
}
"""Of a size at which some evaluations are several generations."""

UNEQUAL = """
import os
import time
import zlib
from pathlib import Path

def score(text):
    with Path(__file__).with_name("asked").open("a") as log:
        log.write(f"{os.environ.get('ATTEMPT')} {text}\\n")
    time.sleep(0.3 if zlib.crc32(text.encode()) % 4 == 0 else 0.05)
    return zlib.crc32(text.encode()) % 1000
"""


def hashed(text: str) -> int:
    return zlib.crc32(text.encode())


def score(text: str) -> dict[str, float]:
    return {"score": hashed(text) % 1000, "latency_ms": 1 + hashed(text[::-1]) % 10}


class Stopped(BaseException):
    """The end of a search in the middle of it."""


class ByHashDesk(Desk):
    def __init__(self, answers: int, given: list[str]) -> None:
        self._left, self._given = answers, given
        self._open: dict[int, Question] = {}

    def ask(self, index: int, question: Question) -> None:
        self._open[index] = question

    def answer(self) -> tuple[int, Outcome]:
        if not self._left:
            raise Stopped
        self._left -= 1
        index = min(self._open, key=lambda index: hashed(self._open[index].text))
        question = self._open.pop(index)
        self._given.append(question.text)
        value = load(question.payload)(question.text)
        return index, Outcome("ok", read_metrics(value, question.searched), seconds=0.01)


GIVEN: list[str] = []
"""Texts of the architectures that ``ByHash`` has answered in a test."""


@dataclass(frozen=True)
class ByHash(Pool):
    """Of the questions that are open, the one whose architecture has the lowest hash is answered next.

    So the order of the answers is the same each time, and some are very late. After so many ``answers`` from
    one desk the search is stopped.
    """

    answers: int = 10_000

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        yield ByHashDesk(self.answers, GIVEN)


@pytest.fixture(autouse=True)
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ``parallel=by_hash`` has answered."""
    monkeypatch.setitem(registry.PLUGINS["parallel"], "by_hash", ByHash)
    GIVEN.clear()
    return GIVEN


def search(
    algorithm: str = "nsga2",
    run_dir: Path | None = None,
    function: Callable[[str], Any] = score,
    answers: int = 10_000,
    workers: int = 3,
    **changes: Any,
) -> SearchResult:
    """A search of task ``b``, after one of task ``a``, 9 and 14 evaluations long."""
    pool = {"name": "by_hash", "answers": answers}
    return ktnas.search(
        {"name": "function", "space": "transnas_micro", "functions": {"a": function, "b": function}},
        target="b",
        algorithm=algorithm,
        run_dir=run_dir,
        workers=workers,
        overrides={
            "source": ["a"],
            "device": "function",
            "budget": 14,
            "source_budget": 9,
            "asynchronous": True,
            "parallel": pool,
            **ALGORITHMS[algorithm],
            **changes,
        },
    )


def alone(algorithm: str = "nsga2", **changes: Any) -> SearchResult:
    """A search of task ``b`` for its error only."""
    return search(algorithm, source=[], device=[], objectives=["error"], **changes)


def rows(result: SearchResult) -> pd.DataFrame:
    """All that does not depend on the clock."""
    return result.evaluations.drop(columns=["seconds", "host"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_worker_makes_the_search_of_one_generation_after_the_other(algorithm: str) -> None:
    one, other = (
        rows(search(algorithm, workers=1, asynchronous=asynchronous)).drop(columns="answered")
        for asynchronous in (True, False)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_search_that_is_stopped_goes_on_as_if_it_had_not_been(
    algorithm: str, tmp_path: Path, given: list[str]
) -> None:
    straight = search(algorithm)
    given.clear()
    for answers in (4, 9):
        with pytest.raises(Stopped):
            search(algorithm, tmp_path / "run", answers=answers)
    resumed = search(algorithm, tmp_path / "run")

    pd.testing.assert_frame_equal(rows(resumed), rows(straight), check_exact=True)
    assert len(given) == 9 + 14
    assert (straight.evaluations["answered"] != straight.evaluations["order"]).any()


def test_question_is_decided_by_the_answers_before_it() -> None:
    """With 3 workers, question 3 is the first to be asked after an answer, which is number 0."""
    before = alone("ktnas", seed=3).evaluations
    late = before.loc[(before["answered"] - before["order"]).where(before["answered"] < 9).idxmax()]

    changed = lambda text: 1e4 if text == late["architecture"] else score(text)  # noqa: E731
    after = alone("ktnas", seed=3, function=changed).evaluations

    first = late["answered"] + 3
    assert late["order"] + 3 < first
    same = before["architecture"] == after["architecture"]
    assert same[:first].all()
    assert not same[first:].all()


@pytest.mark.parametrize("workers", [2, 5])
def test_a_question_is_in_flight_for_each_worker(workers: int) -> None:
    evaluations = alone(workers=workers).evaluations
    ahead = evaluations["order"] - evaluations["answered"]
    assert ahead.max() == workers - 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_more_workers_than_a_generation_has_questions(algorithm: str) -> None:
    evaluations = search(algorithm, workers=12, budget=30).evaluations
    assert evaluations["task"].value_counts().to_dict() == {"a": 9, "b": 30}
    assert not evaluations.duplicated(["task", "key"]).any()


def test_search_that_got_there_waits_for_what_is_in_flight_and_asks_no_more() -> None:
    target = alone("regularized_evolution", budget=40).evaluations["error"].nsmallest(4).iloc[-1]
    evaluations = alone("regularized_evolution", budget=40, until={"b": float(target)}).evaluations
    reached = evaluations.loc[evaluations["error"] <= target, "answered"].min()
    assert 4 < len(evaluations) < 40
    assert len(evaluations) == reached + 3


def test_pending_architectures_are_not_chosen_again(tmp_path: Path) -> None:
    scene = Scene.of(write_tables(tmp_path, 12), tasks=("a",))
    (state,) = scene.states
    state.budget = 12
    chosen = state.draw(5)
    state.expect(chosen)
    assert not state.fresh(chosen).any()
    assert not state.known(chosen).any()
    assert state.remaining == 7
    rest = state.draw(12)
    assert len(rest) == 7
    assert state.fresh(rest).all()

    scene.tell(0, chosen[1:3])

    np.testing.assert_array_equal(state.pending, chosen[[0, 3, 4]])
    assert state.known(chosen).tolist() == [False, True, True, False, False]
    assert state.remaining == 7


@pytest.mark.parametrize(("asynchronous", "patience", "overtook"), [(True, 60, 9), (False, 0.5, 1)])
def test_slow_evaluation_keeps_nobody_waiting(
    tmp_path: Path, asynchronous: bool, patience: float, overtook: int
) -> None:
    def wait_for(others: int, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while (done := len(list(tmp_path.glob("other *")))) < others and time.monotonic() < deadline:
            time.sleep(0.02)
        return done

    def first_is_slow(text: str) -> int:
        """How many others were evaluated in the time that the first evaluation took."""
        try:
            (tmp_path / "first").touch(exist_ok=False)
        except FileExistsError:
            (tmp_path / f"other {text}").touch()
            return 0
        wait_for(1, 60)
        return wait_for(9, patience)

    result = alone(
        function=first_is_slow,
        budget=10,
        workers=2,
        parallel="threads",
        asynchronous=asynchronous,
        **{"population": 2, "initial": 2, "variation.offspring": 2},
    )
    assert -result.evaluations["error"].min() == overtook


@pytest.mark.slow
def test_killed_search_is_continued_and_evaluates_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "unequal.py").write_text(UNEQUAL)
    config = {
        "benchmark": {"name": "function", "functions": {"f": "unequal:score"}, "space": "transnas_micro"},
        "source": [],
        "target": ["f"],
        "objectives": ["error"],
        "algorithm": "nsga2",
        "budget": 26,
        "workers": 2,
        "run_dir": str(tmp_path / "run"),
        "overrides": {"asynchronous": True, "parallel": "threads", **SMALL},
    }
    known, ended = [set()], []
    with killer_in(tmp_path) as killer:
        for attempt, kill in enumerate((4, 12)):
            killer.send(config, kill, 0.05 * attempt, str(attempt))
            ended.append(killer.wait())
            known.append({e.architecture for e in read_ledger(tmp_path / "run").evaluations})
        for attempt in ("2", "finished"):
            killer.send(config, attempt=attempt)
            assert killer.wait() == 0

    assert ended == [-signal.SIGKILL] * 2
    found = read_ledger(tmp_path / "run").evaluations
    assert [e.order for e in found] == list(range(26))
    assert sorted(e.answered for e in found) == list(range(26))
    assert len({e.key for e in found}) == 26
    asked = [line.split() for line in (tmp_path / "asked").read_text().splitlines()]
    for attempt, before in enumerate(known):
        assert not {text for number, text in asked if number == str(attempt)} & before
    assert {text for _, text in asked} == {e.architecture for e in found}
    assert "finished" not in {number for number, _ in asked}


def test_failures_keep_no_worker() -> None:
    def fails(text: str) -> float:
        os._exit(3)

    result = alone(function=fails, parallel="threads", budget=8)
    assert result.evaluations["status"].tolist() == ["failed"] * 8


def test_number_of_workers_is_part_of_what_decides_the_rows(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        search(run_dir=tmp_path / "run", workers=2, answers=3)
    with pytest.raises(UserError, match=r"  workers: 2 in the ledger, 3 now"):
        search(run_dir=tmp_path / "run", workers=3)
    with pytest.raises(UserError, match=r"  asynchronous: true in the ledger, absent now"):
        search(run_dir=tmp_path / "run", workers=2, asynchronous=False)


def test_tables_have_no_workers_to_wait_for(tmp_path: Path) -> None:
    config = {"benchmark": write_tables(tmp_path), "target": "a", "objectives": "error", "budget": 8}
    first = ktnas.search(**config, workers=2)
    second = ktnas.search(**config, workers=2, run_dir=tmp_path / "run", overrides={"asynchronous": True})
    pd.testing.assert_frame_equal(rows(first), rows(second), check_exact=True)
    assert not {"asynchronous", "workers"} & read_ledger(tmp_path / "run").fingerprint.keys()
