"""From an architecture to its trained network: what runs in the process of an evaluation."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.measure.timing import Limits, time_runs
from ktnas.measure.torch_runner import TorchRunner
from ktnas.network.adapted import adapted_network
from ktnas.network.base import NetworkBuilder
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.task import NetworkTask
from ktnas.registry import build
from ktnas.space.base import SearchSpace
from ktnas.task.isolation import AnswerError
from ktnas.train.fidelity import full_name
from ktnas.train.images import LabelledImages, read_images
from ktnas.train.kept import keep, weights_path
from ktnas.train.kinds import Kind, kind_of
from ktnas.train.settings import SMALL_NETWORKS, TrainingSettings
from ktnas.train.training import Trained, train

NOT_KEPT = "its weights cannot be kept: "
LATENCY_LIMITS = Limits(precision=0.05, max_seconds=0.5)


@dataclass(frozen=True)
class Trainer:
    """A function from an architecture's text to the metrics of its trained network.

    Attributes:
        name: of the task.
        kind: of the task, as ``kinds.kind_of`` has them.
        classes: that are told apart; None is all of them.
        data: as ``images.read_images`` takes it.
        space: of the architectures.
        settings: of the training.
        keep_in: directory of the run, where weights and learning curves are kept; None keeps nothing.
        timed: whether the latency of the trained network is measured, in ms for one image on one CPU thread.
    """

    name: str
    kind: str
    classes: tuple[int, ...] | None
    data: str
    space: SearchSpace
    settings: TrainingSettings
    keep_in: Path | None = None
    timed: bool = False

    def __reduce__(self) -> tuple[Callable[..., "Trainer"], tuple[Any, ...]]:
        values = vars(self) | {"space": self.space.without_memory()}
        return _with_images, (type(self), *(values[field.name] for field in fields(self)))

    @cached_property
    def images(self) -> LabelledImages:
        """What is learned from; ``UserError`` where it cannot be read or has no such classes."""
        images = read_images(self.data, self.settings.size)
        if self.classes is None:
            return images
        given = f"benchmark.subsets.{full_name(self.name)}={list(self.classes)}"
        if len(set(self.classes)) < max(2, len(self.classes)):
            raise UserError(f"{given}: expected two different classes or more.")
        for number in self.classes:
            if not 0 <= number < images.classes:
                raise UserError(
                    f"{given}: {images.name} has no class {number}, only 0 to {images.classes - 1}."
                )
        return images.of_classes(self.classes)

    @cached_property
    def task(self) -> Kind:
        """What is learned; ``UserError`` where the images do not have it."""
        return kind_of(self.name, self.images, self.kind)

    @cached_property
    def builder(self) -> NetworkBuilder:
        """Of the networks; ``UserError`` for a space without networks, or an unknown parameter of them."""
        if not self.space.network:
            raise UserError(
                f"Space {self.space.name} has no networks to train: its YAML file has no key 'network'."
            )
        name = str(self.space.network["name"])
        if name == "nasbench_graph":
            raise UserError(
                f"Space {self.space.name} has networks of graphs, which cannot be trained on images. Use "
                "space=nasbench201 or another space of images."
            )
        builder: NetworkBuilder = build("network", self.space.network | self._network_settings)
        return builder

    @property
    def _network_settings(self) -> dict[str, Any]:
        return SMALL_NETWORKS.get(str(self.space.network["name"]), {}) | self.settings.network

    def check(self) -> None:
        """Read the images and build the network of an architecture.

        Raises:
            UserError: the first mistake found.
        """
        self.network(self.space.sample(1, np.random.default_rng(0))[0])
        if self.settings.place == "cuda" and not torch.cuda.is_available():
            raise UserError(
                "benchmark.training.place=cuda: torch finds no GPU on this machine. Install a build of torch "
                "for your GPU, or use place=auto."
            )

    def network(self, genotype: IntArray) -> nn.Module:
        """The network of a genotype (V,) for this task, with its initial weights."""
        return adapted_network(self.builder, self.space, genotype, self.task.network, self.settings.seed)

    def input_task(self, genotype: IntArray) -> NetworkTask:
        """The task as the network of a genotype takes it in."""
        return self.builder.task_of(self.space, genotype, self.task.network)

    def __call__(self, text: str) -> dict[str, float]:
        """Train the network of ``text``.

        Returns:
            ``valid_error`` and ``test_error`` in %, both of the epoch with the lowest validation error;
            ``train_loss`` of the last epoch; ``epochs`` trained and ``best_epoch``; ``params`` and ``flops``
            (multiply-accumulates per sample); ``latency_ms`` where it is wanted.

        Raises:
            AnswerError: training diverged, or ``NOT_KEPT`` and why.
        """
        torch.set_num_threads(1)
        genotype = self.space.parse([text])[0]
        network, task = self.network(genotype), self.input_task(genotype)
        sample = task.inputs(1)
        counts = self._counts(network, sample)
        trained = train(network, task.size, self.task, self.images, self.settings, self._place())
        metrics: dict[str, float] = {
            "valid_error": trained.valid_error,
            "test_error": trained.test_error,
            "train_loss": trained.curve[-1].train_loss,
            "epochs": len(trained.curve),
            "best_epoch": trained.best_epoch,
            **counts,
        }
        if self.keep_in is not None:
            self._keep(self.keep_in, text, genotype, trained, metrics)
        return metrics | self._latency(network, sample)

    def _counts(self, network: nn.Module, sample: Tensor) -> dict[str, float]:
        return {"params": count_parameters(network), "flops": count_flops(network, sample)}

    def _latency(self, network: nn.Module, sample: Tensor) -> dict[str, float]:
        if not self.timed:
            return {}
        run = TorchRunner().prepare(network.eval(), (sample,), Path())
        return {"latency_ms": time_runs(run, LATENCY_LIMITS).latency_ms}

    def _place(self) -> str:
        if self.settings.place != "auto":
            return self.settings.place
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _keep(
        self, run_dir: Path, text: str, genotype: IntArray, trained: Trained, metrics: dict[str, float]
    ) -> None:
        key = f"{int(self.space.identities(genotype[None])[0]):016x}"
        document = {
            "space": self.space.name,
            "architecture": text,
            "network": self._network_settings,
            "seed": self.settings.seed,
            "task": vars(self.task.network),
            "data": self.data,
            "classes": self.classes,
            "mean": self.images.mean,
            "deviation": self.images.deviation,
            "metrics": metrics,
            "curve": trained.rows(),
        }
        try:
            keep(weights_path(run_dir, self.name, key), trained.weights, document)
        except UserError as problem:
            raise AnswerError(f"{NOT_KEPT}{problem}") from None


def _with_images(kind: type[Trainer], *fields: Any) -> Trainer:
    """A trainer in a worker, from which the process of each evaluation is forked.

    The images are read here, and torch loads what it loads with the first optimiser, once for all of them.
    """
    trainer = kind(*fields)
    _ = trainer.task
    torch.optim.SGD([nn.Parameter(torch.zeros(1))])
    return trainer
