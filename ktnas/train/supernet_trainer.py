"""From an architecture to its network with a supernet's weights: what runs in an evaluation's process."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from ktnas.errors import UserError
from ktnas.task.isolation import AnswerError
from ktnas.train.fidelity import MARK, SUPERNET, full_name
from ktnas.train.kept import weights_path
from ktnas.train.lessons import Lessons
from ktnas.train.shared_weights import SharedWeights
from ktnas.train.supernet import SupernetFile, SupernetTraining
from ktnas.train.trainer import NOT_KEPT, Trainer

FAMILIES = ("edge_cell", "node_cell")
TAUGHT_AT_ONCE = 5.0


@dataclass(frozen=True)
class SupernetTrainer(Trainer):
    """A function from an architecture's text to the metrics of its network with the weights of a supernet.

    The supernet is trained beforehand, by ``teach``, and lies in ``keep_in``. ``settings`` are those of its
    training.
    """

    @property
    def path(self) -> Path:
        """File of the supernet."""
        assert self.keep_in is not None
        return weights_path(self.keep_in, self.name, SUPERNET)

    def check(self) -> None:
        """As ``Trainer.check``; the space must be one of cells whose operations have fixed widths."""
        if self.space.family not in FAMILIES:
            raise UserError(
                f"Task {self.name}: the networks of space {self.space.name}, of family {self.space.family}, "
                f"share no weights. Those of families {' and '.join(FAMILIES)} do: nasbench201, "
                f"transnas_micro, darts. Use another space, or epochs, as in {full_name(self.name)}{MARK}2."
            )
        super().check()

    def teach(self, text: str) -> dict[str, float]:
        """Go on training the supernet where its file left off, whole epochs for ``TAUGHT_AT_ONCE`` seconds.

        Args:
            text: has no meaning.

        Returns:
            ``epochs`` trained so far, ``taught`` of them now, and ``train_loss`` of the last one.

        Raises:
            AnswerError: training diverged, or its file cannot be read or written.
        """
        try:
            return self._teach()
        except UserError as problem:
            raise AnswerError(str(problem)) from None

    def _teach(self) -> dict[str, float]:
        torch.set_num_threads(1)
        until = time.perf_counter() + TAUGHT_AT_ONCE
        place = self._place()
        begun, lessons = SupernetFile.read(self.path, place), self._lessons(place)
        training = SupernetTraining(begun, lessons, self.space, self.network, self.settings, place)
        while not training.done:
            training.learn()
            if time.perf_counter() > until:
                break
        taught = len(training.losses) - len(begun.losses)
        if taught:
            training.file().write(self.path)
        return {"epochs": len(training.losses), "taught": taught, "train_loss": training.losses[-1]}

    def __call__(self, text: str) -> dict[str, float]:
        """Judge the network of ``text`` with the weights of the supernet.

        The statistics of its batch norms are estimated anew (``Lessons.calibrate``). An operation at a place
        where the supernet never had it keeps its initial weights.

        Returns:
            ``valid_error`` and ``test_error`` in %; ``params`` and ``flops`` (multiply-accumulates per
            sample); ``latency_ms`` where it is wanted.

        Raises:
            AnswerError: ``NOT_KEPT`` and where the supernet is not.
        """
        torch.set_num_threads(1)
        genotype = self.space.parse([text])[0]
        network, sample = self.network(genotype), self.input_task(genotype).inputs(1)
        counts = self._counts(network, sample)
        place = self._place()
        supernet = SupernetFile.read(self.path, place)
        if len(supernet.losses) < self.settings.epochs:
            raise AnswerError(
                f"{NOT_KEPT}There is no trained supernet in {self.path}. Workers on other machines need a "
                "run directory that all of them have."
            )
        SharedWeights(place, supernet.weights).lend(network)
        lessons = self._lessons(place)
        lessons.calibrate(network)
        errors = {
            "valid_error": lessons.error(network, self.images.valid),
            "test_error": lessons.error(network, self.images.test),
        }
        return errors | counts | self._latency(network, sample)

    def _lessons(self, place: str) -> Lessons:
        return Lessons(self.task, self.images, self.settings, self.task.network.size, place)
