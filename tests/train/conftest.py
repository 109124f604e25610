from pathlib import Path

import pytest

from tests.train.stripes import Arrays, arrays_of, striped, write


@pytest.fixture
def arrays() -> Arrays:
    return arrays_of(striped())


@pytest.fixture
def npz(tmp_path: Path, arrays: Arrays) -> Path:
    return write(tmp_path / "stripes.npz", arrays)
