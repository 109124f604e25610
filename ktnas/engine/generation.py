"""What one task asks at once."""

from dataclasses import dataclass, field
from typing import Self

from ktnas.arrays import IntArray
from ktnas.engine.state import TaskState
from ktnas.engine.variation import Brood
from ktnas.transfer.base import NOTHING, Candidates


@dataclass
class Generation:
    """One generation of one task.

    Attributes:
        state: of the task.
        number: of the generation.
        chosen: (N, V) to evaluate, in asked order.
        brood: children that were bred.
        moved: parents of other tasks that joined the breeding pool.
        n_parents: of the task itself, which precede them there.
        unanswered: of those chosen, how many are still to be answered.
    """

    state: TaskState
    number: int
    chosen: IntArray
    brood: Brood
    moved: Candidates
    n_parents: int
    unanswered: int = field(init=False)

    def __post_init__(self) -> None:
        self.unanswered = len(self.chosen)

    @classmethod
    def unbred(cls, state: TaskState, chosen: IntArray) -> Self:
        """The next generation of a task, without parents."""
        nothing = Candidates(chosen[:0], NOTHING, NOTHING)
        return cls(state, state.generation, chosen, Brood.empty(state.space), nothing, 0)
