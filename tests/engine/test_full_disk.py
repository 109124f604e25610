"""A disk that is full: one message, nothing lost, and the run goes on once there is room."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ktnas
from ktnas.record.ledger import read_ledger
from tests.engine.killer import killer_in, recorded
from tests.engine.scene import write_tables

ROOT = Path(__file__).resolve().parents[2]
CLOCK = ["seconds", "host", "answered"]
ON_A_DISK = """
import subprocess
import sys
from ktnas.cli.main import main

disk, *arguments = sys.argv[1:]
for size, ask in (("{small}", arguments), ("8m", ["resume=run"])):
    subprocess.run(["mount", "-o", f"remount,size={{size}}", disk], check=True)
    print("ended with", main(["search", *ask]), flush=True)
subprocess.run(["cp", "-r", "run", "../run"], check=True)
"""
MOUNTED = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]


def rows(run_dir):
    return pd.read_csv(run_dir / "evaluations.csv").drop(columns=CLOCK)


def has_namespaces():
    """Whether anyone may mount a disk that nobody else sees."""
    try:
        probe = [*MOUNTED, "mount -t tmpfs none /tmp"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_namespaces(), reason="this system lets nobody mount a disk of their own")
def test_disk_that_fills_up_during_a_search(tmp_path):
    """A disk of a few pages, which are used up in the middle of the run; then it is made larger."""
    disk = tmp_path / "disk"
    disk.mkdir()
    search = [
        "algorithm=random", "source=[]", "target=[cora]", "objectives=[error]", "budget=150", "batch=1",
        "hydra.run.dir=run",
    ]  # fmt: skip
    code = ON_A_DISK.format(small="64k")
    mount = 'mount -t tmpfs none "$0"; cd "$0"; exec "$@"'
    done = subprocess.run(
        [*MOUNTED, mount, disk, sys.executable, "-c", code, disk, *search],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "ended" in line] == ["ended with 2", "ended with 0"]
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "database or disk is full" in said
    assert "Free space, then continue the run with resume=run: nothing recorded" in said
    assert "Traceback" not in done.stderr
    ktnas.search(
        target="cora", source=[], objectives="error", algorithm="random", budget=150,
        overrides={"batch": 1}, run_dir=tmp_path / "straight",
    )  # fmt: skip
    pd.testing.assert_frame_equal(rows(tmp_path / "run"), rows(tmp_path / "straight"), check_exact=True)


def test_files_that_may_not_grow(tmp_path, capfd):
    """The operating system refuses every write beyond some size, as it does beyond a quota."""
    search = {
        "benchmark": write_tables(tmp_path, 200),
        "source": [],
        "target": ["b"],
        "objectives": ["error"],
        "algorithm": "nsga2",
        "budget": 80,
        "overrides": {"population": 8, "initial": 8, "variation.offspring": 4},
    }
    run_dir, known = tmp_path / "run", []
    with killer_in(tmp_path) as killer:
        for file_size in (0, 2_000, 20_000, 26_000, 32_000):
            killer.send(search | {"run_dir": str(run_dir)}, file_size=file_size)
            assert killer.wait() == 2
            known.append(recorded(run_dir))
        killer.send(search | {"run_dir": str(run_dir)})
        assert killer.wait() == 0
        said = capfd.readouterr().err.splitlines()

    assert len(said) == 5
    assert all("Free space, " in line for line in said)
    assert known == sorted(known)
    assert len(set(known)) > 2
    ktnas.search(**search, run_dir=tmp_path / "straight")
    pd.testing.assert_frame_equal(rows(run_dir), rows(tmp_path / "straight"), check_exact=True)
    answered = [e.answered for e in read_ledger(run_dir).evaluations]
    np.testing.assert_array_equal(sorted(answered), range(80))
