import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Processes on all cores, each with a thread per core, wait for one another. Commands inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that are given the most time, so that no worker is left alone with one of them."""
    items.sort(key=_given_seconds, reverse=True)


def _given_seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return 0.0 if mark is None else mark.args[0]


@pytest.fixture(autouse=True)
def no_handler_left() -> Iterator[None]:
    """Undo what a command that ran in this process did to the root logger: its stream is closed by now."""
    root = logging.getLogger()
    level, before = root.level, set(root.handlers)
    yield
    root.setLevel(level)
    for handler in set(root.handlers) - before:
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    directory = Path(os.environ.get("KTNAS_DATA", ROOT.parent / "shared" / "data"))
    if not (directory / "nasbench201_accuracy.csv.gz").exists():
        pytest.skip(f"benchmark tables not found in {directory}; set KTNAS_DATA to run this test")
    return directory
