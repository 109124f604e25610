import numpy as np

from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.latency.flops import FlopsModel
from tests.latency.contract import SPACE, LatencyModelContract, draw


class TestFlops(LatencyModelContract):
    name = "flops"
    missed = 0.8


def test_a_line_over_multiply_accumulates_is_found() -> None:
    macs = network_totals(SPACE, draw(60), "cifar10")[:, TOTALS.index("macs")]
    model = FlopsModel().prepare(SPACE, "cifar10", 0).fit(draw(60)[:30], 2 + macs[:30] / 1e7)
    mean, std = model.predict(draw(60), return_std=True)
    np.testing.assert_allclose(mean, 2 + macs / 1e7, rtol=0.01)
    assert (std < 0.02 * mean).all()


def test_faster_with_more_work_is_no_line() -> None:
    macs = network_totals(SPACE, draw(60), "cifar10")[:, TOTALS.index("macs")]
    mean = FlopsModel().prepare(SPACE, "cifar10", 0).fit(draw(60), 30 - macs / 1e7).predict(draw(60))
    np.testing.assert_allclose(mean, mean[0])
