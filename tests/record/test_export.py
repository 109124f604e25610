import json
import math
import sys

import numpy as np
import pandas as pd
import pytest

from ktnas.errors import UserError
from ktnas.record.description import Objective
from ktnas.record.export import evaluations_frame, export_run, front_frame, write_run_files
from ktnas.record.summary import build_summary


def test_columns_of_the_evaluations(evaluation):
    rows = [
        evaluation(1),
        evaluation(0, status="failed", metrics={"valid_accuracy": math.nan}, message="boom"),
    ]
    frame = evaluations_frame(rows)
    assert frame.columns.tolist() == [
        *["order", "generation", "task", "role", "architecture", "status"],
        *["error", "latency_ms_gpu", "params", "valid_accuracy"],
        *["seconds", "key", "message", "host", "answered"],
    ]
    assert frame["order"].tolist() == [0, 1]
    assert frame["error"].isna().tolist() == [True, False]
    assert evaluations_frame([]).columns.tolist()[6:8] == ["error", "seconds"]


def test_front_is_sorted_by_its_first_objective(description, search):
    run = search(0, 1.0)
    frame = front_frame(run, description().fronts()[0])
    assert frame.columns.tolist() == ["order", "architecture", "error", "latency_ms_gpu", "seconds", "key"]
    assert frame["error"].is_monotonic_increasing
    assert frame["latency_ms_gpu"].is_monotonic_decreasing
    assert front_frame([], description().fronts()[0]).columns.tolist() == frame.columns.tolist()


def test_front_of_one_objective_is_the_best_row(description, search):
    spec = description(objectives=(Objective("error", "error"),)).fronts()[0]
    run = search(0, 1.0)
    assert front_frame(run, spec)["error"].tolist() == [min(e.metrics["error"] for e in run)]


def test_files_of_a_run(tmp_path, description, evaluation, search, odd_metrics):
    run = description(tasks={"cora": "source", "citeseer": "target"})
    rows = [
        *search(0, 1.0),
        evaluation(30, "cora", role="source", metrics=odd_metrics | {"latency_ms_gpu": 1.0}),
    ]
    summary = build_summary(rows, run, 12.5)
    written = write_run_files(tmp_path, rows, run, summary)
    names = ["evaluations.csv"]
    names += [f"front_{task}.{kind}" for task in ("cora", "citeseer") for kind in ("csv", "json", "png")]
    assert [p.name for p in written] == [*names, "summary.json"]
    assert sorted([*names, "summary.json"]) == sorted(p.name for p in tmp_path.iterdir())
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    table = pd.read_csv(tmp_path / "evaluations.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(
        table.drop(columns="message"), evaluations_frame(rows).drop(columns="message"), check_exact=True
    )
    document = json.loads((tmp_path / "front_citeseer.json").read_text())
    assert document["objectives"] == ["error", "latency_ms_gpu"]
    assert document["points"] == front_frame(rows, run.fronts()[1]).to_dict(orient="records")
    assert (tmp_path / "front_cora.png").read_bytes().startswith(b"\x89PNG")


def test_several_devices_have_several_fronts(tmp_path, description, evaluation):
    run = description(("a", "b"))
    rows = [evaluation(0, metrics={"error": 1.0, "latency_ms_a": 1.0, "latency_ms_b": 2.0})]
    names = {p.name for p in export_run(tmp_path, rows, run, "csv")}
    assert names == {"evaluations.csv", "front_citeseer_a.csv", "front_citeseer_b.csv"}


def test_formats_agree(tmp_path, description, evaluation, search):
    rows = [*search(0, 1.0), evaluation(30, metrics={"error": math.nan, "latency_ms_gpu": 2.0})]
    for kind in ("csv", "json", "parquet"):
        export_run(tmp_path, rows, description(), kind)
    frame = evaluations_frame(rows)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "evaluations.parquet"), frame)
    records = json.loads((tmp_path / "evaluations.json").read_text())
    assert [r["error"] for r in records] == [None if np.isnan(v) else v for v in frame["error"]]
    assert len(pd.read_parquet(tmp_path / "front_citeseer.parquet")) == len(
        pd.read_csv(tmp_path / "front_citeseer.csv")
    )


def test_unknown_format(tmp_path, description):
    with pytest.raises(UserError, match=r"Unknown format 'jsn'\. Did you mean json"):
        export_run(tmp_path, [], description(), "jsn")
    assert not list(tmp_path.iterdir())


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, description, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'ktnas\[parquet\]'"):
        export_run(tmp_path, [], description(), "parquet")
    assert not list(tmp_path.iterdir())
