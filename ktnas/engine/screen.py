"""Choosing the few candidates that are worth an evaluation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ktnas.arrays import IntArray
from ktnas.encoding.base import Encoding
from ktnas.engine.guides import Guide
from ktnas.engine.objectives import Objectives
from ktnas.engine.state import TaskState


class Screen(ABC):
    """Chooses among candidates. A plug-in: a dataclass whose fields are its parameters."""

    def prepare(  # noqa: B027 - a screen may need nothing
        self, objectives: Objectives, encoding: Encoding, surrogate: dict[str, Any], n_tasks: int, seed: int
    ) -> None:
        """Start a search of ``n_tasks`` tasks; ``surrogate`` is the configuration of that plug-in."""

    def is_guided(self, objectives: Objectives) -> bool:
        """Whether guides may say where a target looks first, in a search of these objectives."""
        return False

    def follow(self, guides: Sequence[Guide]) -> None:  # noqa: B027 - most are not guided
        """Let ``guides`` say where a target looks first."""

    def informed(self, state: TaskState, states: Sequence[TaskState]) -> bool:
        """Whether it can choose for ``state``, so that no random architectures are needed first."""
        return False

    @abstractmethod
    def choose(self, state: TaskState, states: Sequence[TaskState], candidates: IntArray, n: int) -> IntArray:
        """Architectures to evaluate now.

        Args:
            state: of the task they are for.
            states: of all tasks of the search, in the order of their indices.
            candidates: (C, V) bred and moved ones, distinct and not evaluated yet.
            n: of them asked for.

        Returns:
            Distinct genotypes (≤ n, V), or all candidates where a screen does not choose; not evaluated yet,
            not necessarily among the candidates.
        """


@dataclass
class NoScreen(Screen):
    """All candidates are evaluated."""

    def choose(self, state: TaskState, states: Sequence[TaskState], candidates: IntArray, n: int) -> IntArray:
        """The candidates; ``n`` plays no part."""
        return candidates
