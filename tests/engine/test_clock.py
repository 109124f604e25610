"""A clock that jumps back and forth by days, every second: nothing of a search goes by the time of day.

Shifted is what ``time.time`` says in the search and all processes that it starts, or the clock of the C
library, which everything else goes by too. Dask is left out: its event loop (tornado's) goes by the time of
day, and sends nothing for as long as the clock was set back.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

import ktnas
from ktnas.cli.status import headline
from ktnas.record.ledger import read_ledger
from ktnas.record.status import run_status
from tests.engine.killer import recorded
from tests.processes import running
from tests.task.pool_contract import until

JUMP = 250_000
OF_PYTHON = f"""
import time

right = time.time
time.time = lambda: right() + {JUMP} * (-1) ** int(time.monotonic())
time.time_ns = lambda: int(time.time() * 1e9)
"""
OF_C = f"""
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void)
{{
    struct timespec steady;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &steady);
    return steady.tv_sec % 2 ? -{JUMP} : {JUMP};
}}

int clock_gettime(clockid_t clock, struct timespec *now)
{{
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME)
        now->tv_sec += shift();
    return failed;
}}

int gettimeofday(struct timeval *now, void *zone)
{{
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed)
        now->tv_sec += shift();
    return failed;
}}

time_t time(time_t *now)
{{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}}
"""
TIMED = """
import time
import zlib

def score(text):
    time.sleep(0.3)
    if zlib.crc32(text.encode()) % 6 == 0:
        time.sleep(60)
    return {"score": zlib.crc32(text.encode()) % 1000, "clock": time.time()}
"""
CLOCK = ["clock", "seconds", "host", "answered"]
GIVEN = {"population": 6, "initial": 6, "variation.offspring": 6}


def jumping(clock: str, directory: Path) -> dict[str, str]:
    """Environment of processes whose clock jumps."""
    path = {"PYTHONPATH": os.pathsep.join([str(directory), *sys.path])}
    if clock == "Python":
        (directory / "sitecustomize.py").write_text(OF_PYTHON)
        return path
    (directory / "jumping.c").write_text(OF_C)
    library = str(directory / "jumping.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, "jumping.c"], cwd=directory, check=True)
    return path | {"LD_PRELOAD": library}


@pytest.mark.slow
@pytest.mark.parametrize(("clock", "pool"), [("Python", "threads"), ("C", "loky")])
def test_search_while_the_clock_jumps(
    clock: str, pool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if clock == "C" and (sys.platform != "linux" or shutil.which("cc") is None):
        pytest.skip("the C library's clock is shifted on Linux, by what a C compiler makes")
    (tmp_path / "timed.py").write_text(TIMED)
    arguments = [
        "benchmark=function", "benchmark.functions={f: timed:score}", "space=transnas_micro", "source=[]",
        "target=[f]", "objectives=[error]", "algorithm=nsga2", "budget=18", "workers=2", "timeout=1.5",
        f"parallel={pool}", *(f"{key}={value}" for key, value in GIVEN.items()),
    ]  # fmt: skip
    command = [sys.executable, "-m", "ktnas", "search", *arguments, "hydra.run.dir=run"]
    given = {"cwd": tmp_path, "env": os.environ | jumping(clock, tmp_path), "stdout": subprocess.DEVNULL}
    run = tmp_path / "run"

    with running(command, **given) as search:
        while recorded(run) < 7:
            assert search.poll() is None
            time.sleep(0.05)
        found = run_status(run)
        assert (found.state, found.orphaned) == ("running", False)
        for now in (found.recorded - timedelta(days=3), found.recorded + timedelta(days=3)):
            assert f"running, by process {search.pid}" in headline(found, now)[1]
    assert until(lambda: run_status(run).state == "stopped")
    before = read_ledger(run).evaluations
    subprocess.run(command, **given, check=True)
    assert run_status(run).state == "finished"
    assert [read_ledger(run).evaluations[first.order] for first in before] == before

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    ktnas.search(
        {"name": "function", "functions": {"f": "timed:score"}, "space": "transnas_micro"},
        source=[], target="f", objectives="error", algorithm="nsga2", budget=18, workers=2, timeout=1.5,
        run_dir="straight", overrides=GIVEN | {"parallel": "threads"},
    )  # fmt: skip
    found, straight = (pd.read_csv(tmp_path / name / "evaluations.csv") for name in ("run", "straight"))
    off = found["clock"].dropna() - time.time()
    assert (off.abs() - JUMP).abs().max() < 300
    assert set(off > 0) == {True, False}
    pd.testing.assert_frame_equal(found.drop(columns=CLOCK), straight.drop(columns=CLOCK))
    late = found["status"] == "timeout"
    assert found["seconds"][late].between(1.5, 20).all()
    assert found["seconds"][~late].between(0.3, 20).all()
    assert 0 < json.loads((run / "summary.json").read_text())["seconds"] < 100
