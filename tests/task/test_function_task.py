import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.task.function_task import FunctionTask
from tests.task.contract import TaskContract
from tests.task.pool_contract import SPACE, by_position, genotypes_of


class TestFunctionTask(TaskContract):
    @pytest.fixture
    def task(self) -> FunctionTask:
        function = by_position(lambda: 1, lambda: {"score": 2.0, "params": 5}, lambda: float("nan"))
        return FunctionTask("t", SPACE, function)

    @pytest.fixture
    def genotypes(self) -> IntArray:
        return genotypes_of(3)

    def test_whole_space(self, task: FunctionTask, genotypes: IntArray) -> None:
        assert task.universe() is None
        assert task.contains(genotypes).all()


def test_function_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ktnas_test_functions.py").write_text(
        "class Score:\n    @staticmethod\n    def of(text):\n        return len(text)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    task = FunctionTask("t", SPACE, "ktnas_test_functions:Score.of")
    assert task.evaluate(genotypes_of(1))[0].metrics == {"score": 17.0}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("len", "'len' is no function, expected module:callable"),
        ("os:", "expected module:callable"),
        ("no_such_module:f", "'no_such_module:f' cannot be imported: ModuleNotFoundError"),
        ("os:no_such", "cannot be imported: AttributeError"),
        ("os:sep", "'os:sep' is a str, expected a function"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FunctionTask("t", SPACE, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": 3}, "got a int, expected a function"),
        ({"function": threading.Lock().acquire}, "cannot be sent to a worker process"),
        ({"timeout": 0}, "timeout=0, expected seconds above 0"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"better": "up"}, "expected higher or lower"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FunctionTask("t", SPACE, **{"function": len, **arguments})
