"""Proxies that read the gradient of the loss by the weights."""

from dataclasses import dataclass
from typing import ClassVar

from ktnas.proxy.base import Pass, Proxy, Read, Subject


@dataclass(frozen=True)
class GradNorm(Proxy):
    """Σ over layers of ‖∂L/∂w‖₂.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, section 3.1.
    """

    sees: ClassVar[Pass] = Pass.LOSS

    def watch(self, subject: Subject) -> Read:
        """Reads the gradients."""
        return lambda: sum(float(gradient.norm()) for gradient in subject.gradients)


@dataclass(frozen=True)
class Snip(Proxy):
    """Σ |w · ∂L/∂w|: how much the loss hangs on each connection.

    Lee et al., "SNIP: Single-shot Network Pruning based on Connection Sensitivity", ICLR 2019; as a score of
    architectures Abdelfattah et al., ICLR 2021.
    """

    sees: ClassVar[Pass] = Pass.LOSS

    def watch(self, subject: Subject) -> Read:
        """Reads weights and gradients."""
        return lambda: sum(
            float((weight.detach() * gradient).abs().sum())
            for weight, gradient in zip(subject.weights, subject.gradients, strict=True)
        )


@dataclass(frozen=True)
class Plain(Proxy):
    """Σ w · ∂L/∂w, with its sign.

    Mozer and Smolensky, "Skeletonization: A Technique for Trimming the Fat from a Network via Relevance
    Assessment", NIPS 1988; as a score of architectures Abdelfattah et al., ICLR 2021. The sum over a layer
    that a batch norm follows is zero but for rounding, so that the layers without one, the head above all,
    decide.
    """

    sees: ClassVar[Pass] = Pass.LOSS

    def watch(self, subject: Subject) -> Read:
        """Reads weights and gradients."""
        return lambda: sum(
            float((weight.detach() * gradient).sum())
            for weight, gradient in zip(subject.weights, subject.gradients, strict=True)
        )
