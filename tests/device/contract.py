"""What every device keeps to; a test class inherits it and gives the fixture ``device``."""

import numpy as np
import pytest

from ktnas.arrays import IntArray
from ktnas.device.base import Device

TASK = "score"


class DeviceContract:
    @pytest.fixture
    def device(self) -> Device:
        raise NotImplementedError

    def test_describes_itself(self, device: Device) -> None:
        assert device.name
        assert isinstance(device.known, bool)
        assert device.metric is None or not device.known

    def test_one_latency_per_row_in_order(self, device: Device, genotypes: IntArray) -> None:
        latency = device.latency(genotypes, TASK)
        assert latency.shape == (len(genotypes),)
        assert latency.dtype == np.float64
        np.testing.assert_array_equal(device.latency(genotypes[::-1], TASK)[::-1], latency)
        assert not (latency <= 0).any()
        assert not np.isinf(latency).any()

    def test_no_rows(self, device: Device, genotypes: IntArray) -> None:
        assert device.latency(genotypes[:0], TASK).shape == (0,)
