"""Where evaluations run."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

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


class Desk(ABC):
    """Where questions are handed in, one by one, and answers come out as the workers give them."""

    @abstractmethod
    def ask(self, index: int, question: Question) -> None:
        """Hand in a question, which is begun as soon as a worker is free; ``index`` tells which one it is."""

    @abstractmethod
    def answer(self) -> tuple[int, Outcome]:
        """Index and outcome of the next question to be answered; waits until there is one.

        A question whose worker died is asked again, ``ATTEMPTS`` times in all.

        Raises:
            UserError: the function cannot be loaded by a worker.
        """


class FutureDesk(Desk):
    """A desk of whatever gives futures.

    Args:
        submit: begins a question, of which it is told the index too.
        outcome: of a future that is done.
    """

    def __init__(self, submit: Callable[[int, Question], Any], outcome: Callable[[Any], Outcome]) -> None:
        self.open: dict[Any, int] = {}
        self._submit = submit
        self._outcome = outcome
        self._done: SimpleQueue[Any] = SimpleQueue()

    def ask(self, index: int, question: Question) -> None:
        """As in ``Desk``."""
        future = self._submit(index, question)
        self.open[future] = index
        future.add_done_callback(self._done.put)

    def answer(self) -> tuple[int, Outcome]:
        """As in ``Desk``."""
        future = self._done.get()
        return self.open.pop(future), self._outcome(future)


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
    def desk(self) -> AbstractContextManager[Desk]:
        """A desk of these workers; what is not answered when it is left is nobody's concern any more."""

    def stream(self, questions: Sequence[Question]) -> Iterator[tuple[int, Outcome]]:
        """Index and outcome of each question, in the order in which they are answered.

        Raises:
            UserError: as ``Desk.answer``.
        """
        with self.desk() as desk:
            for index, question in enumerate(questions):
                desk.ask(index, question)
            for _ in questions:
                yield desk.answer()


def died() -> Outcome:
    """Outcome of a question that no worker survived."""
    return Outcome("failed", message=f"its worker process died {ATTEMPTS} times")
