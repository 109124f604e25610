from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directory that benchmarks are imported into; nothing of this machine is seen."""
    directory = tmp_path / "kept"
    monkeypatch.setenv("KTNAS_DATA", str(directory))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    return directory / "benchmarks"
