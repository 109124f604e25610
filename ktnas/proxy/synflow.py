"""Synaptic flow."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ktnas.proxy.base import Proxy, Read, Subject


@dataclass(frozen=True)
class SynFlow(Proxy):
    """log(1 + Σ |w · ∂R/∂w|), where R is the sum of the outputs for one input of ones.

    All parameters are replaced by their absolute values and batch norms are left out. In float64: in deep
    networks the sum passes the range of float32. 0 where the input does not reach the output. Tanaka et al.,
    "Pruning Neural Networks without any Data by Iteratively Conserving Synaptic Flow", NeurIPS 2020; as a
    score of architectures Abdelfattah et al., ICLR 2021; the logarithm as in NAS-Bench-Suite-Zero.
    """

    def watch(self, subject: Subject) -> Read:
        """Runs a pass of its own, on absolute weights."""
        return lambda: math.log1p(_flow(subject))


def _flow(subject: Subject) -> float:
    state = {
        name: (tensor.detach().double().abs() if tensor.is_floating_point() else tensor.clone())
        for name, tensor in subject.network.state_dict().items()
    }
    names = {id(module): name for name, module in subject.network.named_modules()}
    weights = [state[f"{names[id(layer)]}.weight"].requires_grad_() for layer in subject.layers]
    ones = torch.ones_like(subject.batch.inputs[:1], dtype=torch.float64)
    with _no_batch_norm(subject.network):
        outputs = subject.forward(ones, state)
    flows = torch.autograd.grad(outputs.sum(), weights, allow_unused=True)
    return sum(
        float((weight.detach() * flow).sum())
        for weight, flow in zip(weights, flows, strict=True)
        if flow is not None
    )


@contextmanager
def _no_batch_norm(network: nn.Module) -> Iterator[None]:
    """Let batch norms pass their inputs on."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    try:
        for norm in norms:
            norm.forward = _identity  # type: ignore
        yield
    finally:
        for norm in norms:
            del norm.forward


def _identity(inputs: Tensor) -> Tensor:
    return inputs
