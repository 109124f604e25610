from pathlib import Path

import numpy as np
import pytest

from ktnas.arrays import IntArray
from ktnas.device.base import Device
from ktnas.latency.measured_device import MeasuredDevice
from ktnas.latency.measurements import read_measurements
from tests.device.contract import TASK, DeviceContract
from tests.latency.contract import SPACE, draw, truth
from tests.latency.linear import Linear


@pytest.fixture
def device(tmp_path: Path) -> MeasuredDevice:
    path = tmp_path / "board.csv"
    rows = zip(SPACE.format(draw(20)), truth(draw(20)), strict=True)
    path.write_text("arch,latency_ms\n" + "".join(f'"{text}",{ms}\n' for text, ms in rows))
    model = Linear().prepare(SPACE, "cifar10", seed=0)
    return MeasuredDevice(read_measurements(path, SPACE, "cifar10"), model)


@pytest.fixture
def genotypes() -> IntArray:
    return np.vstack([draw(5), draw(30, seed=1)])


class TestMeasuredDevice(DeviceContract):
    @pytest.fixture
    def device(self, device: MeasuredDevice) -> Device:
        return device


def test_measured_latencies_are_kept_and_the_others_predicted(device: MeasuredDevice) -> None:
    new = draw(30, seed=1)
    np.testing.assert_array_equal(device.latency(draw(20), TASK), truth(draw(20)))
    model = Linear().prepare(SPACE, "cifar10", seed=0).fit(draw(20), truth(draw(20)))
    np.testing.assert_array_equal(device.latency(new, TASK), model.predict(new))


def test_only_predictions_are_uncertain(device: MeasuredDevice) -> None:
    assert not device.certain
    assert not device.predict(draw(20), TASK)[1].any()
    assert (device.predict(draw(30, seed=1), TASK)[1] > 0).all()


def test_identity_names_the_measurements(device: MeasuredDevice) -> None:
    assert device.name == "board"
    assert device.identity.startswith("board (")
