"""Searching for a device of which a handful of measurements is all that is known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import ktnas
from ktnas import registry
from ktnas.cli.tables import print_report
from ktnas.errors import UserError
from tests.engine.scene import SPACE, write_tables
from tests.latency.linear import Linear

BUDGET = 24


@pytest.fixture(autouse=True)
def linear() -> Iterator[None]:
    registry.register("latency_model", "linear", Linear)
    yield
    del registry.PLUGINS["latency_model"]["linear"]


@pytest.fixture
def benchmark_tables(tmp_path: Path) -> dict[str, Any]:
    """Tables of 400 architectures; 15 of the latencies of its phone in a file of measurements, new.csv."""
    config = write_tables(tmp_path, 400)
    known = pd.read_csv(tmp_path / "latency.csv")
    known.rename(columns={"phone": "latency_ms"})[["arch", "latency_ms"]][::27].to_csv(
        tmp_path / "new.csv", index=False
    )
    return config


def search(config: dict[str, Any], device: Any, run_dir: Path | None = None, **overrides: Any) -> Any:
    return ktnas.search(
        config,
        target="a",
        device=device,
        budget=BUDGET,
        run_dir=run_dir,
        overrides={"latency_model": {"name": "linear"}, **overrides},
    )


def test_unmeasured_latencies_are_predicted_and_said_to_be(tmp_path, benchmark_tables):
    result = search(benchmark_tables, str(tmp_path / "new.csv"), tmp_path / "run")
    frame = result.evaluations.set_index("architecture")
    assert len(frame) == BUDGET
    measured = pd.read_csv(tmp_path / "new.csv", index_col="arch")["latency_ms"]
    for text, row in frame.iterrows():
        if text in measured:
            assert (row["latency_ms_new"], row["latency_ms_new_std"]) == (measured[text], 0)
        else:
            assert row["latency_ms_new_std"] > 0
    truth = pd.read_csv(tmp_path / "latency.csv", index_col="arch")["phone"]
    assert np.corrcoef(frame["latency_ms_new"], truth[frame.index])[0, 1] > 0.8
    front = pd.read_csv(tmp_path / "run" / "front_a.csv")
    assert "latency_ms_new_std" in front
    assert result.summary["tasks"]["a"]["fronts"][0]["true_front"] is None
    assert (tmp_path / "run" / "front_a.png").stat().st_size > 10_000


def test_table_beside_a_new_device(tmp_path, benchmark_tables):
    limits = {"limits.latency": {"new": 6.0, "board": 16.0}}  # board takes 30 - 2 x what new takes
    result = search(benchmark_tables, ["board", str(tmp_path / "new.csv")], **limits)
    new, board = result.front("a", "new"), result.front("a", "board")
    assert len(new)
    assert len(board)
    assert (new["latency_ms_new"] <= 6).all()
    assert (board["latency_ms_board"] <= 16).all()


def test_continues_with_the_same_measurements_only(tmp_path, benchmark_tables):
    device = tmp_path / "new.csv"
    before = search(benchmark_tables, str(device), tmp_path / "run").evaluations
    pd.testing.assert_frame_equal(search(benchmark_tables, str(device), tmp_path / "run").evaluations, before)
    device.write_text(device.read_text().rsplit("\n", 2)[0] + "\n")
    with pytest.raises(UserError, match="device"):
        search(benchmark_tables, str(device), tmp_path / "run")


def test_device_measured_before_is_found_by_its_name(tmp_path, benchmark_tables, monkeypatch):
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path))
    (tmp_path / "devices").mkdir()
    (tmp_path / "new.csv").rename(tmp_path / "devices" / "bench_board.csv")
    with pytest.raises(UserError, match="Unknown device of benchmark table: 'bench_board'"):
        search(benchmark_tables, "bench_board")
    (tmp_path / "devices" / "bench_board.json").write_text(f'{{"settings": {{"space": "{SPACE.name}"}}}}')
    result = search(benchmark_tables, "bench_board")
    assert result.front()["latency_ms_bench_board"].notna().all()
    with pytest.raises(UserError, match="Did you mean bench_board"):
        search(benchmark_tables, "bench_bord")


def test_name_that_a_device_of_the_benchmark_has(tmp_path, benchmark_tables):
    (tmp_path / "new.csv").rename(tmp_path / "phone.csv")
    with pytest.raises(UserError, match="has a device 'phone' already"):
        search(benchmark_tables, str(tmp_path / "phone.csv"))


def test_file_that_is_not_there(tmp_path, benchmark_tables):
    with pytest.raises(UserError, match=r"no file 'old\.csv'"):
        search(benchmark_tables, "old.csv")


@pytest.fixture
def measured_here(tmp_path, monkeypatch, benchmark_tables):
    """Eight networks of the table, small ones, measured on this machine as the device here."""
    from ktnas.measure.measuring import measure
    from ktnas.measure.session import Plan
    from ktnas.measure.timing import Limits
    from ktnas.measure.torch_runner import TorchRunner
    from ktnas.network.task import network_task

    monkeypatch.setenv("KTNAS_DATA", str(tmp_path))
    texts = pd.read_csv(tmp_path / "latency.csv")["arch"][:8].tolist()
    plan = Plan(Limits(precision=0.5, max_seconds=0.05))
    task = network_task("cifar10", size=8)
    measure(SPACE, SPACE.parse(texts), TorchRunner(), task, name="here", plan=plan)
    return benchmark_tables


@pytest.mark.slow
def test_latencies_of_the_front_are_measured(tmp_path, measured_here):
    result = search(measured_here, ["here"], tmp_path / "run", measure_front=True)
    table = pd.read_csv(tmp_path / "run" / "measured_fronts.csv")
    pd.testing.assert_frame_equal(table, result.measured_fronts)
    assert table["architecture"].tolist() == result.front()["architecture"].tolist()
    assert (table["measured_ms"] > 0).all()
    assert "Measured latencies of a on here" in printed(result)
    lines = (tmp_path / "run" / "measured" / "here.csv").read_text()
    again = search(measured_here, ["here"], tmp_path / "run", measure_front=True)
    assert (tmp_path / "run" / "measured" / "here.csv").read_text() == lines
    pd.testing.assert_frame_equal(again.measured_fronts, table)


def printed(result: Any) -> str:
    console = Console(width=120, record=True)
    print_report(result, console)
    return console.export_text()


def test_front_that_cannot_be_measured(tmp_path, benchmark_tables):
    with pytest.raises(UserError, match="nobody knows how new was measured"):
        search(benchmark_tables, str(tmp_path / "new.csv"), tmp_path / "run", measure_front=True)
    with pytest.raises(UserError, match="every latency of this search is known"):
        search(benchmark_tables, "phone", tmp_path / "run", measure_front=True)
    assert not (tmp_path / "run").exists()


def test_report_says_what_was_predicted(tmp_path, benchmark_tables):
    report = printed(search(benchmark_tables, str(tmp_path / "new.csv")))
    assert " ± " in report
    assert "Latencies with ± are predicted" in report
    assert "std" not in report
