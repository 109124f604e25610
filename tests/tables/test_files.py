import sys
from pathlib import Path

import pytest

from ktnas.errors import UserError
from ktnas.tables import data_dir, locate


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory, here = tmp_path / "data", tmp_path / "here"
    directory.mkdir()
    here.mkdir()
    monkeypatch.setenv("KTNAS_DATA", str(directory))
    monkeypatch.chdir(here)
    return directory


def test_working_directory_first_then_data_directory(data: Path) -> None:
    (data / "a.csv").touch()
    assert locate("a.csv") == data / "a.csv"
    Path("a.csv").touch()
    assert locate("a.csv") == Path.cwd() / "a.csv"
    assert locate(str(data / "a.csv")) == data / "a.csv"


def test_missing_file_names_the_places_and_the_authors(data: Path) -> None:
    with pytest.raises(UserError) as problem:
        locate("sub/a.csv", homepage="https://example.org/tables")
    for part in (
        "'a.csv'",
        str(Path.cwd() / "sub"),
        str(data / "sub"),
        "KTNAS_DATA",
        "https://example.org/tables",
    ):
        assert part in str(problem.value)


def test_missing_absolute_path_names_no_other_place(data: Path) -> None:
    with pytest.raises(UserError, match=r"There is no file 'a.csv' in /nowhere\.$"):
        locate("/nowhere/a.csv")


def test_directory_is_no_file(data: Path) -> None:
    with pytest.raises(UserError, match="is a directory, expected a file"):
        locate(str(data))


def test_data_beside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KTNAS_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ktnas.tables.files.PACKAGE", tmp_path / "checkout" / "ktnas")
    assert data_dir().name == "ktnas"
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert data_dir().name == "ktnas"
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "pyproject.toml").touch()
    assert data_dir() == tmp_path / "shared" / "data"


def test_file_in_a_package_that_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ktnas_test_package"
    (package / "inside").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "inside" / "a.bin").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert locate("package:ktnas_test_package/inside/a.bin") == package / "inside" / "a.bin"
    assert "ktnas_test_package" not in sys.modules
    with pytest.raises(UserError, match=r"'ktnas_test_package' has no file 'b.bin'"):
        locate("package:ktnas_test_package/b.bin")


def test_file_of_an_imported_benchmark(data: Path) -> None:
    directory = data / "benchmarks" / "mine"
    directory.mkdir(parents=True)
    (directory / "a.csv").touch()
    with pytest.raises(UserError, match=r"No benchmark was imported as 'mine'"):
        locate("imported:mine/a.csv")
    (directory / "benchmark.yaml").touch()
    assert locate("imported:mine/a.csv") == directory / "a.csv"
    with pytest.raises(UserError, match=r"b.csv is gone. Import the benchmark again"):
        locate("imported:mine/b.csv")


def test_missing_package() -> None:
    with pytest.raises(UserError, match="pip install no-such-package"):
        locate("package:no_such_package/a.bin")
