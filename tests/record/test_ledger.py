import shutil
import sqlite3
import stat
from dataclasses import replace

import pytest

from ktnas.errors import UserError
from ktnas.record.ledger import Ledger, read_ledger

FINGERPRINT = {"budget": 100, "screen": {"name": "none", "n": 3}, "seed": 0}


@pytest.fixture
def run_dir(tmp_path):
    return tmp_path / "a run #1?"


@pytest.fixture
def open_ledger(run_dir, description):
    def opened(fingerprint=FINGERPRINT, directory=run_dir):
        return Ledger.open(directory, fingerprint, description())

    return opened


def test_rows_come_back_after_reopening(open_ledger, evaluation, odd_metrics):
    rows = [evaluation(1, metrics=odd_metrics, answered=0), evaluation(0, status="timeout", answered=1)]
    with open_ledger() as ledger:
        ledger.record(rows)
        ledger.record([])
    with open_ledger() as ledger:
        assert len(ledger) == 2
        assert [e.to_row() for e in ledger.evaluations()] == [rows[1].to_row(), rows[0].to_row()]
        ledger.record([evaluation(2)])
        assert len(ledger) == 3


def test_ledger_in_memory(description, evaluation):
    with Ledger.open(None, FINGERPRINT, description()) as ledger:
        ledger.record([evaluation(0)])
        assert ledger.answer("citeseer", evaluation(0).key) == evaluation(0)
        assert ledger.run_dir is None


def test_answers_are_kept_by_task_and_key(open_ledger, evaluation):
    with open_ledger() as ledger:
        ledger.record([evaluation(0), evaluation(1, "cora", key=evaluation(0).key)])
        assert ledger.answer("cora", evaluation(0).key).order == 1
        assert ledger.answer("pubmed", evaluation(0).key) is None


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"order": 0}, "order"), ({"answered": 0}, "answered"), ({"key": f"{0:016x}"}, "task and key")],
)
def test_nothing_is_recorded_twice(open_ledger, evaluation, changes, what):
    with open_ledger() as ledger:
        ledger.record([evaluation(0)])
        with pytest.raises(ValueError, match=f"this {what} is recorded already"):
            ledger.record([evaluation(2), replace(evaluation(1), **changes)])
        with pytest.raises(ValueError, match=f"this {what} is recorded already"):
            ledger.record([replace(evaluation(5), **changes), replace(evaluation(6), **changes)])
        assert ledger.evaluations() == [evaluation(0)]


class TestReplay:
    @pytest.fixture
    def ledger(self, open_ledger, evaluation):
        with open_ledger() as ledger:
            ledger.record([evaluation(0), evaluation(2, answered=1)])
            yield ledger

    def test_answered_questions(self, ledger, evaluation):
        assert ledger.replay(0, "citeseer", evaluation(0).key).order == 0
        assert ledger.replay(2, "citeseer", evaluation(2).key).order == 2

    def test_a_question_that_was_not_answered(self, ledger, evaluation):
        assert ledger.replay(1, "citeseer", evaluation(1).key) is None
        assert ledger.replay(3, "cora", evaluation(0).key) is None

    @pytest.mark.parametrize(
        ("order", "key_of", "recorded"),
        [
            (0, 7, "asked 'arch-0' on task 'citeseer'"),
            (1, 2, "asked that as number 2"),
            (2, 0, "asked 'arch-2'"),
        ],
    )
    def test_another_question_than_recorded(self, ledger, evaluation, order, key_of, recorded):
        with pytest.raises(UserError, match="does not fit this search") as caught:
            ledger.replay(order, "citeseer", evaluation(key_of).key)
        assert recorded in str(caught.value)


def test_another_fingerprint_names_every_difference(open_ledger, evaluation, run_dir):
    with open_ledger() as ledger:
        ledger.record([evaluation(0)])
    before = (run_dir / "ledger.sqlite").read_bytes()
    other = {"budget": 200, "screen": {"name": "surrogate", "n": 3}, "seed": 0, "timeout": None}
    with pytest.raises(UserError) as caught:
        open_ledger(other)
    message = str(caught.value)
    assert "budget: 100 in the ledger, 200 now" in message
    assert 'screen.name: "none" in the ledger, "surrogate" now' in message
    assert "timeout: absent in the ledger, null now" in message
    assert "seed" not in message
    assert "screen.n:" not in message
    assert (run_dir / "ledger.sqlite").read_bytes() == before
    open_ledger().close()


def test_fingerprints_are_compared_as_values(open_ledger):
    open_ledger({"targets": ("a", "b"), "x": {"one": 1, "two": 2}}).close()
    open_ledger({"x": {"two": 2, "one": 1}, "targets": ["a", "b"]}).close()


def test_another_schema_version(open_ledger, run_dir):
    open_ledger().close()
    with sqlite3.connect(run_dir / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for read in (open_ledger, lambda: read_ledger(run_dir)):
        with pytest.raises(UserError, match="schema version 99"):
            read()


@pytest.mark.parametrize("content", [b"order,task\n1,cora\n" * 50, b"SQLite", b"SQLite format 3\0"])
def test_a_file_that_is_no_database(open_ledger, run_dir, content):
    run_dir.mkdir()
    (run_dir / "ledger.sqlite").write_bytes(content)
    for read in (open_ledger, lambda: read_ledger(run_dir)):
        with pytest.raises(UserError, match="is not a ledger of ktnas"):
            read()
    assert [p.name for p in run_dir.iterdir()] == ["ledger.sqlite"]


def test_the_database_of_another_application(open_ledger, run_dir):
    run_dir.mkdir()
    connection = sqlite3.connect(run_dir / "ledger.sqlite")
    connection.execute("CREATE TABLE trials (number INTEGER)")
    connection.close()
    for read in (open_ledger, lambda: read_ledger(run_dir)):
        with pytest.raises(UserError, match="another application's SQLite database"):
            read()


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_file_that_was_cut_off(open_ledger, run_dir, evaluation, share):
    with open_ledger() as ledger:
        ledger.record([evaluation(i) for i in range(200)])
    path = run_dir / "ledger.sqlite"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    for read in (open_ledger, lambda: read_ledger(run_dir)):
        with pytest.raises(UserError, match=r"ledger\.sqlite is damaged"):
            read()


def test_an_empty_file_is_a_run_that_had_not_begun(open_ledger, run_dir, evaluation):
    run_dir.mkdir()
    (run_dir / "ledger.sqlite").touch()
    with pytest.raises(UserError, match="is empty: the run has only just begun"):
        read_ledger(run_dir)
    with open_ledger() as ledger:
        ledger.record([evaluation(0)])


def test_a_directory_without_a_run(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_ledger(tmp_path)


def test_a_directory_that_cannot_be_written(tmp_path, open_ledger):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write in the run directory"):
        open_ledger(directory=tmp_path / "file" / "run")
    (tmp_path / "run" / "ledger.sqlite").mkdir(parents=True)
    with pytest.raises(UserError, match="Cannot read the ledger"):
        open_ledger(directory=tmp_path / "run")


def test_a_full_disk(open_ledger, evaluation):
    with open_ledger() as ledger:
        ledger.record([evaluation(0)])
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UserError, match="Free space, then continue the run"):
            ledger.record([evaluation(i) for i in range(1, 200)])
        assert len(ledger) == 1
        ledger.record([evaluation(1)])
    assert [e.order for e in open_ledger().evaluations()] == [0, 1]


def test_reading_while_the_run_goes_on(open_ledger, run_dir, evaluation, description):
    with open_ledger() as ledger:
        for i in range(3):
            ledger.record([evaluation(i)])
            assert [e.order for e in read_ledger(run_dir).evaluations] == list(range(i + 1))
        record = read_ledger(run_dir)
    assert record.fingerprint == FINGERPRINT
    assert record.description.to_json() == description().to_json()


def test_reading_a_ledger_that_may_not_be_written(open_ledger, run_dir, evaluation):
    with open_ledger() as ledger:
        ledger.record([evaluation(0)])
    (run_dir / "ledger.sqlite").chmod(stat.S_IREAD)
    before = (run_dir / "ledger.sqlite").stat().st_mtime_ns
    assert len(read_ledger(run_dir).evaluations) == 1
    assert (run_dir / "ledger.sqlite").stat().st_mtime_ns == before


def test_a_copy_of_the_file_alone_is_a_ledger(open_ledger, run_dir, evaluation, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    with open_ledger() as ledger:
        for i in range(5):
            ledger.record([evaluation(i)])
            shutil.copy(run_dir / "ledger.sqlite", copy)
            assert len(read_ledger(copy).evaluations) == i + 1
        with open_ledger(directory=copy) as second:
            assert len(second) == 5
