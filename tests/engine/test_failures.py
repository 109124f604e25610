"""Searches of functions that fail in every way."""

import math
import os
import resource
import signal
import sys
import time
import zlib

import numpy as np
import pytest

import ktnas
from ktnas.record.ledger import read_ledger

WAYS = (
    "raises", "returns NaN", "exits", "dies", "hangs", "no number", "no latency", "no memory", "is killed"
)  # fmt: skip


def fate(text):
    """Which way an architecture takes; most of them do well."""
    return (*WAYS, *["well"] * 8)[zlib.crc32(text.encode()) % 17]


def score(text):
    way = fate(text)
    if way == "raises":
        raise RuntimeError(f"no luck with {text}")
    if way == "exits":
        sys.exit(3)
    if way == "dies":
        os._exit(7)
    if way == "hangs":
        time.sleep(60)
    if way == "no memory":
        resource.setrlimit(resource.RLIMIT_AS, (1 << 36, 1 << 36))
        return len([np.empty(1 << 29) for _ in range(64)])
    if way == "is killed":  # as by a system that has no memory left
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "no number":
        return "good"
    value = math.nan if way == "returns NaN" else zlib.crc32(text[::-1].encode()) % 1000
    return {"score": value} if way == "no latency" else {"score": value, "latency_ms": len(set(text))}


SAID = {
    "raises": "RuntimeError: no luck with 64-41414",
    "returns NaN": "score is nan",
    "exits": "SystemExit: 3",
    "dies": "exited with status 7",
    "hangs": "took longer than 0.3 s",
    "no number": "returned a str for 'score'",
    "no latency": "no finite latency_ms_function",
    "no memory": "Unable to allocate",
    "is killed": "was killed by SIGKILL",
}


def search(function, budget, **arguments):
    config = {"name": "function", "functions": {"f": function}, "space": "transnas_micro"}
    return ktnas.search(config, target="f", budget=budget, **arguments)


@pytest.mark.parametrize("algorithm", ["ktnas", "nsga2", "regularized_evolution"])
def test_failures_are_recorded_cost_budget_and_are_never_on_the_front(algorithm, tmp_path):
    result = search(
        score,
        22,
        device="function",
        algorithm=algorithm,
        workers=2,
        timeout=0.3,
        run_dir=tmp_path / "run",
    )
    evaluations = result.evaluations
    assert len(evaluations) == 22
    assert not evaluations.duplicated("key").any()
    expected = evaluations["architecture"].map(fate)
    ways = set(expected)
    assert "well" in ways
    assert len(ways) > 3
    for row, way in zip(evaluations.itertuples(), expected, strict=True):
        if way == "well":
            assert (row.status, row.message) == ("ok", "")
            assert math.isfinite(row.error)
        else:
            assert row.status == ("timeout" if way == "hangs" else "failed")
            assert SAID[way] in row.message
    front = result.front()
    assert set(front["architecture"].map(fate)) == {"well"}
    assert result.summary["failed"] == (expected != "well").sum()
    assert len(read_ledger(tmp_path / "run").evaluations) == 22


@pytest.mark.parametrize("algorithm", ["ktnas", "nsga2", "regularized_evolution", "emtnas"])
def test_everything_fails(algorithm, tmp_path):
    def broken(text):
        raise RuntimeError("broken")

    result = search(broken, 13, objectives="error", algorithm=algorithm, run_dir=tmp_path / "run")
    assert result.evaluations["status"].tolist() == ["failed"] * 13
    assert len(result.front()) == 0
    assert result.summary["tasks"]["f"]["fronts"][0]["best_architecture"] is None


def test_metric_named_like_the_objective_is_not_taken_for_it():
    result = search(lambda text: {"score": 5.0, "error": -1.0}, 3, objectives="error", algorithm="random")
    assert result.evaluations["error"].tolist() == [-5.0] * 3


def test_answers_do_not_depend_on_the_workers():
    """Later answers overtake earlier ones where two work; the rows stay in the order asked."""

    def slow(text):
        time.sleep(0.03 * (zlib.crc32(text.encode()) % 3))
        return zlib.crc32(text.encode()) % 100

    results = [
        search(slow, 12, objectives="error", workers=workers).evaluations.drop(
            columns=["seconds", "answered"]
        )
        for workers in (1, 2)
    ]
    assert results[0].equals(results[1])
