"""The passes that proxies read, each run once for all who share it."""

from collections.abc import Sequence

import torch

from ktnas.proxy.base import Pass, Proxy, Subject


def evaluate(subject: Subject, proxies: Sequence[Proxy]) -> list[float]:
    """Score of each of ``proxies``, as each gives it alone; NaN or infinite where it is not defined."""
    passes = _shared([proxy.sees for proxy in proxies])
    scores = [float("nan")] * len(proxies)
    for which in dict.fromkeys(passes):
        group = [position for position, its in enumerate(passes) if its is which]
        try:
            reads = [proxies[position].watch(subject) for position in group]
            _run(subject, which)
            for position, read in zip(group, reads, strict=True):
                scores[position] = float(read())
        finally:
            subject.unhook()
    return scores


def _shared(passes: list[Pass]) -> list[Pass]:
    """Forward passes replaced by those that others begin with."""
    host = next((which for which in (Pass.LOSS, Pass.INPUT) if which in passes), Pass.FORWARD)
    return [host if which is Pass.FORWARD else which for which in passes]


def _run(subject: Subject, which: Pass) -> None:
    batch = subject.batch
    if which is Pass.FORWARD:
        with torch.no_grad():
            subject.forward(batch.inputs)
    elif which is Pass.LOSS:
        loss = batch.loss(subject.forward(batch.inputs))
        found = torch.autograd.grad(loss, subject.weights, allow_unused=True)
        subject.gradients = [
            torch.zeros_like(weight) if gradient is None else gradient
            for weight, gradient in zip(subject.weights, found, strict=True)
        ]
    elif which is Pass.INPUT:
        inputs = batch.inputs.detach().requires_grad_()
        (subject.input_gradient,) = torch.autograd.grad(subject.forward(inputs).sum(), inputs)
