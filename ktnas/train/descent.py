"""Stochastic gradient descent, step by step."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ktnas.train.lessons import Lessons, half_precision
from ktnas.train.settings import TrainingSettings

MOMENTUM = 0.9
LARGEST_GRADIENT = 5.0


class Descent:
    """Gradient descent with Nesterov momentum, along a cosine.

    Args:
        parameters: at least one; others may be added.
        settings: of the training.
        steps: until the learning rate is 0.
        place: torch's name of the device.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], settings: TrainingSettings, steps: int, place: str
    ) -> None:
        self._optimizer = torch.optim.SGD(
            parameters,
            settings.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            weight_decay=settings.weight_decay,
        )
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, steps)
        scaled = half_precision(place) is torch.float16
        self._scaler = torch.amp.GradScaler(torch.device(place).type, enabled=scaled)

    def add(self, parameters: Iterable[nn.Parameter]) -> None:
        """Descend along these, too."""
        self._optimizer.param_groups[0]["params"].extend(parameters)

    def step(self, loss: Tensor, network: nn.Module) -> None:
        """One step of those parameters that ``network``, whose loss it is, has."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()

    def momenta(self, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
        """Momentum of each parameter that has moved, by the names given."""
        states = {name: self._optimizer.state.get(weights, {}) for name, weights in parameters.items()}
        return {name: state["momentum_buffer"] for name, state in states.items() if state}

    def standing(self) -> dict[str, Any]:
        """All else that decides the next step, in the types of JSON."""
        return {"schedule": self._schedule.state_dict(), "scaler": self._scaler.state_dict()}

    def restore(
        self,
        parameters: Mapping[str, nn.Parameter],
        momenta: Mapping[str, Tensor],
        standing: Mapping[str, Any],
    ) -> None:
        """Go on from what ``momenta`` and ``standing`` were."""
        for name, momentum in momenta.items():
            self._optimizer.state[parameters[name]]["momentum_buffer"] = momentum
        self._schedule.load_state_dict(standing["schedule"])
        self._optimizer.param_groups[0]["lr"] = self._schedule.get_last_lr()[0]
        self._scaler.load_state_dict(standing["scaler"])


def learn(lessons: Lessons, descent: Descent, networks: Iterable[nn.Module], generator: Generator) -> float:
    """One epoch, each step on the next of ``networks``, in training mode; the mean loss of its steps."""
    losses = []
    for (inputs, targets), network in zip(lessons.batches(generator), networks, strict=False):
        loss = lessons.loss(network, inputs, targets)
        descent.step(loss, network)
        losses.append(loss.detach())
    return float(sum(losses)) / lessons.steps
