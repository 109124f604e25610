"""Where evaluations run."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ktnas.errors import UserError
from ktnas.task.outcome import Outcome

ATTEMPTS = 3
"""Workers that may die of one evaluation, which then has failed."""

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
"""Environment in which numerical libraries use one thread."""


@dataclass(frozen=True)
class Question:
    """An evaluation to be made.

    Attributes:
        payload: pickle of a function of an architecture's text, or of its ``module:callable``.
        text: the architecture.
        searched: metric that the function returns, or that the dict it returns has.
        timeout: seconds until it is killed, or None.
    """

    payload: bytes
    text: str
    searched: str
    timeout: float | None


@dataclass(frozen=True)
class Pool(ABC):
    """Workers that answer questions, each in a process of its own that is killed at its end.

    What the answers are does not depend on the pool, nor on its size. Pools of equal parameters share their
    workers, which are kept from call to call.

    Args:
        workers: questions that are worked on at a time.

    Raises:
        UserError: no worker.
    """

    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UserError(f"workers={self.workers}: expected 1 or more.")

    @property
    def size(self) -> int:
        """Questions that are worked on at a time."""
        return self.workers

    @abstractmethod
    def stream(self, questions: Sequence[Question]) -> Iterator[tuple[int, Outcome]]:
        """Index and outcome of each question, in the order in which they are answered.

        A question whose worker died is asked again, ``ATTEMPTS`` times in all.

        Raises:
            UserError: the function cannot be loaded by a worker.
        """


def died() -> Outcome:
    """Outcome of a question that no worker survived."""
    return Outcome("failed", message=f"its worker process died {ATTEMPTS} times")
