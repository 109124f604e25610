"""Parameters and arithmetic operations of a torch module.

How many operations a network takes depends on what is counted, and papers and tables differ in it. Each way
of counting is a named convention in ``CONVENTIONS``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.utils.hooks import RemovableHandle

from ktnas.errors import unknown

LayerCost = Callable[[nn.Module, Tensor, Tensor], int]

RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.PReLU, nn.ELU, nn.LeakyReLU)
SHAPE_KEEPING = (_BatchNorm, nn.Hardsigmoid, nn.Hardswish, nn.Sigmoid, nn.SiLU, nn.Tanh, *RECTIFIERS)


@dataclass(frozen=True)
class FlopConvention:
    """What a count of operations counts.

    Attributes:
        cost: operations of one call of a layer (a module without submodules), from the layer, its first input
            and its output.
        repeats: whether a layer that is called several times counts every call, or its last one only.
        total: adds up the layers' operations, which come in the order of their first calls.
    """

    cost: LayerCost
    repeats: bool = True
    total: Callable[[Iterable[int]], int] = sum


def count_parameters(module: nn.Module) -> int:
    """Number of weights of ``module``, each shared one once; buffers are not parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_flops(module: nn.Module, inputs: Tensor, convention: str = "macs") -> int:
    """Operations of one forward pass of ``module`` on the whole batch ``inputs``, in evaluation mode.

    Only operations inside layers are seen, not sums and products written in a ``forward``. A module on the
    meta device is counted without computing anything; the inputs are moved to the module's device.

    Args:
        module: any module of one input. Its mode and its buffers are left as they were.
        inputs: batch (B, ...); a batch of one gives the operations per sample.
        convention: name in ``CONVENTIONS``.

            - ``macs``: multiply-accumulates of convolutions and linear layers, without biases; what most
              papers call FLOPs.
            - ``flops``: two per multiply-accumulate, as ``torch.utils.flop_counter`` counts.
            - ``suite_zero``: the ``flops`` of NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022
              Datasets and Benchmarks; there in millions), which its code takes from tensorwatch.
              Multiply-accumulates of 2-d convolutions and linear layers; the biases of convolutions, not of
              linear layers; 2 per element of an affine batch norm and 1 of another; 1 per element of a
              rectifier; the window's size per output of a pooling, where the window of an adaptive pooling
              is taken one pixel too high and too wide. Nothing else. A layer called several times counts its
              last call.
            - ``flopth``: the ``flops`` of NASFLAT's table of FBNet (Akhauri and Abdelfattah, MLSys 2024),
              counted by the package of this name. As ``suite_zero``, but a pooling counts each element of its
              input once.
            - ``once_for_all``: the ``flops`` of Once-for-All (Cai et al., ICLR 2020) and of tables made with
              its code, as MTLP-JR's. As ``macs``, but added up in single precision: a sum beyond 2^24 is
              rounded at each layer, in all by less than a millionth.

    Raises:
        UserError: an unknown convention.
    """
    if convention not in CONVENTIONS:
        raise unknown("convention of counting FLOPs:", convention, CONVENTIONS)
    counted = CONVENTIONS[convention]
    counts: dict[nn.Module, int] = {}

    def count(layer: nn.Module, taken: tuple[Tensor, ...], given: Tensor) -> None:
        before = counts.get(layer, 0) if counted.repeats else 0
        counts[layer] = before + counted.cost(layer, taken[0], given)

    observe_layers(module, inputs, count)
    return counted.total(counts.values())


def observe_layers(
    module: nn.Module, inputs: Tensor, hook: Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]
) -> None:
    """Run ``module`` in evaluation mode and call ``hook`` after each layer.

    Layers that keep a tensor's shape give back their input: nobody reads the values, and on the meta device
    these layers take most of the time.
    """
    training = {part: part.training for part in module.modules()}
    device = next(module.parameters(), inputs).device
    handles: list[RemovableHandle] = []
    passed = [part for part in training if isinstance(part, SHAPE_KEEPING) and "forward" not in vars(part)]
    try:
        for part in training:
            if not list(part.children()):
                handles.append(part.register_forward_hook(hook))
        for part in passed:
            vars(part)["forward"] = _input_of
        module.eval()
        with torch.no_grad():
            module(inputs.to(device))
    finally:
        for part in passed:
            vars(part).pop("forward", None)
        for handle in handles:
            handle.remove()
        for part, mode in training.items():
            part.training = mode


def _input_of(x: Tensor) -> Tensor:
    return x


def _macs(layer: nn.Module, taken: Tensor, given: Tensor) -> int:
    if isinstance(layer, _ConvTransposeNd):
        return taken.numel() * layer.weight[0].numel()
    if isinstance(layer, _ConvNd):
        return given.numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Linear):
        return given.numel() * layer.in_features
    return 0


def _flops(layer: nn.Module, taken: Tensor, given: Tensor) -> int:
    return 2 * _macs(layer, taken, given)


def _suite_zero(layer: nn.Module, taken: Tensor, given: Tensor) -> int:
    if isinstance(layer, nn.Conv2d):
        return _macs(layer, taken, given) + (0 if layer.bias is None else given.numel())
    if isinstance(layer, nn.Linear):
        return _macs(layer, taken, given)
    if isinstance(layer, nn.BatchNorm2d):
        return taken.numel() * (2 if layer.affine else 1)
    if isinstance(layer, RECTIFIERS):
        return taken.numel()
    if isinstance(layer, (nn.AvgPool2d, nn.MaxPool2d)):
        return given.numel() * _window(layer.kernel_size)
    if isinstance(layer, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)):
        return prod(taken.shape[:-2]) * prod(
            _adaptive_windows(*sizes) for sizes in zip(taken.shape[-2:], given.shape[-2:], strict=True)
        )
    return 0


def _flopth(layer: nn.Module, taken: Tensor, given: Tensor) -> int:
    pools = (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    return taken.numel() if isinstance(layer, pools) else _suite_zero(layer, taken, given)


def _single_precision_sum(counts: Iterable[int]) -> int:
    return int(np.add.accumulate(np.array([0, *counts], dtype=np.float32))[-1])


def _window(size: int | tuple[int, ...]) -> int:
    return size * size if isinstance(size, int) else prod(size)


def _adaptive_windows(taken: int, given: int) -> int:
    """Lengths of the windows that an adaptive pooling reads along one axis, each plus one, added up."""
    return sum(-(-(i + 1) * taken // given) - i * taken // given + 1 for i in range(given))


CONVENTIONS = {
    "macs": FlopConvention(_macs),
    "flops": FlopConvention(_flops),
    "suite_zero": FlopConvention(_suite_zero, repeats=False),
    "flopth": FlopConvention(_flopth, repeats=False),
    "once_for_all": FlopConvention(_macs, total=_single_precision_sum),
}
