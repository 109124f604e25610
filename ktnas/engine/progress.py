"""What a running search tells whoever watches it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ProgressEvent:
    """Where one task stands after an evaluation, or several.

    Attributes:
        task: searched.
        role: ``source`` or ``target``.
        done: evaluations so far, those taken from the ledger included.
        budget: evaluations in all.
        best_error: lowest error so far; NaN when nothing has succeeded.
        hypervolume: of the front, divided by that of the true front; None where that is not known.
        failed: evaluations so far that failed or timed out.
    """

    task: str
    role: str
    done: int
    budget: int
    best_error: float
    hypervolume: float | None = None
    failed: int = 0


class Progress(Protocol):
    """Watches a search: ``start`` once, ``update`` when a task moves on, ``finish`` once, even on errors."""

    def start(self, budgets: Mapping[str, int]) -> None:
        """The search begins; ``budgets`` are the evaluations of each task, sources first."""

    def update(self, event: ProgressEvent) -> None:
        """A task has moved on."""

    def finish(self) -> None:
        """The search has ended, one way or another."""

    def tell(self, message: str) -> None:
        """Something is worth saying, once the search has ended."""


class NullProgress:
    """Watches in silence."""

    def start(self, budgets: Mapping[str, int]) -> None:
        """Say nothing."""

    def update(self, event: ProgressEvent) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""

    def tell(self, message: str) -> None:
        """Say nothing."""
