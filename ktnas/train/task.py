"""Tasks that train networks."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

import torch
from rich.console import Console

from ktnas.errors import UserError, unknown
from ktnas.record.files import remove_leftovers
from ktnas.space import SearchSpace
from ktnas.task.function_task import FunctionTask
from ktnas.task.outcome import Outcome
from ktnas.task.pool import Pool, Question
from ktnas.task.thread_pool import ThreadPool
from ktnas.train.fidelity import epochs_of, full_name, is_supernet
from ktnas.train.images import located
from ktnas.train.kept import directory_of
from ktnas.train.kinds import KINDS
from ktnas.train.settings import TrainingSettings, supernet_settings
from ktnas.train.supernet_trainer import SupernetTrainer
from ktnas.train.trainer import NOT_KEPT, Trainer

SEARCHED, REPORTED = "valid_error", "test_error"
COUNTS = ("params", "flops")
LINES = 10


class TrainingTask(FunctionTask):
    """A task whose evaluations train a network, each in a process of its own.

    Its metrics are those of ``Trainer``: ``valid_error`` in %, lower better, is searched, ``test_error`` is
    reported.

    Args:
        trainer: trains; checked here, so that a mistake is found before anything is trained.
        pool: of workers that train, on one thread each; the results do not depend on it.
        timeout: seconds until a training is killed, or None.

    Raises:
        UserError: images that cannot be read or used, a space without networks for them, no time, threads
            on a machine with a GPU.
    """

    def __init__(self, trainer: Trainer, pool: Pool | None = None, timeout: float | None = None) -> None:
        trainer.check()
        if isinstance(pool, ThreadPool) and torch.cuda.is_available():
            raise UserError(
                "parallel=threads: on a machine with a GPU, torch does not train in processes forked "
                "from that of the search. Use parallel=loky."
            )
        self._use(trainer, pool, timeout)

    def keep_in(self, run_dir: Path) -> None:
        """Keep weights and learning curves of what is trained from now on in the directory of a run."""
        remove_leftovers(directory_of(run_dir, self.name))
        self._use(replace(self.trainer, keep_in=run_dir.absolute()), self.pool, self.timeout)

    def measure_latency(self) -> None:
        """Measure the latency of what is trained from now on, as the metric ``latency_ms``."""
        self._use(replace(self.trainer, timed=True), self.pool, self.timeout)

    def accept(self, outcome: Outcome) -> Outcome:
        """As in ``FunctionTask``.

        Raises:
            UserError: weights that cannot be kept: a full disk is no fault of the architecture.
        """
        if outcome.message.startswith(NOT_KEPT):
            raise UserError(outcome.message.removeprefix(NOT_KEPT))
        return outcome

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


class SupernetTask(TrainingTask):
    """A training task whose networks inherit the weights of a supernet, which is trained before the first.

    The pool trains it, some seconds at a time, so that a killed run goes on with it. It is kept in the
    directory of the run, without one in a temporary directory of this machine.
    """

    trainer: SupernetTrainer

    def question(self, text: str) -> Question:
        """As in ``FunctionTask``; before the first one the supernet is trained.

        Raises:
            UserError: a supernet that cannot be trained or kept.
        """
        if not self._taught:
            self._teach()
        return super().question(text)

    def _teach(self) -> None:
        if self.trainer.keep_in is None:
            directory = mkdtemp(prefix="ktnas-")
            finalize(self, rmtree, directory, ignore_errors=True)
            self.keep_in(Path(directory))
        lesson = Question(pickle.dumps(self.trainer.teach), self.name, "epochs", None)
        total, done, told = self.trainer.settings.epochs, 0, -1
        console = Console(stderr=True)
        while done < total:
            ((_, outcome),) = self.pool.stream([lesson])
            if outcome.status != "ok":
                raise UserError(f"The supernet of {self.name} cannot be trained: {outcome.message}")
            done, taught = int(outcome.metrics["epochs"]), outcome.metrics["taught"]
            if taught and done * LINES // total > told:
                told = done * LINES // total
                left = outcome.seconds / taught * (total - done)
                loss = outcome.metrics["train_loss"]
                said = f"supernet {self.name}: {done}/{total} epochs, loss {loss:.4g}, {left:.0f} s left"
                console.print(said, soft_wrap=True, markup=False, highlight=False)
        self._taught = True

    def _use(self, trainer: Trainer, pool: Pool | None, timeout: float | None) -> None:
        super()._use(trainer, pool, timeout)
        self._taught = False


def training_task(
    name: str,
    data: str,
    space: SearchSpace,
    settings: Mapping[str, object],
    subsets: Mapping[str, Sequence[int] | None],
    supernet: Mapping[str, object] | None = None,
    pool: Pool | None = None,
    timeout: float | None = None,
) -> TrainingTask:
    """The task ``name``, or a cheap fidelity of one: of ``KINDS``, or the classification of ``subsets``.

    Args:
        name: of the task; ``TASK@EPOCHS`` is trained for so many epochs, ``TASK@supernet`` not at all.
        data: as ``images.read_images`` takes it.
        space: of the architectures.
        settings: as ``TrainingSettings.of`` takes them.
        subsets: task to its classes, None for all of them.
        supernet: as ``settings.supernet_settings`` takes them.
        pool: of workers that train.
        timeout: seconds until a training is killed, or None.

    Raises:
        UserError: an unknown task, fidelity or setting, and as ``TrainingTask``.
    """
    full = full_name(name)
    if full not in (*KINDS, *subsets):
        raise unknown("task on images", full, (*KINDS, *subsets))
    if full in KINDS and full in subsets:
        raise UserError(f"benchmark.subsets.{full}: there is a task of that name already. Give it another.")
    chosen = subsets.get(full)
    classes = None if chosen is None else tuple(chosen)
    kind = "classification" if full in subsets else full
    training = TrainingSettings.of(settings)
    if is_supernet(name):
        taught = supernet_settings(training, supernet or {})
        return SupernetTask(SupernetTrainer(name, kind, classes, located(data), space, taught), pool, timeout)
    training = replace(training, epochs=epochs_of(name, training.epochs))
    return TrainingTask(Trainer(name, kind, classes, located(data), space, training), pool, timeout)
