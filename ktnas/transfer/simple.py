"""Transfer without memory: none, random, elite."""

from dataclasses import dataclass

from ktnas.arrays import IntArray, Rng
from ktnas.transfer.base import NOTHING, Candidates, Transfer, best_ranked, check_at_least_one, check_share


@dataclass
class NoTransfer(Transfer):
    """Nothing ever moves: every task searches for itself."""

    def select(self, target: int, generation: int, candidates: Candidates, rng: Rng) -> IntArray:
        """Empty."""
        return NOTHING


@dataclass
class RandomTransfer(Transfer):
    """Random candidates move in a random share of the generations, as in EMT-NAS (Liao, Jin, Du, CVPR 2023).

    EMT-NAS mates parents of different tasks with a random mating probability; here that probability decides,
    once per generation, whether candidates join the parents.

    Attributes:
        n: architectures moved at once.
        probability: of a transfer in a generation.
    """

    n: int = 4
    probability: float = 1.0

    def __post_init__(self) -> None:
        check_at_least_one(n=self.n)
        check_share(probability=self.probability)

    def select(self, target: int, generation: int, candidates: Candidates, rng: Rng) -> IntArray:
        """Up to ``n`` distinct candidates, uniformly."""
        if rng.random() >= self.probability:
            return NOTHING
        return rng.permutation(len(candidates))[: self.n]


@dataclass
class EliteTransfer(Transfer):
    """The best-ranked parents of the other tasks move in every generation.

    Attributes:
        n: architectures moved at once; equal ranks (of different tasks) are taken in random order.
    """

    n: int = 4

    def __post_init__(self) -> None:
        check_at_least_one(n=self.n)

    def select(self, target: int, generation: int, candidates: Candidates, rng: Rng) -> IntArray:
        """The ``n`` best-ranked candidates."""
        return best_ranked(candidates.ranks, self.n, rng)
