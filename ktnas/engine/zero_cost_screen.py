"""Screening by zero-cost proxies, for searches without a surrogate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ktnas.arrays import IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.zero_cost import ZeroCost
from ktnas.engine.objectives import Objectives
from ktnas.engine.screen import Screen
from ktnas.engine.state import TaskState
from ktnas.errors import UserError

SAMPLE = 16
"""Architectures whose scores tell what is typical, for those of which a proxy is not defined."""


@dataclass
class ZeroCostScreen(Screen):
    """The candidates that zero-cost proxies of their untrained networks rank best on average.

    A proxy ranks the candidates of one choice among themselves. Scores are those of the encoding
    ``zero_cost``, read from a table or computed once and kept; they are the same for all tasks of a search.

    Attributes:
        proxies: names, separated by commas, or ``all``.
        task: what the networks are for; of a table with a column ``task`` its rows of this name.
        table: CSV file with a column ``arch`` and one per proxy; none if empty.
        size: pixels of an image's side; 0 for those of the task.
        batch: images that a network is shown.
        seed: of initial weights, images and labels.
    """

    proxies: str = "synflow,nwot"
    task: str = "cifar10"
    table: str = ""
    size: int = 0
    batch: int = 8
    seed: int = 0
    _scores: ZeroCost = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, least in (("size", 0), ("batch", 2)):
            if getattr(self, name) < least:
                raise UserError(f"screen.{name}={getattr(self, name)}: expected {least} or more.")
        self._scores = ZeroCost(
            self.proxies,
            self.task,
            self.table,
            scale="minmax",
            size=self.size,
            batch=self.batch,
            seed=self.seed,
            sample=SAMPLE,
        )

    def prepare(
        self, objectives: Objectives, encoding: Encoding, surrogate: dict[str, Any], n_tasks: int, seed: int
    ) -> None:
        """As in ``Screen``.

        Raises:
            UserError: a table that cannot be read; without one, a space or task whose networks have no
                scores.
        """
        try:
            self._scores.fit(encoding.space, seed)
        except UserError as problem:
            reason = str(problem).removeprefix("encoding zero_cost: ")
            raise UserError(f"screen=zero_cost: {reason}") from None

    def choose(self, state: TaskState, states: Sequence[TaskState], candidates: IntArray, n: int) -> IntArray:
        """As in ``Screen``: ``n`` of the candidates, the best first."""
        if not len(candidates):
            return candidates
        ranks = rankdata(self._scores.transform(candidates), axis=0)
        best = np.argsort(-ranks.mean(axis=1), kind="stable")[:n]
        return candidates[best]
