"""Fisher information of activations."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ktnas.proxy.base import Pass, Proxy, Read, Subject


@dataclass(frozen=True)
class Fisher(Proxy):
    """Σ over layers and their output channels c of n_c/2 · mean over samples of (Σ_positions a_c · ∂L/∂a_c)².

    a are the layer's outputs and n_c the number of weights of one channel, as each of its weights is given
    the channel's value. Theis et al., "Faster Gaze Prediction with Dense Networks and Fisher Pruning", 2018;
    as a score of architectures Turner et al., "BlockSwap", ICLR 2020, and Abdelfattah et al., ICLR 2021.
    """

    sees: ClassVar[Pass] = Pass.LOSS

    def watch(self, subject: Subject) -> Read:
        """Adds up as the gradients come by, so that none is kept."""
        total = torch.zeros((), device=subject.batch.inputs.device)

        def after(layer: nn.Module, _: tuple[Tensor, ...], outputs: Tensor) -> None:
            assert isinstance(layer, (nn.Conv2d, nn.Linear))
            weights_per_channel = layer.weight[0].numel()
            activations = outputs.detach()

            def add(gradient: Tensor) -> None:
                products = activations * gradient
                sums = products.flatten(2).sum(2) if isinstance(layer, nn.Conv2d) else products
                total.add_(sums.square().mean(0).sum(), alpha=weights_per_channel / 2)

            outputs.register_hook(add)  # type: ignore[no-untyped-call]

        for layer in subject.layers:
            subject.hook(layer, after)
        return lambda: float(total)
