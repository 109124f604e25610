"""A search that is killed and continued ends as if it had never stopped."""

import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ktnas
from ktnas.errors import UserError
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
        log.write(f"{os.environ.get('ATTEMPT')} {text}\\n")
    time.sleep(0.02)
    if zlib.crc32(text.encode()) % 5 == 0:
        raise RuntimeError("unlucky")
    return zlib.crc32(text.encode()) % 1000
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Where the modules are that the killer imports."""
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module")
def killer(directory):
    with killer_in(directory) as killer:
        yield killer


def rows(run_dir):
    """The file of evaluations without what depends on the clock."""
    return pd.read_csv(Path(run_dir) / "evaluations.csv").drop(columns=CLOCK)


def check_killed_and_resumed(killer, search, kills, seed, after=0.01):
    """Kill a search ``kills`` times, then let it finish; the evaluations that were known at each start."""
    rng = np.random.default_rng(seed)
    run_dir = Path(search["run_dir"])
    total = search["budget"] * len(search["target"]) + search["source_budget"] * len(search["source"])
    known, ended = [set()], []
    for attempt, kill in enumerate(
        sorted(rng.choice(np.arange(1, 2 * total // 3), kills, replace=False).tolist())
    ):
        killer.send(search, kill, rng.uniform(0, after), str(attempt))
        ended.append(killer.wait())
        known.append({(e.task, e.architecture) for e in read_ledger(run_dir).evaluations})
    assert ended[0] == -signal.SIGKILL
    assert set(ended) <= {-signal.SIGKILL, 0}  # a late one may come after the end
    killer.send(search, attempt=str(kills))
    assert killer.wait() == 0
    assert recorded(run_dir) == total
    return known


@pytest.mark.parametrize(
    ("algorithm", "overrides", "kills"),
    [("ktnas", {"screen.random": 32}, 2), ("ktnas_paper", {"encoding": "onehot"}, 4)],
)
def test_killed_search_ends_in_the_same_rows(killer, tmp_path, algorithm, overrides, kills):
    search = {
        "benchmark": write_tables(tmp_path, 400),
        "source": ["a"],
        "target": ["b"],
        "device": "phone",
        "algorithm": algorithm,
        "budget": 12,
        "source_budget": 11,
        "seed": 3,
        "overrides": overrides,
    }
    straight = ktnas.search(**search, run_dir=tmp_path / "straight")

    check_killed_and_resumed(killer, search | {"run_dir": str(tmp_path / "run")}, kills, seed=0)

    pd.testing.assert_frame_equal(rows(tmp_path / "run"), rows(tmp_path / "straight"), check_exact=True)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["tasks"] == straight.summary["tasks"]
    fronts = [
        pd.read_csv(tmp_path / run / "front_b.csv").drop(columns="seconds") for run in ("run", "straight")
    ]
    pd.testing.assert_frame_equal(*fronts, check_exact=True)


@pytest.mark.slow
def test_killed_search_of_a_function_evaluates_nothing_again(killer, directory, tmp_path):
    (directory / "logged.py").write_text(LOGGED)
    search = {
        "benchmark": {"name": "function", "functions": {"f": "logged:score"}, "space": "transnas_micro"},
        "source": [],
        "target": ["f"],
        "objectives": ["error"],
        "algorithm": "nsga2",
        "budget": 26,
        "source_budget": 1,
        "workers": 2,
        "overrides": {"population": 10, "initial": 10, "variation.offspring": 10},
    }
    kills = 2

    known = check_killed_and_resumed(killer, search | {"run_dir": str(tmp_path / "run")}, kills, 1, 0.05)

    asked = [line.split() for line in (directory / "log").read_text().splitlines()]
    assert len({text for _, text in asked}) == 26
    for attempt, before in enumerate(known):
        again = {text for number, text in asked if int(number) == attempt and ("f", text) in before}
        assert not again
    assert len(asked) <= 26 + 2 * kills  # those that the two workers had begun
    killer.send(search | {"workers": 1, "run_dir": str(tmp_path / "straight")})
    assert killer.wait() == 0
    pd.testing.assert_frame_equal(rows(tmp_path / "run"), rows(tmp_path / "straight"), check_exact=True)
    answered = [e.answered for e in read_ledger(tmp_path / "run").evaluations]
    assert sorted(answered) == list(range(26))


def test_finished_search_is_not_searched_again(tmp_path):
    def score(text):
        with (tmp_path / "log").open("a") as log:
            log.write(f"{text}\n")
        return len(set(text))

    search = {
        "benchmark": {"name": "function", "functions": {"f": score}, "space": "transnas_micro"},
        "target": "f",
        "objectives": "error",
        "budget": 6,
        "run_dir": tmp_path / "run",
    }
    first = ktnas.search(**search)
    second = ktnas.search(**search)
    assert len((tmp_path / "log").read_text().splitlines()) == 6
    pd.testing.assert_frame_equal(first.evaluations, second.evaluations)


def test_second_process_on_a_run_is_refused(killer, directory, tmp_path, monkeypatch):
    (directory / "slow.py").write_text(
        "import time\n\ndef score(text):\n    time.sleep(0.1)\n    return len(set(text))\n"
    )
    search = {
        "benchmark": {"name": "function", "functions": {"f": "slow:score"}, "space": "transnas_micro"},
        "target": ["f"],
        "objectives": ["error"],
        "algorithm": "random",
        "budget": 200,
        "run_dir": str(tmp_path / "run"),
    }
    killer.send(search)
    while not recorded(tmp_path / "run"):
        time.sleep(0.02)
    monkeypatch.syspath_prepend(directory)
    with pytest.raises(UserError, match=r"run is in use by process \d+ on .*Wait until") as caught:
        ktnas.search(**search)
    os.kill(int(re.search(r"process (\d+)", str(caught.value))[1]), signal.SIGKILL)
    assert killer.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "seed: 0 in the ledger, 1 now"),
        ({"budget": 9}, "budget: 8 in the ledger, 9 now"),
        ({"algorithm": "nsga2"}, 'algorithm: "random" in the ledger, "nsga2" now'),
        ({"overrides": {"variation.offspring": 3}}, "variation.offspring: 10 in the ledger, 3 now"),
    ],
)
def test_ledger_of_another_configuration_is_refused(tmp_path, change, said):
    search = {
        "benchmark": write_tables(tmp_path),
        "target": "a",
        "objectives": "error",
        "algorithm": "random",
        "budget": 8,
        "run_dir": tmp_path / "run",
    }
    ktnas.search(**search)
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}

    with pytest.raises(UserError, match="belongs to another configuration") as caught:
        ktnas.search(**(search | change))

    assert said in str(caught.value)
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_number_of_workers_is_no_other_configuration(tmp_path):
    search = {"benchmark": write_tables(tmp_path), "target": "a", "objectives": "error", "budget": 8}
    first = ktnas.search(**search, run_dir=tmp_path / "run")
    second = ktnas.search(**search, run_dir=tmp_path / "run", workers=2)
    pd.testing.assert_frame_equal(first.evaluations, second.evaluations)


def test_table_that_has_changed_is_noticed(tmp_path):
    """The recorded answers do not fit the questions that the search asks of other data."""
    search = {"target": "a", "objectives": "error", "algorithm": "nsga2", "budget": 30}
    ktnas.search(write_tables(tmp_path, 35), **search, run_dir=tmp_path / "run")
    with pytest.raises(UserError, match="does not fit this search"):
        ktnas.search(write_tables(tmp_path, 35, seed=1), **search, run_dir=tmp_path / "run")
