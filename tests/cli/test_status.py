import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from ktnas.cli.main import main
from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import Ledger

OBJECTIVES = (Objective("error", "error"), Objective("latency", "latency_ms_gpu", "gpu"))
CONFIG = {"algorithm": "ktnas", "seed": 3, "budget": 10, "source_budget": 5, "until": {"citeseer": 2.5}}
RUN = RunDescription(OBJECTIVES, {"citeseer": "target", "cora": "source"}, ("gpu",), config=CONFIG)


def evaluation(order, task="citeseer", error=3.0, **changes):
    role = "source" if task == "cora" else "target"
    metrics = {"error": error, "latency_ms_gpu": 1.0}
    values = {"status": "ok", "metrics": metrics, "answered": order} | changes
    return Evaluation(order, 0, task, role, f"arch-{order}", f"{order:016x}", **values)


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run that was killed after 2 evaluations of its source and 3 of its target, one of which failed."""
    monkeypatch.chdir(tmp_path)
    with Ledger.open(tmp_path / "run", {"source": ["cora"]}, RUN) as ledger:
        ledger.record([evaluation(order, "cora", 9.0 - order) for order in range(2)])
        ledger.record([evaluation(order, error=7.0 - order) for order in (2, 3)])
        failed = {"status": "failed", "metrics": {}, "message": "ValueError:\n out of memory"}
        ledger.record([evaluation(4, **failed)])
    (tmp_path / "run" / "config.yaml").touch()
    return tmp_path / "run"


@pytest.fixture
def status(capsys):
    def told(*arguments):
        assert main(["status", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return told


def row(text, task):
    (line,) = (line for line in text.splitlines() if f"│ {task} " in line)
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_run_that_was_killed(status, run_dir):
    told = status(run_dir)

    assert told.startswith("run (algorithm=ktnas seed=3)\nstopped; ")
    assert row(told, "cora") == ["cora", "source", "2/5", "8", "0"]
    assert row(told, "citeseer") == ["citeseer", "target", "3/10, or until error ≤ 2.5", "4", "1"]
    assert "Last failure, of citeseer: ValueError: out of memory [arch-4]" in told
    assert "Continue it with: ktnas search resume=run" in told
    assert re.search(r"last recorded \d+ s ago, at \d{4}-\d\d-\d\d ", told)


def test_a_run_that_is_going_on(status, run_dir):
    with Ledger.open(run_dir, {"source": ["cora"]}, RUN):
        told = status(run_dir)
        assert f"running, by process {os.getpid()} on {socket.gethostname()}; last recorded" in told
        assert "If it is killed, continue it with: ktnas search resume=run" in told

    assert "stopped" in status(run_dir)


def test_a_worker_outlives_its_search(status, run_dir):
    hold = (
        "import fcntl, os, sys, time; fcntl.flock(f := open(sys.argv[1]), fcntl.LOCK_EX);"
        "print(flush=True); time.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", hold, run_dir / "run.lock"], stdout=subprocess.PIPE)
    try:
        worker.stdout.readline()
        ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
        change_holder(run_dir, int(ended.stdout), socket.gethostname())
        assert "has ended, but a process it started still holds the run" in status(run_dir)
    finally:
        worker.kill()
        worker.communicate()


def test_a_run_of_another_machine(status, run_dir):
    change_holder(run_dir, 1, "elsewhere")

    assert "stopped; it was process 1 on elsewhere, which this machine cannot see" in status(run_dir)


def change_holder(run_dir, pid, host):
    with sqlite3.connect(run_dir / "ledger.sqlite") as ledger:
        ledger.execute(
            "UPDATE meta SET value = ? WHERE name = 'holder'", [json.dumps({"pid": pid, "host": host})]
        )
    ledger.close()


def test_a_finished_run(status, run_dir):
    (run_dir / "summary.json").touch()

    told = status(run_dir)
    assert "\nfinished; " in told
    assert "See it with: ktnas report run" in told


def test_a_lent_source_has_no_budget_of_its_own(status, tmp_path):
    with Ledger.open(tmp_path / "run", {"source": {"run": "0123"}}, RUN) as ledger:
        ledger.record([evaluation(order, "cora") for order in range(3)])

    assert row(status(tmp_path / "run"), "cora")[2] == "3/3"


def test_before_the_first_evaluation(status, tmp_path):
    Ledger.open(tmp_path / "run", {"source": ["cora"]}, RUN).close()

    told = status(tmp_path / "run")
    assert "stopped; " in told
    assert re.search(r"nothing evaluated yet; begun \d+ s ago", told)
    assert row(told, "citeseer")[2:4] == ["0/10, or until error ≤ 2.5", "–"]
    assert "Continue it with: the command it was started with, and hydra.run.dir=" in told


def test_functions_of_a_script_are_continued_by_it(status, tmp_path):
    config = CONFIG | {"benchmark": {"name": "function", "functions": {"mine": "__main__:score"}}}
    run = RunDescription(OBJECTIVES, {"citeseer": "target"}, ("gpu",), config=config)
    Ledger.open(tmp_path / "run", {}, run).close()

    assert "Continue it with: the same script: ktnas.search(…, run_dir=" in status(tmp_path / "run")


def test_an_old_run_and_a_clock_that_jumped(status, run_dir):
    for shift, said in ((-3 * 86_400, "3 days ago"), (-7300, "2 hours ago"), (5000, "0 s ago")):
        moment = time.time() + shift
        os.utime(run_dir / "ledger.sqlite", (moment, moment))
        assert f"last recorded {said}" in status(run_dir)


def test_several_runs(status, run_dir, tmp_path):
    Ledger.open(tmp_path / "other", {}, RUN).close()

    told = status(tmp_path)
    assert told.index("other (algorithm") < told.index("run (algorithm")


def test_asking_changes_nothing(status, run_dir):
    before = {path.name: path.stat().st_mtime_ns for path in run_dir.iterdir()}
    status(run_dir)

    assert {path.name: path.stat().st_mtime_ns for path in run_dir.iterdir()} == before


def test_mistakes(tmp_path, capsys):
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "ledger.sqlite").write_bytes(b"SQLite format 3\0")
    for path, said in ((tmp_path / "nothing", "does not exist"), (tmp_path / "cut", "is not a ledger")):
        assert main(["status", str(path)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert said in printed.err
