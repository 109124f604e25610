from pathlib import Path

import numpy as np
import pytest

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.tables import Table, read_table
from ktnas.task.table_task import TableTask
from tests.task.contract import TaskContract

CSV = """arch,val,test,params,text
64-41414-0_00_000,10.5,11,100,a
64-41414-1_11_111,50,,200,b
64-41414-2_22_222,nan,12,300,c
64-41414-3_33_333,inf,13,400,d
64-41414-0_00_001,70,71,,e
"""
COLUMNS = {"valid_accuracy": "val", "test_accuracy": "test", "params": "params"}


@pytest.fixture
def table(tmp_path: Path) -> Table:
    file = tmp_path / "scores.csv"
    file.write_text(CSV)
    return read_table(file, load_space("transnas_micro"))


def make(table: Table, better: str = "higher", unit: str = "%") -> TableTask:
    return TableTask(
        "t",
        table,
        COLUMNS,
        searched="valid_accuracy",
        reported="test_accuracy",
        better={"valid_accuracy": better},
        units={"valid_accuracy": unit},
        free=["params"],
    )


class TestTableTask(TaskContract):
    @pytest.fixture
    def task(self, table: Table) -> TableTask:
        return make(table)

    @pytest.fixture
    def genotypes(self, task: TableTask) -> IntArray:
        return task.space.parse(
            ["64-41414-1_11_111", "64-41414-1_11_112", "64-41414-2_22_222", "64-41414-0_00_001"]
        )

    def test_outcomes(self, task: TableTask, genotypes: IntArray) -> None:
        outcomes = task.evaluate(genotypes)
        assert [o.status for o in outcomes] == ["ok", "failed", "failed", "ok"]
        np.testing.assert_equal(
            outcomes[0].metrics, {"valid_accuracy": 50.0, "test_accuracy": np.nan, "params": 200.0}
        )

    def test_rows_without_the_searched_value_are_not_part_of_it(self, task: TableTask, table: Table) -> None:
        np.testing.assert_array_equal(task.universe(), table.genotypes[[0, 1, 4]])
        assert task.table()["valid_accuracy"].tolist() == [10.5, 50, 70]

    def test_universe_is_read_only(self, task: TableTask) -> None:
        with pytest.raises(ValueError, match="read-only"):
            task.universe()[0, 0] = 1

    def test_free_metrics_are_known_of_rows_that_were_not_evaluated(
        self, task: TableTask, genotypes: IntArray
    ) -> None:
        np.testing.assert_array_equal(task.look_up(genotypes, ["params"])[:, 0], [200, np.nan, 300, np.nan])


@pytest.mark.parametrize(
    ("better", "unit", "expected"),
    [("higher", "%", 94.0), ("higher", "", -6.0), ("lower", "%", 6.0), ("lower", "", 6.0)],
)
def test_error(table: Table, better: str, unit: str, expected: float) -> None:
    assert make(table, better, unit).error(6.0) == expected


def test_direction_must_be_known(table: Table) -> None:
    with pytest.raises(UserError, match="better='up' for valid_accuracy of task t, expected higher or lower"):
        make(table, better="up")


def test_missing_column_of_a_metric(table: Table) -> None:
    with pytest.raises(UserError, match=r"scores.csv: 'vall'. Did you mean val"):
        TableTask("t", table, {"score": "vall"}, searched="score")


def test_isomorphic_architectures_share_a_row(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("arch,score\n\"Arch([0, 0, 0, 0], ['gat', 'gcn', 'gin', 'fc'])\",5\n")
    space = load_space("nasbench_graph")
    task = TableTask("t", read_table(file, space), {"score": "score"}, searched="score")
    twin = space.parse(["Arch([0, 0, 0, 0], ['fc', 'gin', 'gcn', 'gat'])"])
    assert task.evaluate(twin)[0].metrics == {"score": 5.0}
    np.testing.assert_array_equal(task.universe(), space.representative(twin))
