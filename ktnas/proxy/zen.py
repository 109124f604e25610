"""Expressivity of a Gaussian network."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ktnas.proxy.base import Proxy, Read, Subject

PERTURBATION = 0.01


@dataclass(frozen=True)
class Zen(Proxy):
    """log of the mean of ‖f(x) − f(x + 0.01 ε)‖₁ over samples, plus Σ ½ log(mean variance) over batch norms.

    f is what the last adaptive pooling takes, x and ε and the weights of convolutions and linear layers are
    drawn from the standard normal distribution, and batch norms start anew and scale by 1. The variances are
    the running ones after the two passes, as in the authors' code. Lin et al., "Zen-NAS: A Zero-Shot NAS for
    High-Performance Image Recognition", ICCV 2021, algorithm 1.
    """

    def watch(self, subject: Subject) -> Read:
        """Runs passes of its own, on other weights."""
        return lambda: _zen(subject)


def _zen(subject: Subject) -> float:
    draw = torch.Generator().manual_seed(subject.seed)
    state = _gaussian_state(subject.network, draw)
    shape, device = subject.batch.inputs.shape, subject.batch.inputs.device
    inputs, noise = (torch.randn(shape, generator=draw).to(device) for _ in range(2))
    memory = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
    before, after = (
        _features(subject, batch.contiguous(memory_format=memory), state)
        for batch in (inputs, inputs + PERTURBATION * noise)
    )
    distance = float((before - after).abs().flatten(1).sum(1).mean())
    variances = [float(tensor.mean()) for name, tensor in state.items() if name.endswith("running_var")]
    return _log(distance) + sum(_log(variance) for variance in variances) / 2


def _gaussian_state(network: nn.Module, draw: torch.Generator) -> dict[str, Tensor]:
    """What the network's parameters and running statistics are replaced by."""
    state = {}
    for name, module in network.named_modules():
        for key, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            if isinstance(module, (nn.Conv2d, nn.Linear)) and key == "weight":
                new = torch.randn(tensor.shape, generator=draw).to(tensor.device)
                state[f"{name}.{key}"] = torch.empty_like(tensor).copy_(new)
            elif isinstance(module, nn.BatchNorm2d) and key in ("weight", "running_var"):
                state[f"{name}.{key}"] = torch.ones_like(tensor)
            elif isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
                state[f"{name}.{key}"] = torch.zeros_like(tensor)
    return state


def _features(subject: Subject, inputs: Tensor, state: dict[str, Tensor]) -> Tensor:
    """What enters the last adaptive pooling (B, ...); the outputs of a network that has none."""
    pooled: list[Tensor] = []
    for module in subject.network.modules():
        if isinstance(module, nn.AdaptiveAvgPool2d):
            subject.hook(module, lambda _, taken, __: pooled.append(taken[0]))
    with torch.no_grad():
        outputs = subject.forward(inputs, state)
    subject.unhook()
    return pooled[-1] if pooled else outputs


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
