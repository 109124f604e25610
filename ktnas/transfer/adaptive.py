"""How often one task lends to another, learned from how it went."""

from dataclasses import dataclass

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray, Rng
from ktnas.encoding.base import Encoding
from ktnas.errors import UserError
from ktnas.transfer.base import NOTHING, Candidates, Transfer, best_ranked, check_at_least_one, check_share


@dataclass
class AdaptiveTransfer(Transfer):
    """Transfer at a frequency that follows its success, in the spirit of MT-NAS.

    In each generation the task ``s`` lends to the task ``t`` with probability f(s, t); the best-ranked
    parents of the lending tasks move. After the transfer, with the share w of the architectures moved from s
    to t that succeeded,

        f(s, t) ← clip(memory · f(s, t) + (1 − memory) · w, lowest, highest).

    From MT-NAS (Zhou, Wang, Feng, Liu, Wong, Tan, IEEE TEVC 28(3), 2024, and its public code): a task
    decides at random, generation by generation, between searching alone and taking promising architectures
    of the others; the probability follows rewards that fade geometrically. Ours: MT-NAS has one probability
    per task, logistic in the fading count of improvements the other tasks made minus its own (and minus a
    diversity of its population); here there is one per pair of tasks, it follows the success of the pair's
    own transfers, and bounds keep every pair tried now and then. MT-NAS also picks what moves by a
    zero-cost proxy; here the rank on the lending task decides.

    Attributes:
        n: architectures moved at once, over all lending tasks.
        top: share of the next population in which a child counts as a success.
        initial: frequency before the first transfer.
        memory: weight of the past in the update, in [0, 1].
        lowest: lower bound of a frequency.
        highest: upper bound of a frequency.
    """

    n: int = 4
    top: float = 0.2
    initial: float = 0.5
    memory: float = 0.5
    lowest: float = 0.1
    highest: float = 0.9

    def __post_init__(self) -> None:
        check_at_least_one(n=self.n)
        check_share(
            top=self.top, initial=self.initial, memory=self.memory, lowest=self.lowest, highest=self.highest
        )
        if not self.lowest <= self.initial <= self.highest:
            bounds = f"lowest={self.lowest} and highest={self.highest}"
            raise UserError(f"transfer.initial={self.initial}: must lie between {bounds}.")
        self._frequency: FloatArray = np.empty((0, 0))

    def prepare(self, encoding: Encoding, n_tasks: int) -> None:
        """Start a search: every pair of tasks at the initial frequency."""
        super().prepare(encoding, n_tasks)
        self._frequency = np.full((n_tasks, n_tasks), self.initial)

    @property
    def frequency(self) -> FloatArray:
        """Probability (T, T) that row task lends to column task; a copy."""
        return self._frequency.copy()

    def select(self, target: int, generation: int, candidates: Candidates, rng: Rng) -> IntArray:
        """The ``n`` best-ranked candidates of the tasks that lend in this generation."""
        lends = rng.random(len(self._frequency)) < self._frequency[:, target]
        (open_rows,) = np.nonzero(lends[candidates.tasks])
        if not len(open_rows):
            return NOTHING
        return open_rows[best_ranked(candidates.ranks[open_rows], self.n, rng)]

    def feedback(self, target: int, generation: int, moved: Candidates, success: BoolArray) -> None:
        """Move the frequency of each pair towards the share of its transfers that succeeded."""
        n_tasks = len(self._frequency)
        count = np.bincount(moved.tasks, minlength=n_tasks)
        won = np.bincount(moved.tasks, weights=success, minlength=n_tasks)
        lent = count > 0
        share = won[lent] / count[lent]
        updated = self.memory * self._frequency[lent, target] + (1 - self.memory) * share
        self._frequency[lent, target] = np.clip(updated, self.lowest, self.highest)
