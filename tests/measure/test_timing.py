import gc
import math

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.measure.timing import Limits, Timing, quantile_interval, time_runs


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
    assert world.timed() == Timing(4.0, 4.0, 4.0, 0.0, 44)
    assert world.runs < 60


def test_warming_up_does_not_count():
    world = World(lambda run: 5 + 50 * 0.7**run)
    timing = world.timed()
    assert timing.latency_ms == pytest.approx(5, rel=0.05)
    assert World(lambda run: 5 + 50 * 0.7**run).timed(warm_up=False).latency_ms > timing.latency_ms


def test_a_slow_first_run_takes_none_of_the_time():
    slow = World(lambda run: 3000 if run == 0 else 4.0)
    assert slow.timed(max_seconds=1) == World(lambda run: 4.0).timed(max_seconds=1)


def test_warming_up_ends():
    world = World(lambda run: 0.5 + 10 * 0.99**run)
    assert world.timed(max_seconds=1).repeats > 10


@pytest.mark.parametrize(("quantile", "score"), [(0.5, 0.0), (0.1, -1.2816)])
def test_noise_is_measured_until_the_latency_is_known(quantile, score):
    rng = np.random.default_rng(0)
    quiet, loud = (
        World(lambda run, s=s: 10 * np.exp(s * rng.normal())).timed(max_seconds=60, quantile=quantile)
        for s in (0.01, 0.2)
    )
    assert quiet.repeats < loud.repeats
    for timing, spread in ((quiet, 0.01), (loud, 0.2)):
        assert timing.uncertainty <= 0.02
        assert timing.latency_ms == pytest.approx(10 * np.exp(spread * score), rel=0.03)
        assert timing.spread_ms == pytest.approx(10 * 1.349 * spread, rel=0.6)


def test_a_low_quantile_repeats_on_a_disturbed_machine():
    rng = np.random.default_rng(0)

    def looks(quantile):
        worlds = [World(lambda run, slow=slow: 10 + 5 * (rng.random() < slow)) for slow in (0.2, 0.8)]
        return [world.timed(max_seconds=1, quantile=quantile).latency_ms for world in worlds]

    assert looks(0.1) == [10, 10]
    assert looks(0.5) == [10, 15]


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
    limits = Limits(precision=0.9, quantile=0.5)
    timing = time_runs(lambda count: [1.0, 2.0, 3.0] * 5, limits, warm_up=False)
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


def test_interval_is_between_order_statistics():
    assert quantile_interval(range(1, 11), 0.5) == (2, 9)  # ranks tabulated for n = 10: 97.9 %
    assert quantile_interval(range(1, 21), 0.5) == (6, 15)  # 95.9 %
    assert quantile_interval(range(6), 0.5) == (0, 5)
    assert all(map(math.isnan, quantile_interval(range(5), 0.5)))


def test_interval_may_lack_an_end():
    low, high = quantile_interval(range(1, 36), 0.1)
    assert math.isnan(low)
    assert high == 8
    assert quantile_interval(range(1, 37), 0.1)[0] == 1
    assert quantile_interval(range(1, 37), 0.9)[1] == 36


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("n", [36, 51, 100])
def test_interval_covers_the_quantile(n, quantile):
    rng = np.random.default_rng(n)
    intervals = np.array([quantile_interval(rng.exponential(size=n), quantile) for _ in range(2000)])
    true = -math.log(1 - quantile)
    covered = (intervals[:, 0] <= true) & (true <= intervals[:, 1])
    assert 0.94 < covered.mean() < 0.999


@pytest.mark.parametrize(
    "limits", [{"precision": 0}, {"precision": 2}, {"max_seconds": 0}, {"quantile": 0}, {"quantile": 1}]
)
def test_limits_that_make_no_sense(limits):
    with pytest.raises(UserError, match=next(iter(limits))):
        Limits(**limits)
