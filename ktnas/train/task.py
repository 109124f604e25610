"""Tasks that train networks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ktnas.arrays import IntArray
from ktnas.errors import UserError, unknown
from ktnas.space import SearchSpace
from ktnas.task.function_task import FunctionTask
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Pool
from ktnas.train.images import located
from ktnas.train.kinds import KINDS
from ktnas.train.settings import TrainingSettings
from ktnas.train.trainer import NOT_KEPT, Trainer

SEARCHED, REPORTED = "valid_error", "test_error"
COUNTS = ("params", "flops")


class TrainingTask(FunctionTask):
    """A task whose evaluations train a network, each in a process of its own.

    Its metrics are those of ``Trainer``: ``valid_error`` in %, lower better, is searched, ``test_error`` is
    reported.

    Args:
        trainer: trains; checked here, so that a mistake is found before anything is trained.
        pool: of workers that train, on one thread each; the results do not depend on it.
        timeout: seconds until a training is killed, or None.

    Raises:
        UserError: images that cannot be read or used, a space without networks for them, no time.
    """

    def __init__(self, trainer: Trainer, pool: Pool | None = None, timeout: float | None = None) -> None:
        trainer.check()
        self._use(trainer, pool, timeout)

    def keep_in(self, run_dir: Path) -> None:
        """Keep weights and learning curves of what is trained from now on in the directory of a run."""
        self._use(replace(self.trainer, keep_in=run_dir.absolute()), self.pool, self.timeout)

    def measure_latency(self) -> None:
        """Measure the latency of what is trained from now on, as the metric ``latency_ms``."""
        self._use(replace(self.trainer, timed=True), self.pool, self.timeout)

    def stream(self, genotypes: IntArray) -> Iterator[list[tuple[int, Outcome]]]:
        """One (row, outcome) at a time, as the workers answer.

        Raises:
            UserError: weights that cannot be kept: a full disk is no fault of the architecture.
        """
        for answers in super().stream(genotypes):
            for _, outcome in answers:
                if outcome.message.startswith(NOT_KEPT):
                    raise UserError(outcome.message.removeprefix(NOT_KEPT))
            yield answers

    def _use(self, trainer: Trainer, pool: Pool | None, timeout: float | None) -> None:
        super().__init__(
            trainer.name,
            trainer.space,
            trainer,
            searched=SEARCHED,
            reported=REPORTED,
            better="lower",
            unit="%",
            pool=pool,
            timeout=timeout,
        )
        self.trainer = trainer
        self.metrics = (*self.metrics, *COUNTS)
        self.better |= dict.fromkeys(COUNTS, "lower")
        self.units |= dict.fromkeys(COUNTS, "")


def training_task(
    name: str,
    data: str,
    space: SearchSpace,
    settings: Mapping[str, object],
    subsets: Mapping[str, Sequence[int]],
    pool: Pool | None = None,
    timeout: float | None = None,
) -> TrainingTask:
    """The task ``name``: one of ``KINDS``, or the classification of some classes alone, of ``subsets``.

    Args:
        name: of the task.
        data: as ``images.read_images`` takes it.
        space: of the architectures.
        settings: as ``TrainingSettings.of`` takes them.
        subsets: task to its classes.
        pool: of workers that train.
        timeout: seconds until a training is killed, or None.

    Raises:
        UserError: an unknown task or setting, and as ``TrainingTask``.
    """
    if name not in (*KINDS, *subsets):
        raise unknown("task on images", name, (*KINDS, *subsets))
    if name in KINDS and name in subsets:
        raise UserError(f"benchmark.subsets.{name}: there is a task of that name already. Give it another.")
    classes = tuple(subsets[name]) if name in subsets else None
    kind = "classification" if name in subsets else name
    trainer = Trainer(name, kind, classes, located(data), space, TrainingSettings.of(settings))
    return TrainingTask(trainer, pool, timeout)
