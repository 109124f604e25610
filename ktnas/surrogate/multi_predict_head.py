"""One task's observations and what is known from elsewhere, weighed by their errors on values left out."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ktnas.arrays import FloatArray
from ktnas.surrogate.kernel_sum import KernelSum

LENGTH = 0.7
ALONE = (0.5, 0.3, 0.3)
INFORMED = (0.3, 0.2, 0.2)
DESCRIBED = 0.3
NOISE = 0.3
TRUST = 0.3
SHARPNESS = 1 / 8


@dataclass
class Knowledge:
    """What is known of N architectures beside the task's own values.

    Attributes:
        vectors: (N, D) of the encoding.
        opinions: (N, S) what other tasks and networks expect of them, smaller is better, in units of about
            one standard deviation; S may be 0.
        descriptions: (N, H) hidden layer of a pre-trained network; H may be 0.
    """

    vectors: FloatArray
    opinions: FloatArray
    descriptions: FloatArray


@dataclass
class _Unit:
    """Rows moved by ``centre`` and divided by ``size``, so that those seen are of mean 0 and size 1."""

    centre: FloatArray
    size: float

    @classmethod
    def of(cls, rows: FloatArray) -> Self:
        centre = rows.mean(axis=0)
        size = float(np.sqrt(((rows - centre) ** 2).sum(axis=1).mean()))
        return cls(centre, size if size > 0 else 1.0)

    def __call__(self, rows: FloatArray) -> FloatArray:
        return np.asarray((rows - self.centre) / self.size)


@dataclass
class Alone:
    """A Gaussian process on the vectors: a linear kernel and a smooth one."""

    _unit: _Unit = field(init=False, repr=False)
    _seen: FloatArray = field(init=False, repr=False)
    _process: KernelSum = field(init=False, repr=False)

    def fit(self, vectors: FloatArray, values: FloatArray) -> Self:
        """Learn ``values`` (N,) of mean 0 of ``vectors`` (N, D)."""
        self._unit = _Unit.of(vectors)
        self._seen = self._unit(vectors)
        self._process = KernelSum(ALONE).fit(_kernels(self._seen, self._seen), values)
        return self

    @property
    def left_out(self) -> FloatArray:
        """Each value (N,) predicted from the others."""
        return self._process.left_out

    def predict(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (M,)."""
        asked = self._unit(vectors)
        return self._process.predict(_kernels(self._seen, asked), _own_kernels(asked))


@dataclass
class Informed:
    """The same with what is known from elsewhere: opinions in mean and kernel, descriptions in a kernel."""

    _units: list[_Unit] = field(init=False, repr=False)
    _seen: list[FloatArray] = field(init=False, repr=False)
    _process: KernelSum = field(init=False, repr=False)
    left_out: FloatArray = field(init=False, repr=False)

    def fit(self, known: Knowledge, values: FloatArray) -> Self:
        """Learn ``values`` (N,) of mean 0."""
        opinions = _Unit(known.opinions.mean(axis=0), 1.0)
        self._units = [_Unit.of(known.vectors), opinions, _Unit.of(known.descriptions)]
        self._seen = self._parts(known)
        prior = (*INFORMED, DESCRIBED, NOISE) if known.descriptions.shape[1] else (*INFORMED, NOISE)
        expected = _expected(self._seen)
        self._process = KernelSum(prior).fit(self._cross(self._seen), values - expected)
        self.left_out = expected + self._process.left_out
        return self

    def predict(self, known: Knowledge) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (M,)."""
        asked = self._parts(known)
        own = np.vstack([_own_kernels(asked[0]), *(_squares(part)[None] for part in self._linear(asked))])
        mean, variance = self._process.predict(self._cross(asked), own)
        return mean + _expected(asked), variance

    def _parts(self, known: Knowledge) -> list[FloatArray]:
        parts = (known.vectors, known.opinions, known.descriptions)
        return [unit(part) for unit, part in zip(self._units, parts, strict=True)]

    def _cross(self, asked: list[FloatArray]) -> FloatArray:
        pairs = zip(self._linear(self._seen), self._linear(asked), strict=True)
        linear = [(a @ b.T)[None] for a, b in pairs]
        return np.concatenate([_kernels(self._seen[0], asked[0]), *linear])

    def _linear(self, parts: list[FloatArray]) -> list[FloatArray]:
        opinions = parts[1] / np.sqrt(parts[1].shape[1])
        return [opinions, parts[2]] if parts[2].shape[1] else [opinions]


@dataclass
class Blend:
    """``Alone`` and ``Informed``, weighed by their errors on values left out.

    The weight of each is its mean squared error to the power -N ``SHARPNESS``, a tempered likelihood: halves
    of few observations, all for the better one of many.
    """

    alone: Alone
    informed: Informed | None = None
    share: float = 0.0

    @classmethod
    def fit(cls, alone: Alone, known: Knowledge, values: FloatArray) -> Self:
        """Learn ``values`` (N,), which ``alone`` has learned before."""
        if not known.opinions.shape[1]:
            return cls(alone)
        informed = Informed().fit(known, values)
        errors = [np.mean((values - model.left_out) ** 2) + 1e-12 for model in (alone, informed)]
        advantage = len(values) * SHARPNESS * np.log(errors[0] / errors[1])
        return cls(alone, informed, float(1 / (1 + np.exp(-advantage))))

    def predict(self, known: Knowledge) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (M,) of the mixture."""
        mean, variance = self.alone.predict(known.vectors)
        if self.informed is None:
            return mean, variance
        other, other_variance = self.informed.predict(known)
        away = other - mean
        mixed = (1 - self.share) * variance + self.share * other_variance
        return mean + self.share * away, mixed + self.share * (1 - self.share) * away**2


def _expected(parts: list[FloatArray]) -> FloatArray:
    """What the opinions make one expect, (N,)."""
    return np.asarray(TRUST * parts[1].mean(axis=1))


def _kernels(first: FloatArray, second: FloatArray) -> FloatArray:
    """Linear and squared-exponential kernel (2, N, M)."""
    linear = first @ second.T
    distances = _squares(first)[:, None] + _squares(second) - 2 * linear
    return np.stack([linear, np.exp(np.minimum(-distances / (2 * LENGTH**2), 0))])


def _own_kernels(rows: FloatArray) -> FloatArray:
    """``_kernels`` of each row with itself, (2, N)."""
    return np.stack([_squares(rows), np.ones(len(rows))])


def _squares(rows: FloatArray) -> FloatArray:
    return np.asarray((rows**2).sum(axis=1))
