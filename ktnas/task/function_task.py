"""Tasks that are a function of one's own."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from joblib import wrap_non_picklable_objects

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.space import SearchSpace
from ktnas.task.base import Task
from ktnas.task.callables import import_callable
from ktnas.task.loky_pool import LokyPool
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Pool, Question


class FunctionTask(Task):
    """A function from an architecture's official text to its score, or to a dict of metrics.

    Each call runs in a process of its own, so that one that raises, exits, crashes or hangs is an outcome
    and nothing more. A score that is NaN or infinite, or no number, is a failed evaluation; metrics beside it
    are kept, NaN where not finite. Metrics beyond ``metrics`` may be returned.

    The function's module is imported once in each worker and forked for each call (POSIX only), so it must
    not start CUDA or threads when it is imported. The global generators of random, numpy and torch are seeded
    from the text before each call.

    Args:
        name: the task's name.
        space: the space of its architectures.
        function: the function or its ``module:callable``.
        searched: metric that a returned number is, and that a returned dict must have.
        reported: metric that is only reported, or None.
        better: ``higher`` or ``lower``, of both.
        unit: of both.
        pool: of workers that evaluate; the results do not depend on it.
        timeout: seconds until a call is killed, or None.

    Raises:
        UserError: a function that cannot be imported or sent to another process, no time.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        function: Callable[[str], Any] | str,
        *,
        searched: str = "score",
        reported: str | None = None,
        better: str = "higher",
        unit: str = "",
        pool: Pool | None = None,
        timeout: float | None = None,
    ) -> None:
        metrics = tuple(dict.fromkeys([searched] if reported is None else [searched, reported]))
        super().__init__(
            name,
            space,
            metrics,
            searched=searched,
            reported=reported,
            better=dict.fromkeys(metrics, better),
            units=dict.fromkeys(metrics, unit),
        )
        if timeout is not None and not timeout > 0:
            raise UserError(f"timeout={timeout}, expected seconds above 0, or null for no limit.")
        self.pool = pool or LokyPool()
        self.timeout = timeout
        self._payload = _payload(name, function)

    def universe(self) -> None:
        """Nothing: the whole space can be evaluated."""

    def contains(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes (N, V) that are architectures of the space."""
        return self.space.valid(genotypes)

    def look_up(self, genotypes: IntArray, metrics: Sequence[str]) -> FloatArray:
        """NaN (N, len(metrics)): nothing is known without an evaluation."""
        return np.full((len(genotypes), len(metrics)), np.nan)

    def table(self) -> None:
        """Nothing: what was not evaluated is unknown."""

    def evaluate(self, genotypes: IntArray) -> list[Outcome]:
        """Call the function on each genotype (N, V), in worker processes.

        Raises:
            UserError: the function cannot be loaded in a worker.
        """
        outcomes = dict(answer for batch in self.stream(genotypes) for answer in batch)
        return [outcomes[row] for row in range(len(genotypes))]

    def stream(self, genotypes: IntArray) -> Iterator[list[tuple[int, Outcome]]]:
        """One (row, outcome) at a time, as the workers answer."""
        questions = [self.question(text) for text in self.space.format(genotypes)]
        for row, outcome in self.pool.stream(questions):
            yield [(row, self.accept(outcome))]

    def question(self, text: str) -> Question:
        """What a worker is asked about the architecture ``text``."""
        return Question(self._payload, text, self.searched, self.timeout)

    def accept(self, outcome: Outcome) -> Outcome:
        """The outcome a worker gave; an error where it tells of a problem that is not the architecture's."""
        return outcome


def _payload(task: str, function: Callable[[str], Any] | str) -> bytes:
    if isinstance(function, str):
        import_callable(function)
        return pickle.dumps(function)
    if not callable(function):
        raise UserError(
            f"Task {task}: got a {type(function).__name__}, expected a function or module:callable."
        )
    try:
        return pickle.dumps(wrap_non_picklable_objects(function, keep_wrapper=False))
    except Exception as problem:  # pickling runs the user's code
        raise UserError(
            f"The function of task {task} cannot be sent to a worker process: {problem}"
        ) from None
