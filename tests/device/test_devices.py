from pathlib import Path

import numpy as np
import pytest

from ktnas.arrays import IntArray
from ktnas.device.evaluated_device import EvaluatedDevice
from ktnas.device.table_device import TableDevice
from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.tables import Table, read_table
from tests.device.contract import DeviceContract

TEXTS = [f"64-41414-0_00_{last:03d}" for last in (0, 1, 2, 10)]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    file = tmp_path / "latency.csv"
    file.write_text(f"arch,phone\n{TEXTS[0]},2.5\n{TEXTS[1]},\n{TEXTS[2]},4\n")
    return read_table(file, load_space("transnas_micro"))


@pytest.fixture
def genotypes() -> IntArray:
    return load_space("transnas_micro").parse(TEXTS)


class TestTableDevice(DeviceContract):
    @pytest.fixture
    def device(self, table: Table) -> TableDevice:
        return TableDevice("phone", lambda _: table, "phone")

    def test_unknown_is_nan(self, device: TableDevice, genotypes: IntArray) -> None:
        np.testing.assert_array_equal(device.latency(genotypes, "any"), [2.5, np.nan, 4, np.nan])

    def test_table_of_the_task(self, table: Table, genotypes: IntArray) -> None:
        asked = []
        device = TableDevice("phone", lambda task: asked.append(task) or table, "phone", known=False)
        assert asked == []
        device.latency(genotypes, "cora")
        assert asked == ["cora"]

    def test_missing_column(self, table: Table, genotypes: IntArray) -> None:
        with pytest.raises(UserError, match="Did you mean phone"):
            TableDevice("phone", lambda _: table, "phon").latency(genotypes, "any")


class TestEvaluatedDevice(DeviceContract):
    @pytest.fixture
    def device(self) -> EvaluatedDevice:
        return EvaluatedDevice("function", "latency_ms")

    def test_knows_nothing_beforehand(self, device: EvaluatedDevice, genotypes: IntArray) -> None:
        assert np.isnan(device.latency(genotypes, "any")).all()
        assert device.metric == "latency_ms"
