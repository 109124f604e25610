"""What is kept: whole or not at all, checkable, found again under its name."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import ktnas
from ktnas.engine.benchmark_config import benchmark_config, benchmark_names, list_benchmarks
from ktnas.errors import UserError
from ktnas.imports import import_benchmark, imported, remove, store, verify
from ktnas.presets import group_options
from ktnas.tables import locate
from ktnas.tables.files import imported_benchmarks
from tests.imports import files
from tests.imports.files import NASBENCH201

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return files.suite_zero(tmp_path / "zc.json")


def test_imported_benchmark_is_a_benchmark(source: Path) -> None:
    import_benchmark([source], "mine")
    assert "mine" in benchmark_names()
    assert "mine" in group_options("benchmark")
    config = next(config for config in list_benchmarks() if config.name == "mine")
    assert config.tasks == ("cifar10", "cifar100")
    assert (config.source, config.target) == (("cifar10",), ("cifar100",))
    result = ktnas.search(
        "mine", objectives=["error", "params"], algorithm="random", budget=8, source_budget=8
    )
    assert len(result.evaluations) >= 8
    assert result.front("cifar100")["valid_accuracy"].max() > 50


def test_directory_can_move(
    source: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import_benchmark([source], "mine")
    kept.parent.rename(tmp_path / "moved")
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path / "moved"))
    assert locate("imported:mine/scores_cifar10.csv.gz").parent == tmp_path / "moved" / "benchmarks" / "mine"


def test_what_was_imported_before_ktnas_data_was_set_is_found(
    source: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = os.environ["KTNAS_DATA"]
    monkeypatch.delenv("KTNAS_DATA")
    own = import_benchmark([source], "mine").directory
    assert not kept.exists()
    monkeypatch.setenv("KTNAS_DATA", directory)
    assert imported("mine").directory == own
    newer = import_benchmark([source], "mine").directory
    assert newer == kept / "mine"
    assert imported("mine").directory == newer


def test_provenance(source: Path, kept: Path) -> None:
    found = import_benchmark([source], "mine")
    assert json.loads((kept / "mine" / "provenance.json").read_text()) == found.provenance
    (origin,) = found.provenance["sources"]
    assert (origin["name"], origin["bytes"]) == ("zc.json", source.stat().st_size)
    assert len(origin["sha256"]) == 64
    assert found.provenance["space"] == "nasbench201"
    assert found.provenance["ktnas"] == ktnas.__version__
    table = found.tables["scores_cifar10.csv.gz"]
    written = pd.read_csv(kept / "mine" / "scores_cifar10.csv.gz")
    assert table["rows"] == len(written) == 30
    synflow = written["synflow"]
    assert table["columns"]["synflow"] == {
        "values": 30,
        "min": synflow.min(),
        "mean": pytest.approx(synflow.mean()),
        "max": synflow.max(),
    }


def test_same_files_give_the_same_tables(source: Path) -> None:
    first, second = (import_benchmark([source], name) for name in ("one", "two"))
    assert first.tables == second.tables


def test_no_file_of_ours_is_a_pickle(source: Path, kept: Path) -> None:
    import_benchmark([source], "mine")
    names = sorted(path.name for path in (kept / "mine").iterdir())
    assert names == ["benchmark.yaml", "provenance.json", "scores_cifar10.csv.gz", "scores_cifar100.csv.gz"]


def test_verify_finds_what_changed(source: Path, kept: Path) -> None:
    found = import_benchmark([source], "mine")
    assert verify(found) == []
    table = kept / "mine" / "scores_cifar10.csv.gz"
    content = bytearray(table.read_bytes())
    content[-1] ^= 1
    table.write_bytes(content)
    (kept / "mine" / "scores_cifar100.csv.gz").unlink()
    assert verify(found) == [
        f"{table} has changed since it was imported",
        f"{kept / 'mine' / 'scores_cifar100.csv.gz'} is gone",
    ]
    with pytest.raises(UserError, match="Import the benchmark again"):
        locate("imported:mine/scores_cifar100.csv.gz")


def test_name_that_is_taken(source: Path) -> None:
    import_benchmark([source], "mine")
    with pytest.raises(UserError, match=r"There is a benchmark 'mine'.*--force"):
        import_benchmark([source], "mine")
    import_benchmark([source], "mine", tasks=["cifar10"], replace=True)
    assert imported("mine").provenance["tasks"] == ["cifar10"]
    with pytest.raises(UserError, match="comes with ktnas"):
        import_benchmark([source], "nasbench_graph", replace=True)


@pytest.mark.parametrize(
    "name", ["", "../up", "a/b", "a b", "1st", ".hidden", "null", "NaN", "a.yaml", "x" * 65]
)
def test_name_that_cannot_be(source: Path, kept: Path, name: str) -> None:
    with pytest.raises(UserError, match="is no name for a benchmark"):
        import_benchmark([source], name)
    assert not kept.exists()


def test_read_only_directory(source: Path, kept: Path) -> None:
    import_benchmark([source], "mine")
    kept.chmod(0o555)
    try:
        for attempt in (lambda: import_benchmark([source], "more"), lambda: remove("mine")):
            with pytest.raises(UserError, match=r"which cannot be written. Set KTNAS_DATA to one that can"):
                attempt()
        assert verify(imported("mine")) == []
        assert sorted(imported_benchmarks()) == ["mine"]
    finally:
        kept.chmod(0o755)


def test_interrupted_import_leaves_what_was_there(
    source: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = import_benchmark([source], "mine").tables

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_definition", interrupted)
    for name in ("mine", "other"):
        with pytest.raises(KeyboardInterrupt):
            import_benchmark([source], name, replace=True)
    assert [path.name for path in kept.iterdir()] == ["mine"]
    assert imported("mine").tables == before
    assert verify(imported("mine")) == []


def test_full_disk_leaves_what_was_there(source: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_benchmark([source], "mine")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        import_benchmark([source], "mine", replace=True)
    assert verify(imported("mine")) == []
    assert [path.name for path in kept.iterdir()] == ["mine"]


def test_killed_import_is_not_seen(source: Path, kept: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ktnas.imports import import_benchmark, store\n"
        "store._definition = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import_benchmark([Path(sys.argv[1])], 'mine')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program, str(source)], env=environment)
    assert done.returncode == -signal.SIGKILL
    assert imported_benchmarks() == {}
    import_benchmark([source], "mine")
    assert verify(imported("mine")) == []


def test_remove(source: Path, kept: Path) -> None:
    import_benchmark([source], "mine")
    assert remove("mine") == kept / "mine"
    assert list(kept.iterdir()) == []
    assert source.exists()
    for forgotten in (imported, remove):
        with pytest.raises(UserError, match="Unknown imported benchmark 'mine'"):
            forgotten("mine")
    with pytest.raises(UserError, match=r"Import it: ktnas data import FILE --as mine"):
        locate("imported:mine/scores_cifar10.csv.gz")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"tables": {"a": {}}}', '{"tables": []}'])
def test_damaged_provenance(source: Path, kept: Path, content: str) -> None:
    import_benchmark([source], "mine")
    (kept / "mine" / "provenance.json").write_text(content)
    with pytest.raises(UserError, match="is damaged or gone"):
        imported("mine")


def test_definition_is_checked_like_any_other(tmp_path: Path, source: Path) -> None:
    texts = files.architectures(NASBENCH201, 15)
    lists = files.help_lists(tmp_path, {"phone": [float(3 + i) for i in range(15)]}, texts)
    import_benchmark([source, *lists], "mine")
    config = benchmark_config("mine")
    assert config.devices == {"phone": "phone"}
    assert config.unit == {"cifar10_valid_accuracy": "%", "cifar100_valid_accuracy": "%"}
    assert config.better == {"params": "lower"}
