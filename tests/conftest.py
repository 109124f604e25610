import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    directory = Path(os.environ.get("KTNAS_DATA", ROOT.parent / "shared" / "data"))
    if not (directory / "nasbench201_accuracy.csv.gz").exists():
        pytest.skip(f"benchmark tables not found in {directory}; set KTNAS_DATA to run this test")
    return directory
