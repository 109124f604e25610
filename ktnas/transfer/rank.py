"""Transfer rank: candidates are judged by the fate of the most similar architectures transferred before."""

from dataclasses import dataclass

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray, Rng
from ktnas.encoding.base import Encoding
from ktnas.transfer.base import NOTHING, Candidates, Transfer, best_ranked, check_at_least_one, check_share

DECIMALS = 12


@dataclass
class TransferRank(Transfer):
    """Transfer by the transfer rank of KTNAS (arXiv 2504.00772; IEEE TETCI 10(2), 2026).

    Every target task keeps a history of the architectures moved to it: label +1 where a child ranked within
    the top ``top`` share of the next population, −1 otherwise. Positives are kept for ever, negatives of
    generation g up to generation g + ``memory``. An architecture moved twice stands in the history twice.
    Each entry gives its label as a vote to the one candidate nearest in the encoding; the rank φ of a
    candidate is the sum of its votes.

    Groups of equal φ are taken whole, highest first; the group that no longer fits fills the last places at
    random. Nothing moves when every φ ≤ 0. With an empty history (the first generation, or once all negatives
    have expired without a positive) ``n`` random candidates move.

    Attributes:
        n: architectures moved at once.
        top: share r of the next population in which a child makes a transfer positive.
        memory: generations m for which a negative is remembered.
    """

    n: int = 4
    top: float = 0.2
    memory: int = 5

    def __post_init__(self) -> None:
        check_at_least_one(n=self.n, memory=self.memory)
        check_share(top=self.top)
        self._histories: list[History] = []

    def prepare(self, encoding: Encoding, n_tasks: int) -> None:
        """Start a search with an empty history for every task."""
        super().prepare(encoding, n_tasks)
        self._histories = [History.empty(encoding.dim) for _ in range(n_tasks)]

    def select(self, target: int, generation: int, candidates: Candidates, rng: Rng) -> IntArray:
        """Up to ``n`` candidates by transfer rank; a candidate nobody voted for has rank 0."""
        history = self._histories[target] = self._histories[target].expire(generation - self.memory)
        if not len(candidates):
            return NOTHING
        if not len(history.labels):
            return rng.permutation(len(candidates))[: self.n]
        votes = transfer_rank(self.features.get(candidates.genotypes), history.vectors, history.labels)
        return best_ranked(-votes, self.n, rng) if votes.max() > 0 else NOTHING

    def feedback(self, target: int, generation: int, moved: Candidates, success: BoolArray) -> None:
        """Enter the moved architectures with their labels in the target's history."""
        vectors = self.features.get(moved.genotypes)
        self._histories[target] = self._histories[target].extend(vectors, success, generation)


@dataclass(frozen=True)
class History:
    """Architectures moved to one task and what became of them.

    Attributes:
        vectors: (H, D) float64.
        labels: (H,) int64, +1 or −1.
        generations: (H,) int64, when each moved.
    """

    vectors: FloatArray
    labels: IntArray
    generations: IntArray

    @classmethod
    def empty(cls, dim: int) -> "History":
        """History without an entry, of vectors of length ``dim``."""
        return cls(np.empty((0, dim)), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def extend(self, vectors: FloatArray, success: BoolArray, generation: int) -> "History":
        """With ``vectors`` (n, D) entered in ``generation``, positive where ``success`` (n,)."""
        labels = np.where(success, 1, -1)
        return History(
            np.concatenate([self.vectors, vectors]),
            np.concatenate([self.labels, labels]),
            np.concatenate([self.generations, np.full(len(labels), generation)]),
        )

    def expire(self, oldest: int) -> "History":
        """Without the negatives of generations before ``oldest``."""
        kept = (self.labels > 0) | (self.generations >= oldest)
        return self if kept.all() else History(self.vectors[kept], self.labels[kept], self.generations[kept])


def transfer_rank(candidates: FloatArray, history: FloatArray, labels: IntArray) -> IntArray:
    """Rank φ (C,) int64 of each candidate: the sum of the labels of the history entries nearest to it.

    Args:
        candidates: vectors (C, D), C ≥ 1.
        history: vectors (H, D).
        labels: (H,) int64 votes of the history.

    Nearest is the highest cosine similarity (a zero vector has similarity 0 to everything); similarities that
    agree to ``DECIMALS`` places tie, and the candidate with the lowest index gets the vote.
    """
    similarity = _unit(history) @ _unit(candidates).T
    nearest = np.round(similarity, DECIMALS).argmax(axis=1)
    return np.bincount(nearest, weights=labels, minlength=len(candidates)).astype(np.int64)


def _unit(vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)
