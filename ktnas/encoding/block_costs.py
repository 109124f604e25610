"""What the blocks of a chain's networks cost, each at its position."""

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray
from ktnas.registry import build
from ktnas.space.chain import Chain

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class BlockCosts:
    """Parameters and multiply-accumulates of a chain's networks, as sums over their blocks.

    Attributes:
        params: (positions, O) of operation o at each position; 0 for ``absent``.
        flops: (positions, O) likewise, with the first choice of every setting.
        fixed: (2,) parameters and multiply-accumulates of what is not chosen.
        growth: (S,) by what combination s of the settings multiplies the multiply-accumulates.
    """

    params: FloatArray
    flops: FloatArray
    fixed: FloatArray
    growth: FloatArray

    def totals(self, blocks: IntArray, combinations: IntArray) -> FloatArray:
        """Parameters and multiply-accumulates (N, 2) of chains.

        Args:
            blocks: (N, positions) operation at each position, as of ``Chain.blocks``.
            combinations: (N,) combination of the settings, as of ``combinations``.
        """
        places = np.arange(blocks.shape[1])
        params, flops = (table[places, blocks].sum(axis=1) for table in (self.params, self.flops))
        return np.column_stack([self.fixed[0] + params, (self.fixed[1] + flops) * self.growth[combinations]])


def combinations(space: Chain, genotypes: IntArray) -> IntArray:
    """Number (N,) of the combination of settings that genotypes (N, V) choose; 0 without settings."""
    sizes = [len(setting.values) for setting in space.settings]
    if not sizes:
        return np.zeros(len(genotypes), dtype=np.int64)
    chosen = genotypes[:, space.n_variables - len(sizes) :]
    return np.asarray(np.ravel_multi_index(list(chosen.T), sizes), dtype=np.int64)


def block_costs(space: Chain, task: str) -> BlockCosts | None:
    """Costs measured on chains that have the same operation at every position.

    One network per operation, and one per combination of settings: a setting is taken to multiply what a
    network costs by the same factor whatever is chosen, as the size of the images nearly does. Otherwise
    exact where a block costs the same whatever stands before it.

    Args:
        space: a chain.
        task: what networks are built for.

    Returns:
        None for a space without networks, or whose networks are not a ``ChainNetwork`` of a block per
        position.
    """
    from ktnas.network.count import count_flops

    if not space.network:
        return None
    present = [number for number, name in enumerate(space.operations) if name != space.absent]
    first = _count(space, present[0], task)
    if first is None:
        return None
    params, flops = np.zeros((2, space.positions, len(space.operations)))
    for operation in present:
        counts = _count(space, operation, task) or first
        params[:, operation], flops[:, operation] = counts.blocks
    n_combinations = int(np.prod([len(setting.values) for setting in space.settings], initial=1))
    sized = [_network(space, present[-1], number, task) for number in range(n_combinations)]
    grown = np.array([count_flops(network, images) for network, images in sized], dtype=np.float64)
    return BlockCosts(params, flops, first.fixed, grown / grown[0])


def uniform(space: Chain, operation: int, combination: int) -> IntArray:
    """Genotype (V,) of ``operation`` at every position, the deepest stages, and a combination of settings."""
    sizes = [len(factor.values) for factor in space.factors] or [len(space.operations)]
    parts: list[NDArray[np.int64]] = [
        np.full(space.positions, int(digit)) for digit in np.unravel_index(operation, sizes)
    ]
    if space.stages:
        parts.append(np.full(space.stages, int(np.argmax([int(depth) for depth in space.depths]))))
    options = product(*[range(len(setting.values)) for setting in space.settings])
    parts.append(np.array(list(options)[combination], dtype=np.int64))
    return np.concatenate(parts).astype(np.int64)


@dataclass(frozen=True)
class _Counts:
    """Parameters and multiply-accumulates, (2, positions) of the blocks and (2,) of all else."""

    blocks: FloatArray
    fixed: FloatArray


def _count(space: Chain, operation: int, task: str) -> _Counts | None:
    import torch

    from ktnas.network.count import count_flops, count_parameters
    from ktnas.network.layers import ChainNetwork

    network, images = _network(space, operation, 0, task)
    if not isinstance(network, ChainNetwork) or len(network.blocks) < space.positions:
        return None
    blocks = list(network.blocks)[-space.positions :]
    taken: list[torch.Tensor] = []
    handles = [block.register_forward_pre_hook(lambda _, given: taken.append(given[0])) for block in blocks]
    flops = count_flops(network, images)
    for handle in handles:
        handle.remove()
    counts = np.array(
        [
            [count_parameters(block) for block in blocks],
            [count_flops(block, given) for block, given in zip(blocks, taken, strict=True)],
        ],
        dtype=np.float64,
    )
    return _Counts(counts, np.array([count_parameters(network), flops]) - counts.sum(axis=1))


def _network(space: Chain, operation: int, combination: int, task: str) -> "tuple[nn.Module, Tensor]":
    """A uniform chain's network and one image for it, on the meta device."""
    import torch

    from ktnas.network.base import NetworkBuilder
    from ktnas.network.task import network_task
    from ktnas.network.weightless import weightless

    genotype = uniform(space, operation, combination)
    builder: NetworkBuilder = build("network", space.network)
    with weightless():
        network = space.build(genotype, task)
        images = torch.empty(1, *builder.task_of(space, genotype, network_task(task)).input_shape)
    return network, images
