"""Timing something that can be run again and again, until its latency is known well enough."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import bdtr

from ktnas.errors import UserError

Run = Callable[[int], Sequence[float]]
"""Runs something at least once, at best the given number of times; milliseconds of one run, once or more."""

CONFIDENCE = 0.95
SAMPLE_MS = 1.0
ROUND = 5
STEADY = 0.98
WARM_UP_SHARE = 0.25
FIRST_LOOK = 10
LOOK_GROWTH = 1.25


@dataclass(frozen=True)
class Limits:
    """When a measurement ends.

    Attributes:
        precision: share of the latency that half its confidence interval may be wide.
        max_seconds: time for one look at a network, warm-up included but for its first run, in which a device
            loads what it needs; a run that has begun is finished.
        quantile: of the times of the runs that is the latency. What disturbs a device makes it slower, so a
            low one repeats better than the median, 0.5.
    """

    precision: float = 0.02
    max_seconds: float = 2.0
    quantile: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.precision < 1:
            raise UserError(f"precision={self.precision:g}: expected a share of the latency, 0.02 for ±2 %.")
        if not self.max_seconds > 0:
            raise UserError(f"max_seconds={self.max_seconds:g}: expected seconds above 0.")
        if not 0 < self.quantile < 1:
            raise UserError(
                f"quantile={self.quantile:g}: expected a share of the runs, 0.5 for their median."
            )


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one run.

    Attributes:
        latency_ms: quantile of the times of the runs.
        low_ms: lower end of its 95 % confidence interval, NaN of too few runs.
        high_ms: its upper end.
        spread_ms: distance between the quartiles.
        repeats: numbers behind it.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    spread_ms: float
    repeats: int

    @classmethod
    def of(cls, samples: Sequence[float], quantile: float) -> "Timing":
        """Summary of one number or more."""
        low, high = quantile_interval(samples, quantile)
        latency, first, third = np.quantile(samples, [quantile, 0.25, 0.75]).tolist()
        return cls(latency, low, high, third - first, len(samples))

    @property
    def uncertainty(self) -> float:
        """Half the confidence interval as a share of the latency, NaN where there is none."""
        return (self.high_ms - self.low_ms) / 2 / self.latency_ms


def time_runs(
    run: Run, limits: Limits, warm_up: bool = True, clock: Callable[[], float] = time.perf_counter
) -> Timing:
    """Time ``run`` until its latency is known to ``limits.precision`` or ``limits.max_seconds`` are over.

    Short runs are timed several at once, for a millisecond or more. With ``warm_up`` the first runs do not
    count: rounds of them are made until a round is no faster than the one before, for a quarter of the time
    at most. Python's garbage collector rests.

    The confidence interval is looked at when there are 10 numbers, then each time there are a quarter more:
    looking after every number would stop too often at a lucky moment.

    Raises:
        ValueError: ``run`` gave a number that is not finite and above 0.
    """
    with _no_garbage_collection():
        if warm_up:
            _checked(run(1))
        started, count = clock(), 1
        deadline = started + limits.max_seconds
        if warm_up:
            count = _runs_per_sample(run)
            _warm_up(run, count, clock, started + limits.max_seconds * WARM_UP_SHARE)
        samples: list[float] = []
        look = FIRST_LOOK
        while True:
            samples += _checked(run(count))
            if clock() >= deadline:
                return Timing.of(samples, limits.quantile)
            if len(samples) >= look:
                timing = Timing.of(samples, limits.quantile)
                if timing.uncertainty <= limits.precision:
                    return timing
                look = math.ceil(len(samples) * LOOK_GROWTH)


def quantile_interval(
    samples: Sequence[float], quantile: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Confidence interval of a quantile between two order statistics, whatever the distribution.

    The number of independent samples below the quantile is binomial, which says which order statistics
    enclose it with at least the given probability (David and Nagaraja, Order Statistics, 2003, Sec. 7.1). NaN
    in place of an end for which there are too few samples: below 6 for the median at 95 %, below 36 for the
    lower end of the first decile.
    """
    low, high = _ranks(len(samples), quantile, confidence)
    ordered = np.sort(samples)
    return (
        float(ordered[low - 1]) if low > 0 else math.nan,
        float(ordered[high - 1]) if high <= len(ordered) else math.nan,
    )


@lru_cache(maxsize=1024)
def _ranks(n: int, quantile: float, confidence: float) -> tuple[int, int]:
    """Largest and smallest rank that lie above and below the quantile with probability (1 - confidence) / 2.

    Counted from 1; 0 and n + 1 where there is none.
    """
    tail = (1 - confidence) / 2
    below = bdtr(np.arange(n, dtype=float), n, quantile)  # probability that at most 0, 1, ... are below
    return int((below <= tail).sum()), 1 + int((below < 1 - tail).sum())


def _runs_per_sample(run: Run) -> int:
    """Runs that take ``SAMPLE_MS`` together."""
    return max(1, math.ceil(SAMPLE_MS / min(_checked(run(1)))))


def _warm_up(run: Run, count: int, clock: Callable[[], float], deadline: float) -> None:
    before = math.inf
    while clock() < deadline:
        now = float(np.median([_checked(run(count))[0] for _ in range(ROUND)]))
        if now >= STEADY * before:
            return
        before = now


def _checked(samples: Sequence[float]) -> list[float]:
    values = [float(sample) for sample in samples]
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise ValueError(f"a run took {', '.join(map(str, values)) or 'no'} ms, expected more than 0")
    return values


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
