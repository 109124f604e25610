"""Supernets: networks of a space that share their weights and are trained together."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.record.files import write_atomically
from ktnas.space.base import SearchSpace
from ktnas.train.descent import Descent, learn
from ktnas.train.lessons import Lessons
from ktnas.train.settings import TrainingSettings
from ktnas.train.shared_weights import SharedWeights
from ktnas.train.training import check_loss, repeatable

MOMENTUM = "momentum of "
NUMBERS = "numbers"


@dataclass(frozen=True)
class SupernetFile:
    """What is kept of a supernet: all that its training needs to go on.

    Attributes:
        losses: mean loss of each epoch so far.
        weights: shared by the networks, by name.
        momenta: of the weights, by name; none once it is trained.
        standing: as ``Descent.standing``; empty before the first epoch.
    """

    losses: list[float] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    momenta: dict[str, Tensor] = field(default_factory=dict)
    standing: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            UserError: a file that cannot be written.
        """
        from safetensors.torch import save

        tensors = self.weights | {f"{MOMENTUM}{name}": value for name, value in self.momenta.items()}
        content = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        numbers = json.dumps({"losses": self.losses, "standing": self.standing})
        write_atomically(path, save(content, {NUMBERS: numbers}))

    @classmethod
    def read(cls, path: Path, place: str) -> "SupernetFile":
        """What was written last; the beginning where nothing was.

        Raises:
            UserError: a file that cannot be read.
        """
        from safetensors import SafetensorError, safe_open

        if not path.exists():
            return cls()
        try:
            with safe_open(path, "pt", device=place) as file:
                numbers = json.loads(file.metadata()[NUMBERS])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            losses, standing = numbers["losses"], numbers["standing"]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as problem:
            raise UserError(
                f"{path} is no supernet that a search has written ({problem}). Delete it: it is trained anew."
            ) from None
        kept: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
        for name, value in tensors.items():
            kept[name.startswith(MOMENTUM)][name.removeprefix(MOMENTUM)] = value
        return cls(losses, *kept, standing)


class SupernetTraining:
    """Trains a supernet epoch by epoch, each step on the network of an architecture drawn at random.

    As in Guo et al., Single Path One-Shot Neural Architecture Search with Uniform Sampling, ECCV 2020. What
    is drawn depends on the seed and the number of the epoch alone, so that a training that goes on from its
    file comes to the same weights as one that was never interrupted.

    Args:
        begun: where it goes on.
        lessons: of the task.
        space: of the architectures.
        network: of a genotype (V,), with its initial weights.
        settings: of the training.
        place: torch's name of the device.

    Attributes:
        losses: mean loss of each epoch so far.
    """

    def __init__(
        self,
        begun: SupernetFile,
        lessons: Lessons,
        space: SearchSpace,
        network: Callable[[IntArray], nn.Module],
        settings: TrainingSettings,
        place: str,
    ) -> None:
        self._lessons, self._space, self._network, self._settings = lessons, space, network, settings
        self.losses = list(begun.losses)
        self._shared = SharedWeights(place, begun.weights)
        if not begun.weights:
            self._shared.lend(network(space.sample(1, np.random.default_rng(settings.seed))[0]))
        parameters = self._shared.parameters
        self._descent = Descent(parameters.values(), settings, settings.epochs * lessons.steps, place)
        if begun.standing:
            self._descent.restore(parameters, begun.momenta, begun.standing)

    @property
    def done(self) -> bool:
        """Whether all epochs are trained."""
        return len(self.losses) >= self._settings.epochs

    def learn(self) -> None:
        """One epoch.

        Raises:
            AnswerError: the loss became infinite or no number.
        """
        seeds = np.random.SeedSequence([self._settings.seed, len(self.losses)]).spawn(2)
        generator = torch.Generator().manual_seed(int(seeds[0].generate_state(1)[0]))
        with repeatable():
            loss = learn(self._lessons, self._descent, self._networks(seeds[1]), generator)
        self.losses.append(loss)
        check_loss(loss, len(self.losses))

    def file(self) -> SupernetFile:
        """Where the training stands."""
        parameters = self._shared.parameters
        weights: dict[str, Tensor] = dict(parameters)
        if self.done:
            return SupernetFile(self.losses, weights)
        return SupernetFile(self.losses, weights, self._descent.momenta(parameters), self._descent.standing())

    def _networks(self, seed: np.random.SeedSequence) -> Iterator[nn.Module]:
        for genotype in self._space.sample(self._lessons.steps, np.random.default_rng(seed)):
            network = self._network(genotype)
            self._descent.add(self._shared.lend(network))
            yield network
