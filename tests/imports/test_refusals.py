"""What is refused: the message says what a file is instead, and nothing is written."""

import bz2
import gzip
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ktnas.errors import UserError
from ktnas.imports import FORMATS, import_benchmark
from ktnas.imports.part import Request
from ktnas.imports.source import Source
from tests.imports import files
from tests.imports.files import MICRO, NASBENCH201

TEXTS = files.architectures(NASBENCH201, 4)
CELLS = files.architectures(MICRO, 3)


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.command = f"touch {marker}"

    def __reduce__(self) -> Any:
        return (os.system, (self.command,))


def refused(kept: Path, *paths: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        import_benchmark(paths, "mine", **options)
    assert not kept.exists()
    return str(caught.value)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_malicious_files_are_named_and_not_run(tmp_path: Path, kept: Path) -> None:
    marker = tmp_path / "marker"
    evil = Malicious(marker)
    directory = files.nats_bench(tmp_path / "simple", TEXTS)
    files.write_pbz2(directory / "000001.pickle.pbz2", {"200": evil})
    torch.save([1.0, evil], tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for path in (
        written(tmp_path / "hw.pickle", pickle.dumps({"nasbench201": evil, "fbnet": {}})),
        written(tmp_path / "text.pickle", pickle.dumps({"nasbench201": evil, "fbnet": {}}, protocol=0)),
        saved(tmp_path / "phone.pt", [1.0, evil]),
        tmp_path / "old.pt",
        directory,
    ):
        assert "wants to run or import 'posix.system'" in refused(kept, path)
    assert not marker.exists()


def test_whole_models_of_torch_are_refused(tmp_path: Path, kept: Path) -> None:
    message = refused(kept, saved(tmp_path / "net.pt", torch.nn.Linear(1, 1)))
    assert "torch.nn.modules.linear.Linear" in message


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: written(p / "zc.json", '{"cifar10": {"a": 1}}'), "holds 1 keys (cifar10)"),
        (lambda p: written(p / "zc.json", '{"cifar10": '), "begins like JSON but is not"),
        (lambda p: written(p / "zc.json", "[" * 100_000), "begins like JSON but is not"),
        (lambda p: written(p / "zc.json.gz", b'{"cifar10": {}}'), "is no archive, whatever its name says"),
        (lambda p: written(p / "zc.json.gz", gzip.compress(b"{}")[:-9]), "is a damaged archive"),
        (lambda p: written(p / "m.pbz2", bz2.compress(b"x" * 99)[:-9]), "is a damaged archive"),
        (lambda p: written(p / "zc.json", b""), "is empty"),
        (lambda p: written(p / "net.bin", b"\x7fELF\0\0"), "is none of the files that are read"),
        (lambda p: written(p / "t.csv", b"arch,a\nx,\xff\n"), "is not text"),
        (lambda p: written(p / "t.csv", "arch,a\nx,1,2\n"), "cannot be read as comma-separated values"),
        (lambda p: p / "missing.csv", "There is no file"),
        (lambda p: p, "is a directory, but not NATS-Bench's"),
        (lambda p: written(p / "w.zip", b"PK\x03\x04" + bytes(40)), "is damaged or truncated"),
        (lambda p: saved(p / "state.pt", {"weight": torch.ones(2, 2)}), "of none of the formats"),
        (lambda p: written(p / "d.pickle", pickle.dumps({1: 2})), "of none of the formats"),
        (lambda p: files.help_lists(p, {}, TEXTS)[0], "is the index of HELP's latencies, not latencies"),
        (lambda p: saved(p / "a.pt", [1.0, 2.0]), "says nothing of architectures"),
    ],
)  # fmt: skip
def test_other_files_say_what_they_are(
    tmp_path: Path, kept: Path, make: Callable[[Path], Path], said: str
) -> None:
    assert said in refused(kept, make(tmp_path))


@pytest.mark.parametrize(
    ("latencies", "said"),
    [
        ([1.0, 2.0, 3.0], "holds 3 numbers, but"),
        ([1.0, float("nan"), 3.0, 4.0], "number 2 is nan"),
        ([1.0, float("inf"), 3.0, 4.0], "number 2 is inf"),
        ([1.0, 2.0, -3.0, 4.0], "latency number 3 is -3, below 0"),
        ([0.001, 0.002, 0.003, 0.004], "these look like seconds, expected ms"),
        (torch.ones(4, dtype=torch.complex64), "expected a list of numbers"),
    ],
)
def test_latencies_that_cannot_be(tmp_path: Path, kept: Path, latencies: Any, said: str) -> None:
    assert said in refused(kept, *files.help_lists(tmp_path, {"phone": latencies}, TEXTS))


def test_index_that_is_no_order(tmp_path: Path, kept: Path) -> None:
    lists = files.help_lists(tmp_path, {"phone": [1.0, 2.0]}, TEXTS[:2])
    saved(lists[1], dict.fromkeys(TEXTS[:2], 0))
    assert "are not 0 to 1, each once" in refused(kept, *lists)


def test_files_of_two_spaces(tmp_path: Path, kept: Path) -> None:
    lists = files.help_lists(tmp_path, {"phone": [1.0, 2.0, 3.0, 4.0]}, TEXTS)
    table = written(tmp_path / "t.csv", f"arch,a\n{CELLS[0]},1\n")
    message = refused(kept, *lists, table, space="transnas_micro")
    assert "of the space nasbench201, not of transnas_micro" in message


def test_forced_format(tmp_path: Path, kept: Path) -> None:
    table = written(tmp_path / "t.csv", "arch,a\nx,1\n")
    said = {
        "nas_bench_suite_zero": "is not a file of NAS-Bench-Suite-Zero",
        "help": "is no file of HELP",
        "nats_bench": "is not NATS-Bench's topology space",
        "hw_nas_bench": "is not HW-NAS-Bench",
        "transnas_bench_101": "is not TransNAS-Bench-101",
        "mtlp_jr": "Unknown column of",
        "csv": "--space NAME",
    }
    assert said.keys() == FORMATS.keys()
    for format, words in said.items():
        assert words in refused(kept, table, format=format)
    assert "Did you mean csv" in refused(kept, table, format="cvs")


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (f"arch,a\n{CELLS[0]},1\n{CELLS[0]},2\n", {}, "row 2: the architecture 64-41414-"),
        ("arch,a\n64-41414-9_99_999,1\n", {}, "architecture 1: Cannot read"),
        (f"arch,a\n{CELLS[0]},1\n{CELLS[1]},x\n", {}, "row 2: column 'a' holds 'x', expected a number"),
        (f"arch,a\n{CELLS[0]},x\n", {}, "no column of numbers"),
        (f"cell,a\n{CELLS[0]},1\n", {}, "Unknown column of"),
        (f"arch,a\n,1\n{CELLS[0]},1\n", {}, "row 1: column 'arch' is empty"),
        (f"arch,a\n{CELLS[0]},-1\n", {"devices": ["a"]}, "has a negative latency"),
        (f"arch,a\n{CELLS[0]},1\n", {"devices": ["arch"]}, "so it is no device"),
        (f"arch,a\n{CELLS[0]},1\n", {"devices": ["b"]}, "Unknown column"),
        (f"arch,a\n{CELLS[0]},1\n", {"tasks": ["b"]}, "Unknown task 'b'"),
        (f"arch,../a\n{CELLS[0]},1\n", {}, "the task '../a' needs another name"),
        (f"arch,${{a}}\n{CELLS[0]},1\n", {}, "needs another name"),
        (f"arch,a\n{CELLS[0]},1\n", {"space": "nasbench201"}, "Cannot read"),
        (f"arch,a\n{CELLS[0]},1\n", {"space": "nasbench"}, "nasbench"),
    ],
)
def test_csv_with_a_mistake(
    tmp_path: Path, kept: Path, content: str, options: dict[str, Any], said: str
) -> None:
    table = written(tmp_path / "t.csv", content)
    assert said in refused(kept, table, **({"space": "transnas_micro"} | options))


def test_seconds_in_a_csv_file_are_remarked(tmp_path: Path) -> None:
    table = written(tmp_path / "t.csv", f"arch,a,phone\n{CELLS[0]},1,0.002\n")
    found = import_benchmark([table], "mine", space="transnas_micro", devices=["phone"])
    assert "ms are expected, not seconds" in found.provenance["notes"][0]


def test_proxy_that_is_no_number(tmp_path: Path, kept: Path) -> None:
    path = files.suite_zero(tmp_path / "zc.json")
    content = json.loads(path.read_text())
    next(iter(content["cifar10"].values()))["synflow"] = {"score": "high"}
    path.write_text(json.dumps(content))
    assert "synflow is no number" in refused(kept, path)


def test_missing_proxies_are_missing(tmp_path: Path) -> None:
    path = files.suite_zero(tmp_path / "zc.json")
    content = json.loads(path.read_text())
    first, second, third, *_ = content["cifar10"].values()
    first["synflow"], second["synflow"]["score"] = {"time": 1.0}, None
    del third["synflow"]
    path.write_text(json.dumps(content).replace('"val_accuracy": 53.0', '"val_accuracy": NaN'))
    columns = import_benchmark([path], "mine").tables["scores_cifar10.csv.gz"]["columns"]
    assert columns["synflow"]["values"] == 27
    assert columns["cifar10_valid_accuracy"]["values"] == 29


def test_nats_bench_of_another_version(tmp_path: Path, kept: Path) -> None:
    directory = files.nats_bench(tmp_path / "simple", TEXTS[:2])
    for content, said in (
        ({"12": {}}, "no results of 200 epochs"),
        ({"200": {"all_results": {}, "dataset_seed": {}}}, "as NATS-Bench v1.0 has them"),
        ({"200": 1}, "as NATS-Bench v1.0 has them"),
        (["200"], "no results of 200 epochs"),
    ):
        files.write_pbz2(directory / "000001.pickle.pbz2", content)
        assert said in refused(kept, directory)
    (directory / "000001.pickle.pbz2").rename(directory / "000002.pickle.pbz2")
    files.write_pbz2(directory / "000002.pickle.pbz2", {"200": files.nats_results(TEXTS[0], 1.0)})
    assert "architecture number 2 has no text" in refused(kept, directory)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.pop("config"), "no list 'config'"),
        (lambda table: table["edgegpu_latency"].pop(), "has 3 values, expected 4"),
        (lambda table: table.update(edgegpu_latency=np.full(4, -1.0)), "below 0"),
        (lambda table: table.update(edgegpu_energy=[1.0, None, 1.0, 1.0]), "expected a list of numbers"),
    ],
)
def test_hw_nas_bench_with_a_mistake(
    tmp_path: Path, kept: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    path = files.hw_nas_bench(tmp_path / "hw.pickle", TEXTS)
    content = pickle.loads(path.read_bytes())
    change(content["nasbench201"]["cifar100"])
    path.write_bytes(pickle.dumps(content))
    assert said in refused(kept, path)


KEYS = (
    *("cifar10", "val_accuracy", "data", "metrics_dict", "task_list", "micro", "nasbench201", "fbnet"),
    *("config", "arch_str", "edgegpu_latency", "meta_archs", "arch2infos", "200", "arch", "op_idx_list"),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(
    content=VALUES, kind=st.sampled_from(["torch", "pickle", "json"]), format=st.sampled_from(list(FORMATS))
)
def test_any_content_is_a_part_or_a_clear_error(content: Any, kind: str, format: str) -> None:
    source = Source(Path("fuzz.bin"), kind, content)
    recognised = [name for name, known in FORMATS.items() if known.recognises(source)]
    try:
        part = FORMATS[format].read([source], Request(space="nasbench201"))
        assert part.format in recognised
        said = part.origin
    except UserError as problem:
        said = str(problem)
    assert "fuzz.bin" in said


STARTS = st.sampled_from(
    [b"", b"{", b"[", b"\x80\x04", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ", b"arch,a\n"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=STARTS, content=st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
def test_any_bytes_are_read_or_a_clear_error(tmp_path: Path, start: bytes, content: bytes) -> None:
    path = written(tmp_path / "fuzz.bin", start + content)
    with pytest.raises(UserError, match=r"fuzz\.bin"):
        import_benchmark([path], "mine", space="transnas_micro", replace=True)
