"""Overlap of activation patterns."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ktnas.proxy.base import Pass, Proxy, Read, Subject


@dataclass(frozen=True)
class Nwot(Proxy):
    """log |det K|, where K[i, j] counts the rectifier units that samples i and j switch alike.

    Minus infinity where two samples switch all units alike. Rectifiers are ReLU, ReLU6 and leaky ReLU. Mellor
    et al., "Neural Architecture Search without Training", ICML 2021, section 3.
    """

    sees: ClassVar[Pass] = Pass.FORWARD

    def watch(self, subject: Subject) -> Read:
        """Adds up over the rectifiers as the forward pass comes by."""
        samples = len(subject.batch.inputs)
        kernel = torch.zeros(samples, samples, dtype=torch.float64, device=subject.batch.inputs.device)

        def after(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
            active = (inputs[0].detach() > 0).movedim(1, -1).reshape(samples, -1).float()
            both = active @ active.T
            counts = both.diag()
            kernel.add_(2 * both + (active.shape[1] - counts[:, None] - counts))

        for module in subject.network.modules():
            if isinstance(module, (nn.ReLU, nn.ReLU6, nn.LeakyReLU)):
                subject.hook(module, after)
        return lambda: float(torch.linalg.slogdet(kernel).logabsdet)
