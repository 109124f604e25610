import json
import subprocess
import sys

import numpy as np

from ktnas.record.description import Objective
from ktnas.record.summary import build_summary, versions


def test_summary_of_a_run(description, evaluation):
    run = description(
        ("a", "b"),
        tasks={"cora": "source", "citeseer": "target"},
        true_fronts={("citeseer", "a"): np.array([[4.0, 1.0]])},
    )
    rows = [
        evaluation(0, metrics={"error": 5.0, "latency_ms_a": 1.0, "latency_ms_b": 2.0}),
        evaluation(1, status="timeout", metrics={}),
        evaluation(2, metrics={"error": 6.0, "latency_ms_a": 0.5, "latency_ms_b": 3.0}),
    ]
    summary = build_summary(rows, run, 3.5)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert (summary["evaluations"], summary["failed"], summary["seconds"]) == (3, 1, 3.5)
    assert (summary["algorithm"], summary["seed"], summary["config"]) == ("ktnas", 0, run.config)
    task = summary["tasks"]["citeseer"]
    assert (task["role"], task["evaluations"], task["failed"]) == ("target", 3, 1)
    on_a, on_b = task["fronts"]
    assert (on_a["device"], on_a["front_size"], on_a["best_error"]) == ("a", 2, 5.0)
    assert (on_a["best_architecture"], on_a["regret"]) == ("arch-0", 1.0)
    assert on_a["true_front"] == [[4.0, 1.0]]
    assert on_a["reference"] == [4.4, 1.1]
    assert on_a["hypervolume_ratio"] == 0.0
    assert (on_b["front_size"], on_b["regret"], on_b["hypervolume_ratio"]) == (1, None, None)
    assert on_b["hypervolume"] > 0
    source = summary["tasks"]["cora"]["fronts"][0]
    assert (source["best_error"], source["front_size"], source["reference"]) == (None, 0, None)


def test_one_objective_has_no_hypervolume(description, evaluation):
    run = description(
        objectives=(Objective("error", "error"),), true_fronts={("citeseer", None): np.array([[25.0]])}
    )
    (entry,) = build_summary([evaluation(0)], run, 1.0)["tasks"]["citeseer"]["fronts"]
    assert entry["hypervolume"] is None
    assert entry["hypervolume_ratio"] is None
    assert entry["regret"] == 5.0


def test_versions_are_named_without_importing_torch():
    assert {"python", "ktnas", "numpy", "moocore"} <= versions().keys()
    code = (
        "import sys; from ktnas.record.summary import versions; versions(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
