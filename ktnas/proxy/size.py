"""Proxies that are a network's size."""

from dataclasses import dataclass

from ktnas.network.count import count_flops, count_parameters
from ktnas.proxy.base import Proxy, Read, Subject


@dataclass(frozen=True)
class Params(Proxy):
    """Number of parameters, those of operations included that do not reach the output.

    Ning et al., "Evaluating Efficient Performance Estimators of Neural Architectures", NeurIPS 2021: a
    baseline that few proxies beat.
    """

    def watch(self, subject: Subject) -> Read:
        """Counts."""
        return lambda: count_parameters(subject.network)


@dataclass(frozen=True)
class Flops(Proxy):
    """Operations of one forward pass on one sample. Source: as of ``Params``.

    Attributes:
        convention: what counts as an operation, see ``ktnas.network.count.count_flops``.
    """

    convention: str = "suite_zero"

    def watch(self, subject: Subject) -> Read:
        """Counts one sample, in evaluation mode."""
        sample = subject.batch.inputs[:1]
        return lambda: count_flops(subject.network, sample, self.convention)
