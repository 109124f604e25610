"""Files of measurements, good and bad."""

import json
from pathlib import Path

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.latency.measurements import measured_devices, read_measurements
from tests.latency.contract import SPACE, draw, truth

TEXTS = SPACE.format(draw(6))
LATENCY = truth(draw(6))


def write(
    path: Path, latencies: list[object], column: str = "latency_ms", texts: list[str] | None = None
) -> Path:
    rows = [f'"{text}",{value}' for text, value in zip(texts or TEXTS, latencies, strict=False)]
    path.write_text("\n".join([f"arch,{column}", *rows]) + "\n")
    return path


def test_milliseconds_of_architectures(tmp_path: Path) -> None:
    read = read_measurements(write(tmp_path / "board.csv", LATENCY.tolist()), SPACE, "cifar10")
    assert read.name == "board"
    np.testing.assert_array_equal(read.genotypes, draw(6))
    np.testing.assert_array_equal(read.latency, LATENCY)
    assert read.description == {}


@pytest.mark.parametrize(("column", "factor"), [("latency_s", 1e3), ("latency_us", 1e-3), ("my board", 1.0)])
def test_unit_is_that_of_the_column(tmp_path: Path, column: str, factor: float) -> None:
    path = write(tmp_path / "board.csv", (LATENCY / factor).tolist(), column)
    np.testing.assert_allclose(read_measurements(path, SPACE, "cifar10").latency, LATENCY)


def test_failed_measurements_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "board.csv", [5.0, "", 6.0, 7.0, "", 8.0])
    assert read_measurements(path, SPACE, "cifar10").latency.tolist() == [5, 6, 7, 8]


def test_digest_tells_measurements_apart(tmp_path: Path) -> None:
    first = read_measurements(write(tmp_path / "a.csv", LATENCY.tolist()), SPACE, "cifar10")
    again = read_measurements(write(tmp_path / "b.csv", LATENCY.tolist()), SPACE, "cifar10")
    other = read_measurements(write(tmp_path / "c.csv", (LATENCY + 1).tolist()), SPACE, "cifar10")
    assert first.digest == again.digest != other.digest


BAD: dict[str, tuple[list[object], list[str]]] = {
    "zero": ([5.0, 0, 6.0, 7.0], ["line 3", "latency_ms is 0", "above 0"]),
    "negative": ([5.0, 6.0, -1.5, 7.0], ["line 4", "-1.5"]),
    "text": ([5.0, "fast", 6.0, 7.0], ["line 3", "'fast'"]),
    "too few": ([5.0, 6.0], ["board.csv has 2 latencies", "Measure more"]),
    "none but failed ones": (["", "", ""], ["columns of numbers are: none"]),
    "constant": ([5.0, 5.0, 5.0, 5.0], ["all 4 latencies are 5 ms"]),
    "seconds": ([0.005, 0.006, 0.007, 0.0055], ["Are these seconds?", "latency_s"]),
    "some in seconds": ([5.0, 6.0, 0.007, 5.5, 4.4], ["line 4", "0.007", "most are about 5.25", "one unit"]),
}


@pytest.mark.parametrize("case", BAD)
def test_latencies_that_make_no_sense(tmp_path: Path, case: str) -> None:
    latencies, said = BAD[case]
    with pytest.raises(UserError) as caught:
        read_measurements(write(tmp_path / "board.csv", latencies), SPACE, "cifar10")
    for part in said:
        assert part in str(caught.value)


def test_microseconds_are_taken_at_their_word(tmp_path: Path) -> None:
    path = write(tmp_path / "board.csv", [5.0, 6.0, 7.0, 5.5], "latency_us")
    np.testing.assert_allclose(
        read_measurements(path, SPACE, "cifar10").latency, [0.005, 0.006, 0.007, 0.0055]
    )


def test_architecture_of_another_space(tmp_path: Path) -> None:
    path = write(tmp_path / "board.csv", [5.0, 6.0, 7.0], texts=["64-41414-0_00_000", *TEXTS])
    with pytest.raises(UserError, match="line 2"):
        read_measurements(path, SPACE, "cifar10")


def test_description_of_another_space(tmp_path: Path) -> None:
    path = write(tmp_path / "board.csv", LATENCY.tolist())
    path.with_suffix(".json").write_text(json.dumps({"settings": {"space": "fbnet"}}))
    with pytest.raises(UserError, match="measured on architectures of fbnet"):
        read_measurements(path, SPACE, "cifar10")


def test_broken_description(tmp_path: Path) -> None:
    path = write(tmp_path / "board.csv", LATENCY.tolist())
    path.with_suffix(".json").write_text("{")
    with pytest.raises(UserError, match=r"board\.json is no description"):
        read_measurements(path, SPACE, "cifar10")


def test_two_columns_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("arch,a,b\n" + "".join(f'"{text}",5,6\n' for text in TEXTS))
    with pytest.raises(UserError, match="columns of numbers are: a, b"):
        read_measurements(path, SPACE, "cifar10")


def test_devices_of_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path))
    assert measured_devices(SPACE) == {}
    (tmp_path / "devices").mkdir()
    for name, space in (("board", SPACE.name), ("phone", "fbnet"), ("lost", SPACE.name)):
        (tmp_path / "devices" / f"{name}.json").write_text(json.dumps({"settings": {"space": space}}))
        if name != "lost":
            write(tmp_path / "devices" / f"{name}.csv", LATENCY.tolist())
    assert measured_devices(SPACE) == {"board": tmp_path / "devices" / "board.csv"}
