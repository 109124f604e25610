import numpy as np
import pandas as pd
import pytest

from experiments.cost import (
    PARTS,
    Clock,
    cases,
    exponent,
    made_up,
    main,
    peak_memory,
    peer_seconds,
    picture,
    table,
)
from ktnas.engine.progress import ProgressEvent


def test_clock_takes_the_last_evaluations_of_all_tasks(monkeypatch):
    times = iter([0.0, 5.0, 6.0, 8.0, 12.0])
    monkeypatch.setattr("experiments.cost.time.process_time", lambda: next(times))
    clock = Clock()
    clock.start({"a": 4, "b": 1})
    for task, done in (("a", 2), ("b", 1), ("a", 3), ("a", 4)):
        clock.update(ProgressEvent(task=task, role="target", done=done, budget=4, best_error=1.0))

    assert clock.per_evaluation(2) == pytest.approx(3)
    assert clock.per_evaluation(4) == pytest.approx(12 / 5)


def test_every_part_has_sizes_and_the_largest_space_is_beyond_listing():
    everything = list(cases())
    sizes = {part: [case.size for case in everything if case.part == part] for part in PARTS}

    assert max(sizes["evaluations"]) == 2000
    assert max(sizes["tasks"]) == 9
    assert max(sizes["devices_read"]) == max(sizes["devices_learned"]) == 8
    assert min(sizes["space"]) == 4096
    assert max(sizes["space"]) > 10**18


def test_searches_are_timed():
    engine = next(case for case in cases() if (case.part, case.method) == ("evaluations", "nsga2"))

    assert 0 < engine.seconds(0) < 1
    assert 0 < peer_seconds("optuna_nsga2", 12, 0) < 1
    assert np.isnan(peak_memory()) or peak_memory() > 10


def test_made_up_task_tells_architectures_apart():
    found = [made_up(text) for text in ("a|b", "b|a", "a|b")]

    assert found[0] == found[2] != found[1]
    assert all(0 < answer["score"] < 100 and answer["latency_ms"] > 1 for answer in found)


def test_growth_is_told():
    rows = pd.DataFrame(
        [
            {"part": "evaluations", "size": n, "method": method, "per_evaluation": n**power, "peak_mb": 5.0}
            for n in (10.0, 100.0, 1000.0)
            for method, power in (("ktnas", 2), ("optuna_tpe", 0))
            if (n, method) != (1000, "optuna_tpe")
        ]
    )

    assert exponent([1, 2, 4], np.array([3, np.nan, 48])) == pytest.approx(2)
    assert np.isnan(exponent([1, 2], np.array([3, np.nan])))
    lines = table(rows, "per_evaluation").splitlines()
    assert lines[0] == "| CPU seconds per evaluation | 10 | 100 | 1,000 | exponent |"
    assert lines[2] == "| ktnas | 100 | 10,000 | 1,000,000 | 2.00 |"
    assert lines[3] == "| optuna_tpe | 1 | 1 | – | 0.00 |"
    assert picture(rows).startswith(b"\x89PNG")


@pytest.mark.slow
def test_runs_and_resumes(tmp_path, capsys):
    arguments = ["--parts", "devices_read", "--methods", "ktnas", "--out", str(tmp_path)]
    main(arguments)
    page = (tmp_path / "cost.md").read_text(encoding="utf-8")
    assert "## devices_read" in page
    assert (pd.read_csv(tmp_path / "cost.csv")[["per_evaluation", "peak_mb"]] > 0).all(axis=None)
    capsys.readouterr()

    main(arguments)

    assert capsys.readouterr().err == ""
