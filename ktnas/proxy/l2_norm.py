"""The proxy that reads the weights alone."""

from dataclasses import dataclass

from ktnas.proxy.base import Proxy, Read, Subject


@dataclass(frozen=True)
class L2Norm(Proxy):
    """Σ over layers of ‖w‖₂, at initialisation.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, where it is a baseline.
    """

    def watch(self, subject: Subject) -> Read:
        """Reads the weights."""
        return lambda: sum(float(weight.detach().norm()) for weight in subject.weights)
