import gc
import math

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.measure.timing import Limits, Timing, median_interval, time_runs


class World:
    """A clock, and something to run that takes ``milliseconds()`` of it."""

    def __init__(self, milliseconds):
        self.now = 0.0
        self.runs = 0
        self.samples = 0
        self.milliseconds = milliseconds

    def clock(self):
        return self.now

    def run(self, count):
        taken = [self.milliseconds(self.runs + number) for number in range(count)]
        self.runs += count
        self.samples += 1
        self.now += sum(taken) / 1000
        return [sum(taken) / count]

    def timed(self, warm_up=True, **limits):
        return time_runs(self.run, Limits(**limits), warm_up, self.clock)


def test_a_steady_clock_needs_few_runs():
    world = World(lambda run: 4.0)
    assert world.timed() == Timing(4.0, 4.0, 4.0, 0.0, 10)
    assert world.runs < 30


def test_warming_up_does_not_count():
    world = World(lambda run: 5 + 50 * 0.7**run)
    timing = world.timed()
    assert timing.latency_ms == pytest.approx(5, rel=0.05)
    assert World(lambda run: 5 + 50 * 0.7**run).timed(warm_up=False).latency_ms > timing.latency_ms


def test_warming_up_ends():
    world = World(lambda run: 0.5 + 10 * 0.99**run)
    assert world.timed(max_seconds=1).repeats > 10


def test_noise_is_measured_until_the_median_is_known():
    rng = np.random.default_rng(0)
    quiet, loud = (
        World(lambda run, s=s: 10 * np.exp(s * rng.normal())).timed(max_seconds=60) for s in (0.01, 0.2)
    )
    assert quiet.repeats < loud.repeats
    for timing, spread in ((quiet, 0.01), (loud, 0.2)):
        assert timing.uncertainty <= 0.02
        assert timing.latency_ms == pytest.approx(10, rel=0.03)
        assert timing.spread_ms == pytest.approx(10 * 1.349 * spread, rel=0.6)


def test_time_is_limited():
    rng = np.random.default_rng(0)
    world = World(lambda run: 10 * np.exp(rng.normal()))
    timing = world.timed(max_seconds=1)
    assert timing.uncertainty > 0.02
    assert world.now < 1.3


def test_a_run_beyond_the_limit_still_counts():
    timing = World(lambda run: 9_000.0).timed()
    assert timing.latency_ms == 9_000
    assert timing.repeats == 1
    assert math.isnan(timing.low_ms)


def test_short_runs_are_timed_together():
    world = World(lambda run: 0.01)
    assert world.timed().latency_ms == pytest.approx(0.01)
    assert world.runs / world.samples > 50


def test_a_run_may_give_several_numbers():
    timing = time_runs(lambda count: [1.0, 2.0, 3.0] * 5, Limits(precision=0.9), warm_up=False)
    assert timing.repeats == 15
    assert timing.latency_ms == 2


@pytest.mark.parametrize("wrong", [[], [0.0], [-1.0], [math.nan], [1.0, math.inf]])
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(ValueError, match="expected more than 0"):
        time_runs(lambda count: wrong, Limits())


def test_garbage_is_collected_before_and_after_only():
    during = []

    def run(count):
        during.append(gc.isenabled())
        return [1.0]

    time_runs(run, Limits(max_seconds=1e-6))
    assert during
    assert not any(during)
    assert gc.isenabled()


def test_median_interval_is_between_order_statistics():
    assert median_interval(range(1, 11)) == (2, 9)  # ranks tabulated for n = 10: 97.9 %
    assert median_interval(range(1, 21)) == (6, 15)  # 95.9 %
    assert median_interval(range(6)) == (0, 5)
    assert all(map(math.isnan, median_interval(range(5))))


@pytest.mark.parametrize("n", [6, 11, 50])
def test_median_interval_covers_the_median(n):
    rng = np.random.default_rng(n)
    intervals = np.array([median_interval(rng.exponential(size=n)) for _ in range(2000)])
    covered = (intervals[:, 0] <= math.log(2)) & (math.log(2) <= intervals[:, 1])
    assert 0.94 < covered.mean() < 0.999


@pytest.mark.parametrize("limits", [{"precision": 0}, {"precision": 2}, {"max_seconds": 0}])
def test_limits_that_make_no_sense(limits):
    with pytest.raises(UserError, match=next(iter(limits))):
        Limits(**limits)
