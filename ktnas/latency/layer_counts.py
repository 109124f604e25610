"""Which layers the networks of a space call, and how often each."""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.space.base import SearchSpace

CHECKS = 3


@lru_cache(maxsize=8)
def layer_counter(space: SearchSpace, task: str) -> "LayerCounter":
    """The counter of a space's layers, one per process."""
    return LayerCounter(space, task)


@dataclass(eq=False)
class LayerCounter:
    """Calls of layers by signature (see ``ktnas.measure.operations``).

    Where every variable adds layers of its own, which is tried on random networks, one network per choice of
    each is built. Elsewhere every network is, which takes about a tenth of a second each.

    Attributes:
        space: one that builds networks.
        task: what they are built for.
    """

    space: SearchSpace
    task: str
    _sums: "_Sums | None" = field(init=False, repr=False)
    _built: dict[bytes, Counter[str]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._sums = self._learn() if self._adds_up() else None

    def count(self, genotypes: IntArray) -> tuple[tuple[str, ...], FloatArray]:
        """Signatures of S layers, and how often (N, S) the networks of genotypes (N, V) call each.

        Every layer that one of the networks calls is among them.
        """
        if self._sums is not None:
            return self._sums.signatures, self._sums.counts(genotypes)
        calls = [self._calls(row) for row in genotypes]
        signatures = tuple(sorted(set().union(*calls)))
        return signatures, np.array([[call[name] for name in signatures] for call in calls], dtype=np.float64)

    def _calls(self, genotype: IntArray) -> Counter[str]:
        """Calls of each layer in the network of a genotype (V,)."""
        from ktnas.measure.operations import layer_signatures

        key = genotype.tobytes()
        if key not in self._built:
            self._built[key] = Counter(layer_signatures(self.space, genotype, self.task))
        return self._built[key]

    def _adds_up(self) -> bool:
        """Whether two random networks call the same layers as two that share out their choices."""
        rng = np.random.default_rng(0)
        for first, second in self.space.sample(2 * CHECKS, rng).reshape(CHECKS, 2, -1):
            mask = rng.random(len(first)) < 0.5
            mixed = np.array([np.where(mask, first, second), np.where(mask, second, first)])
            if not self.space.valid(mixed).all():
                return False
            if self._calls(first) + self._calls(second) != self._calls(mixed[0]) + self._calls(mixed[1]):
                return False
        return True

    def _learn(self) -> "_Sums":
        """What each choice of each variable adds to the network of a random genotype."""
        [first] = self.space.sample(1, np.random.default_rng(0))
        variants: dict[tuple[int, int], Counter[str]] = {}
        for variable, n_choices in enumerate(self.space.n_choices.tolist()):
            for choice in range(n_choices):
                genotype = first.copy()
                genotype[variable] = choice
                if self.space.valid(genotype[None])[0]:
                    variants[variable, choice] = self._calls(genotype)
        signatures = tuple(sorted(set().union(*variants.values())))
        fixed = np.array([self._calls(first)[name] for name in signatures], dtype=np.float64)
        table = np.zeros((len(first), int(self.space.n_choices.max()), len(signatures)))
        for place, calls in variants.items():
            table[place] = [calls[name] for name in signatures] - fixed
        return _Sums(signatures, fixed, table)


@dataclass(frozen=True)
class _Sums:
    """Calls of S layers as sums.

    Attributes:
        signatures: of the layers.
        fixed: (S,) of one network.
        table: (V, O, S) what choice o of variable v adds to it.
    """

    signatures: tuple[str, ...]
    fixed: FloatArray
    table: FloatArray

    def counts(self, genotypes: IntArray) -> FloatArray:
        """Calls (N, S) of genotypes (N, V)."""
        counts = np.tile(self.fixed, (len(genotypes), 1))
        for variable, choices in enumerate(genotypes.T):
            counts += self.table[variable, choices]
        return counts
