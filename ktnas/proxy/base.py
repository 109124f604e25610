"""What every zero-cost proxy offers, and what it is shown of a network."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.hooks import RemovableHandle

from ktnas.proxy.batch import Batch

Read = Callable[[], float]
"""Gives a proxy's score, once the pass it asked for has run."""

Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]
"""Is shown a module, its inputs and its outputs whenever the module was called."""


class Pass(Enum):
    """What has to run before a proxy can be read. One pass serves all proxies that ask for it."""

    NONE = "none"
    """Nothing: the proxy runs what it needs by itself."""
    FORWARD = "forward"
    """A forward pass on the batch, perhaps the one that another pass begins with."""
    LOSS = "loss"
    """A forward pass, and gradients of the loss by the weights of convolutions and linear layers."""
    INPUT = "input"
    """A forward pass, and the gradient of the sum of all outputs by the inputs."""


@dataclass(eq=False)
class Subject:
    """A network and a batch for it. Passes leave the network as it is: they run on copies of its buffers.

    Attributes:
        network: with its initial weights. Its batch norms use the statistics of the batch; all else, dropout
            say, is in evaluation mode.
        batch: inputs and labels.
        seed: of whatever else a proxy draws.
        layers: its convolutions and linear layers; the proxies that add up over weights mean those of these.
        gradients: of the loss by ``layers[i].weight``, zeros where the loss does not depend on it; there once
            ``Pass.LOSS`` has run.
        input_gradient: of the sum of all outputs by the inputs (B, ...); there once ``Pass.INPUT`` has run.
    """

    network: nn.Module
    batch: Batch
    seed: int
    layers: list[nn.Conv2d | nn.Linear] = field(init=False)
    gradients: list[Tensor] = field(init=False)
    input_gradient: Tensor = field(init=False)
    _handles: list[RemovableHandle] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.network.eval()
        for module in self.network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
        self.layers = [part for part in self.network.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]

    @property
    def weights(self) -> list[Tensor]:
        """Weights of ``layers``."""
        return [layer.weight for layer in self.layers]

    def forward(self, inputs: Tensor, state: dict[str, Tensor] | None = None) -> Tensor:
        """Outputs of the network for ``inputs``.

        Args:
            inputs: (B, ...) as the batch's.
            state: tensors by name in place of the network's own parameters and buffers; its batch norms write
                into them. Buffers that it lacks are copied.
        """
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        outputs: Tensor = functional_call(self.network, buffers | (state or {}), (inputs,))
        return outputs

    def hook(self, module: nn.Module, hook: Hook) -> None:
        """Call ``hook`` after ``module`` until ``unhook``."""
        self._handles.append(module.register_forward_hook(hook))

    def unhook(self) -> None:
        """Take all hooks away."""
        while self._handles:
            self._handles.pop().remove()


class Proxy(ABC):
    """A score of an untrained network. A plug-in: a dataclass whose fields are its parameters.

    The class attribute ``sees`` says which pass it reads. It stores nothing, so that one instance serves many
    networks.
    """

    sees: ClassVar[Pass] = Pass.NONE

    @abstractmethod
    def watch(self, subject: Subject) -> Read:
        """Hook (``subject.hook``) what has to be seen of the pass, and return what reads the score after it.

        Hooks are taken away after the pass. A score that is not defined is NaN or infinite. Weights, buffers
        and modes of the network stay as they are.
        """
