"""A search with each kind of pool, and with a worker that is killed in the middle of it."""

import os
import signal
import time
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ktnas
from ktnas.engine.result import SearchResult
from ktnas.errors import UserError

CLOCK = ["seconds", "host", "answered"]


def score(text: str) -> float:
    return zlib.crc32(text.encode()) % 1000


def search(function: Any, run_dir: Path | None = None, **overrides: Any) -> SearchResult:
    return ktnas.search(
        {"name": "function", "space": "transnas_micro", "functions": {"f": function}},
        target="f",
        objectives="error",
        algorithm="ktnas",
        budget=12,
        run_dir=run_dir,
        workers=2,
        overrides={"batch": 4, "initial": 4, **overrides},
    )


def rows(result: SearchResult) -> pd.DataFrame:
    return result.evaluations.drop(columns=CLOCK, errors="ignore")


@pytest.mark.parametrize("pool", ["threads", "loky", pytest.param("dask", marks=pytest.mark.slow)])
def test_rows_do_not_depend_on_where_evaluations_run(pool: str, tmp_path: Path) -> None:
    def killing(text: str) -> float:
        if pool != "threads" and len(list(tmp_path.iterdir())) >= 5 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(100)
        (tmp_path / str(zlib.crc32(text.encode()))).touch()
        return score(text)

    parallel = search(killing, parallel=pool)
    assert pool == "threads" or (tmp_path / "killed").exists()
    pd.testing.assert_frame_equal(rows(parallel), rows(search(score)), check_exact=True)


def test_workers_are_busy() -> None:
    result = search(lambda text: time.sleep(0.3) or score(text), parallel="threads")
    assert 0.3 < result.summary["utilisation"] <= 1
    assert result.summary["workers"] == 2


def test_table_needs_no_workers() -> None:
    result = ktnas.search(target="citeseer", objectives="error", budget=2, source=[])
    assert result.summary["workers"] is None
    assert result.summary["utilisation"] is None


def test_unknown_pool() -> None:
    with pytest.raises(UserError, match="Did you mean threads"):
        search(score, parallel="thread")
