"""Gradient flow after pruning."""

from dataclasses import dataclass

import torch

from ktnas.proxy.base import Proxy, Read, Subject


@dataclass(frozen=True)
class Grasp(Proxy):
    """−Σ w · (H g), where g and H are gradient and Hessian of the loss by the weights.

    Wang, Zhang and Grosse, "Picking Winning Tickets Before Training by Preserving Gradient Flow", ICLR 2020;
    as a score of architectures, and with this sign, Abdelfattah et al., ICLR 2021.
    """

    def watch(self, subject: Subject) -> Read:
        """Differentiates twice, by itself: no other proxy needs the graph of the gradient."""
        return lambda: _grasp(subject)


def _grasp(subject: Subject) -> float:
    weights = subject.weights
    loss = subject.batch.loss(subject.forward(subject.batch.inputs))
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    square = sum((g.detach() * g).sum() for g in gradients if g is not None and g.requires_grad)
    if not isinstance(square, torch.Tensor):
        return 0.0
    products = torch.autograd.grad(square, weights, allow_unused=True)
    return -sum(
        float((weight.detach() * product).sum())
        for weight, product in zip(weights, products, strict=True)
        if product is not None
    )
