"""Searches that are killed at any moment: the process, a worker, all of its processes.

Whatever was killed, the finished run has every evaluation exactly once and equals one that was left alone.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ktnas
from ktnas.engine.surrogate_screen import FEW
from ktnas.record.ledger import read_ledger
from tests.engine.killer import killer_in, recorded
from tests.engine.scene import write_tables

CLOCK = ["seconds", "host", "answered"]
LOGGED = """
import os
import time
import zlib
from pathlib import Path

def score(text):
    with Path(__file__).with_name("log").open("a") as log:
        log.write(f"{os.environ['ATTEMPT']} {os.getppid()} {text}\\n")
    time.sleep(zlib.crc32(text.encode()) % 5 / 100)
    if zlib.crc32(text.encode()) % 7 == 0:
        raise RuntimeError("unlucky")
    return zlib.crc32(text.encode()) % 1000
"""

KILLED_WHILE_WRITING = """
import json, os, signal, sys
import ktnas

os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
ktnas.search(**json.loads(sys.argv[1]))
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where the module of the function is, and the log of its calls."""
    directory = tmp_path_factory.mktemp("modules")
    (directory / "logged.py").write_text(LOGGED)
    return directory


@pytest.fixture(scope="module")
def killer(directory):
    with killer_in(directory) as killer:
        yield killer


@pytest.fixture
def log(directory):
    """Calls of the function so far: attempt, process of the worker, architecture."""
    path = directory / "log"
    path.write_text("")
    return lambda: [line.split() for line in path.read_text().splitlines()]


def of_function(budget, pool, **overrides):
    return {
        "benchmark": {"name": "function", "functions": {"f": "logged:score"}, "space": "transnas_micro"},
        "source": [],
        "target": ["f"],
        "objectives": ["error"],
        "algorithm": "nsga2",
        "budget": budget,
        "workers": 2,
        "overrides": {"population": 6, "initial": 6, "variation.offspring": 6, "parallel": pool, **overrides},
    }


def of_tables(directory):
    return {
        "benchmark": write_tables(directory, 200),
        "source": ["a"],
        "target": ["b", "c"],
        "device": "phone",
        "algorithm": "mtnas",
        "budget": 60,
        "source_budget": 30,
        "overrides": {"population": 8, "initial": 8, "variation.offspring": 4},
    }


def check_equal(run_dir, straight):
    """Every evaluation once, and the same as in a run that was left alone."""
    evaluations = read_ledger(run_dir).evaluations
    assert [e.order for e in evaluations] == list(range(len(evaluations)))
    assert sorted(e.answered for e in evaluations) == list(range(len(evaluations)))
    assert max(Counter((e.task, e.key) for e in evaluations).values()) == 1
    tables = [pd.read_csv(of / "evaluations.csv").drop(columns=CLOCK) for of in (run_dir, straight)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    for front in straight.glob("front_*.json"):
        fronts = [pd.read_csv((of / front.name).with_suffix(".csv")) for of in (run_dir, straight)]
        pd.testing.assert_frame_equal(*(table.drop(columns="seconds") for table in fronts), check_exact=True)
    assert (run_dir / "summary.json").is_file()


def kill_at_random_moments(killer, search, seed, moments, latest, group):
    """Start a search ``moments`` times, kill it each time, then let it end; how many were killed."""
    rng = np.random.default_rng(seed)
    ended = []
    for attempt in range(moments):
        killer.send(search, kill=0, after=rng.uniform(0, latest), attempt=str(attempt), group=group)
        ended.append(killer.wait())
    assert set(ended) <= {-signal.SIGKILL, 0}  # one that had finished before starts again, and may end
    killer.send(search, attempt=str(moments))
    assert killer.wait() == 0
    return ended.count(-signal.SIGKILL)


@pytest.mark.parametrize("group", [False, True], ids=["the search", "all of its processes"])
def test_search_of_a_function(killer, log, tmp_path, group):
    search = of_function(60, "threads")
    killer.send(search | {"run_dir": str(tmp_path / "straight")}, attempt="straight")
    assert killer.wait() == 0
    begun = len(log())

    killed = kill_at_random_moments(
        killer, search | {"run_dir": str(tmp_path / "run")}, seed=group, moments=6, latest=0.6, group=group
    )

    check_equal(tmp_path / "run", tmp_path / "straight")
    assert killed >= 3
    assert len(log()) - begun <= 60 + 2 * killed  # the two that were being evaluated are lost


@pytest.mark.parametrize("group", [False, True], ids=["the search", "all of its processes"])
def test_search_of_tables(killer, tmp_path, group):
    """Nothing to wait for: it is killed while it reads, breeds and writes."""
    search = of_tables(tmp_path)
    killer.send(search | {"run_dir": str(tmp_path / "straight")})
    assert killer.wait() == 0

    kill_at_random_moments(
        killer, search | {"run_dir": str(tmp_path / "run")}, seed=2 + group, moments=4, latest=1, group=group
    )

    check_equal(tmp_path / "run", tmp_path / "straight")


def test_workers(killer, log, tmp_path):
    """The search goes on with new ones; no architecture fails for it."""
    search = of_function(24, "loky", **{"initial": 2, "variation.offspring": 2})
    rng = np.random.default_rng(5)
    killer.send(search | {"run_dir": str(tmp_path / "run")}, attempt="killed")
    done = killed = 0
    while killed < 4:
        while recorded(tmp_path / "run") <= done:
            time.sleep(0.005)
        done = recorded(tmp_path / "run") + 1
        time.sleep(rng.uniform(0, 0.05))
        os.kill(int(log()[-1][1]), signal.SIGKILL)
        killed += 1
    assert killer.wait() == 0

    killer.send(search | {"run_dir": str(tmp_path / "straight"), "workers": 1}, attempt="straight")
    assert killer.wait() == 0
    check_equal(tmp_path / "run", tmp_path / "straight")
    assert len({worker for attempt, worker, _ in log() if attempt == "killed"}) > killed


def test_files_that_were_being_written(tmp_path):
    """What is left of them is gone when the search goes on; files of others stay."""
    given = {"benchmark": write_tables(tmp_path), "source": [], "target": ["a"], "objectives": ["error"]}
    given |= {"algorithm": "random", "budget": 4, "run_dir": str(tmp_path / "run")}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, json.dumps(given)], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "run").glob("*.tmp")
    assert left.name.startswith(".config.yaml.")
    (tmp_path / "run" / ".my.tmp").touch()

    ktnas.search(**given)
    assert [path.name for path in (tmp_path / "run").glob("*.tmp")] == [".my.tmp"]


@pytest.mark.slow
def test_asynchronous_search_that_learns_from_another_space(killer, log, tmp_path):
    """It is led first, one evaluation after the other; then no worker waits. Both are gone through again."""
    lender = of_function(20, "threads") | {"algorithm": "random", "run_dir": str(tmp_path / "lender")}
    lender["benchmark"] |= {"space": "nasbench201"}
    killer.send(lender, attempt="lender")
    assert killer.wait() == 0

    search = of_function(10, "threads", asynchronous=True)
    search |= {"algorithm": "ktnas", "source": str(tmp_path / "lender"), "run_dir": str(tmp_path / "run")}
    killer.send(search, kill=FEW + 2, attempt="run")
    assert killer.wait() == -signal.SIGKILL
    known = read_ledger(tmp_path / "run").evaluations
    killer.send(search, attempt="run")
    assert killer.wait() == 0

    evaluations = read_ledger(tmp_path / "run").evaluations
    assert sorted(e.answered for e in evaluations) == [e.order for e in evaluations] == list(range(10))
    assert len({e.key for e in evaluations}) == 10
    assert known == [evaluations[e.order] for e in known]
    assert sum(attempt == "run" for attempt, *_ in log()) <= 10 + 2  # two were in flight when it was killed
