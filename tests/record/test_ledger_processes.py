"""What happens to a ledger when processes die, meet, or look at it while it is written."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.record.ledger import Ledger, read_ledger

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
import time
from pathlib import Path
from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import Ledger

run = RunDescription((Objective("error", "error"),), {"cora": "target"})
with Ledger.open(Path(sys.argv[1]), {"seed": 0}, run) as ledger:
    order = len(ledger)
    print("open", flush=True)
    while True:
        rows = [
            Evaluation(i, 0, "cora", "target", "a" * 99, f"{i:016x}", "ok", {"error": i / 7}, answered=i)
            for i in range(order, order + 1 + order % 3)
        ]
        ledger.record(rows)
        order += len(rows)
        print(order, flush=True)
        time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def start():
    """Start a writer; it is dead when the test ends."""
    processes = []

    def started(run_dir, pause=0.0):
        command = [sys.executable, "-c", WRITER, str(run_dir), str(pause)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "open\n"
        return process

    yield started
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


def kill(process) -> int:
    """Rows the writer had been promised when it was killed."""
    os.kill(process.pid, signal.SIGKILL)
    promised = process.communicate()[0].split("\n")
    return int(promised[-2]) if len(promised) > 1 else 0


def reopen(run_dir, description):
    return Ledger.open(run_dir, {"seed": 0}, description(()))


def test_killed_at_random_moments_every_promised_row_is_there(tmp_path, start, description):
    rng = np.random.default_rng(0)
    before = 0
    for _ in range(8):
        process = start(tmp_path)
        time.sleep(rng.uniform(0, 0.1))
        promised = max(before, kill(process))
        record = read_ledger(tmp_path)
        assert len(record.evaluations) >= promised
        assert [e.order for e in record.evaluations] == list(range(len(record.evaluations)))
        assert all(e.metrics == {"error": e.order / 7} for e in record.evaluations)
        connection = sqlite3.connect(tmp_path / "ledger.sqlite")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        with reopen(tmp_path, description) as ledger:
            assert len(ledger) == len(record.evaluations)
        before = len(record.evaluations)
    assert before > 8


def test_killed_while_it_is_made(tmp_path, description, evaluation):
    rng = np.random.default_rng(1)
    for i in range(4):
        run_dir = tmp_path / str(i)
        command = [sys.executable, "-c", WRITER, str(run_dir), "0"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not (run_dir / "run.lock").exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(rng.uniform(0, 0.004))
        process.kill()
        process.wait()
        with reopen(run_dir, description) as ledger:
            ledger.record([evaluation(len(ledger))])


def test_half_a_commit_is_undone(tmp_path, description, evaluation):
    """A journal left behind by a dead writer, as a reader and the next writer find it."""
    with reopen(tmp_path, description) as ledger:
        ledger.record([evaluation(i) for i in range(50)])
    code = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("PRAGMA cache_spill = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE evaluation SET architecture = architecture || hex(randomblob(2000))")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "ledger.sqlite")], check=False)
    assert (tmp_path / "ledger.sqlite-journal").stat().st_size > 0
    assert [e.architecture for e in read_ledger(tmp_path).evaluations] == [f"arch-{i}" for i in range(50)]
    with reopen(tmp_path, description) as ledger:
        assert len(ledger) == 50


def test_the_second_process_is_refused_and_told_of_the_first(tmp_path, start, description):
    process = start(tmp_path)
    with pytest.raises(UserError) as caught:
        reopen(tmp_path, description)
    message = str(caught.value)
    assert f"{tmp_path} is in use by process {process.pid} on " in message
    assert f"resume={tmp_path}" in message
    kill(process)
    reopen(tmp_path, description).close()


def test_the_same_process_may_not_open_a_run_twice(tmp_path, description):
    with (
        reopen(tmp_path, description),
        pytest.raises(UserError, match=f"in use by process {os.getpid()}"),
    ):
        reopen(tmp_path, description)
    reopen(tmp_path, description).close()


def test_a_refused_ledger_is_unlocked(tmp_path, description):
    reopen(tmp_path, description).close()
    with pytest.raises(UserError, match="another configuration"):
        Ledger.open(tmp_path, {"seed": 1}, description())
    reopen(tmp_path, description).close()


def test_reading_and_copying_in_mid_write(tmp_path, start):
    run_dir, copy = tmp_path / "run", tmp_path / "copy"
    copy.mkdir()
    start(run_dir, pause=0.005)
    while not len(read_ledger(run_dir).evaluations):
        time.sleep(0.01)
    seen = 0
    for _ in range(40):
        live = len(read_ledger(run_dir).evaluations)
        shutil.copyfile(run_dir / "ledger.sqlite", copy / "ledger.sqlite")
        copied = [e.order for e in read_ledger(copy).evaluations]
        assert copied == list(range(len(copied)))
        assert seen <= live <= len(copied)
        seen = live
    assert seen > 1
