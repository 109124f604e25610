"""Layers that networks call, known by their signatures."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ktnas.arrays import IntArray
from ktnas.network.base import NetworkBuilder
from ktnas.network.count import observe_layers
from ktnas.network.task import NetworkTask, network_task
from ktnas.network.weightless import weightless
from ktnas.registry import build
from ktnas.space.base import SearchSpace


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer: a module without submodules.

    Attributes:
        signature: type, configuration and input shapes, as ``Conv2d(3, 16, kernel_size=(3, 3)) 1x3x32x32``.
        layer: the module.
        inputs: tensors it was called with.
    """

    signature: str
    layer: nn.Module
    inputs: tuple[Tensor, ...]


def layer_signatures(space: SearchSpace, genotype: IntArray, task: NetworkTask | str) -> list[str]:
    """Signature of every call of a layer in the network of ``genotype`` (V,), in the order of the calls.

    Of a batch of one. Nothing is computed. Arithmetic outside layers (sums, concatenations) is not seen.

    Raises:
        UserError: a space without networks, or an unknown task.
    """
    settled = network_task(task)
    with weightless():
        network = space.build(genotype, settled).eval()
        images = torch.empty(1, *task_of(space, genotype, settled).input_shape)
    return [call.signature for call in layer_calls(network, images)]


def layer_calls(network: nn.Module, inputs: Tensor) -> list[LayerCall]:
    """Calls of layers in one forward pass of ``network`` on the batch ``inputs``, in their order."""
    calls: list[LayerCall] = []

    def note(layer: nn.Module, taken: tuple[Any, ...], _: Tensor) -> None:
        tensors = tuple(value for value in taken if isinstance(value, Tensor))
        calls.append(LayerCall(_signature(layer, tensors), layer, tensors))

    observe_layers(network, inputs, note)
    return calls


def task_of(space: SearchSpace, genotype: IntArray, task: NetworkTask) -> NetworkTask:
    """``task`` as the network of ``genotype`` (V,) takes it."""
    builder: NetworkBuilder = build("network", space.network)
    return builder.task_of(space, genotype, task)


def _signature(layer: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    shapes = " ".join("x".join(map(str, tensor.shape)) for tensor in inputs)
    return f"{type(layer).__name__}({layer.extra_repr() or _settings(layer)}) {shapes}"


def _settings(layer: nn.Module) -> str:
    """Public attributes of a layer that does not tell its configuration."""
    return ", ".join(
        f"{name}={value}"
        for name, value in vars(layer).items()
        if not name.startswith("_") and name != "training" and isinstance(value, int | float | str | tuple)
    )
