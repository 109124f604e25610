"""What the networks of a space come to, as numbers that any device may take time for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray, check_genotypes
from ktnas.encoding.chain_totals import ChainTotals, NoSumError, combinations, uniform
from ktnas.encoding.count_regression import CountRegression
from ktnas.registry import build
from ktnas.space.base import SearchSpace
from ktnas.space.chain import Chain
from ktnas.space.edge_cell import EdgeCell
from ktnas.space.graph import prune
from ktnas.space.node_cell import NodeCell

if TYPE_CHECKING:
    from torch import Tensor, nn

TOTALS = (
    "blocks",
    "layers",
    "kernels",
    "macs",
    "depthwise_macs",
    "group_convolutions",
    "activations",
    "root_macs",
    "root_activations",
    "root_params",
    "params",
)
"""Columns of ``network_totals``."""

CHECKS = 2
SAMPLED = 64
LEARNED = 64
CHECKED = 16
EXPLAINED = 0.98


def network_totals(space: SearchSpace, genotypes: IntArray, task: str, pruned: bool = False) -> FloatArray:
    """What the networks of genotypes come to on one image, counted on networks built without weights.

    Networks of edge cells and of chains of blocks are sums over their variables or blocks: a few of them are
    built, once per process and task, and the sums are checked on random ones. Of node cells 64 networks are
    built, and totals are estimates from the counts of operations where those explain 98 % of the variance of
    16 more, as of DARTS. Elsewhere (NAS-Bench-101) every network is built, once per process, in about a tenth
    of a second.

    Args:
        space: one that builds networks.
        genotypes: (N, V) int64.
        task: what networks are built for.
        pruned: leave out operations that do not reach the output, as devices do that compile the graph.

    Returns:
        (N, K) float64, a column per name in ``TOTALS``: operations of the architecture that are neither
        zero nor identity (``blocks``); layers that compute; among them convolutions, poolings and linear
        layers (``kernels``), which are left when the others are fused into them; multiply-accumulates of
        all of them, and of depthwise convolutions; other convolutions in groups; elements that kernels put
        out; parameters.

    Raises:
        UserError: a space without networks, or an unknown task.
    """
    genotypes = check_genotypes(genotypes, space.n_variables)
    if pruned:
        genotypes = without_dead_ends(space, genotypes)
    return _counter(space, task).totals(genotypes)


def are_sums(space: SearchSpace, task: str) -> bool:
    """Whether ``network_totals`` of any number of architectures takes but a few networks.

    Raises:
        UserError: a space without networks, or an unknown task.
    """
    return _counter(space, task).learned(0) is not None


def without_dead_ends(space: SearchSpace, genotypes: IntArray) -> IntArray:
    """Genotypes (N, V) with zero operations on the edges of an edge cell that are on no path to the output.

    Those of another family, or without a zero operation, as they are.
    """
    if not isinstance(space, EdgeCell) or space.zero is None:
        return genotypes
    alive = prune(space.graphs(genotypes), space.zero, None).operations[:, 1:-1] >= 0
    return np.where(alive, genotypes, space.operations.index(space.zero))


@dataclass(eq=False)
class _Counter:
    """Totals of one space's networks for one task."""

    space: SearchSpace
    task: str
    _learned: "dict[int, Learned | None]" = field(default_factory=dict, init=False)
    _built: dict[bytes, FloatArray] = field(default_factory=dict, init=False)

    def totals(self, genotypes: IntArray) -> FloatArray:
        space = self.space
        sized = combinations(space, genotypes) if isinstance(space, Chain) else np.zeros(len(genotypes))
        result = np.empty((len(genotypes), len(TOTALS)))
        for number in np.unique(sized).astype(int).tolist():
            rows = np.flatnonzero(sized == number)
            learned = self.learned(number)
            result[rows] = (self._each if learned is None else learned.totals)(genotypes[rows])
        result[:, 0] = (~self._idle[space.graphs(genotypes).operations]).sum(axis=1)
        return result

    def learned(self, combination: int) -> "Learned | None":
        """What adds up totals of a combination of settings; None where every network is built."""
        if combination not in self._learned:
            self._learned[combination] = self._learn(combination)
        return self._learned[combination]

    def _each(self, genotypes: IntArray) -> FloatArray:
        """Totals (N, K) of networks that are built one by one; 0 for ``blocks``."""
        keys = [row.tobytes() for row in genotypes]
        for key, genotype in zip(keys, genotypes, strict=True):
            if key not in self._built:
                network, image = meta_network(self.space, genotype, self.task)
                [self._built[key]] = layer_totals(network, image, [network])
        return np.array([self._built[key] for key in keys])

    @property
    def _idle(self) -> BoolArray:
        """Whether each word of the vocabulary, and -1 at its end, is no block."""
        space, names = self.space, self.space.vocabulary
        first, last = 2, 2 + len(space.operations)
        idle = np.ones(len(names) + 1, dtype=np.bool_)
        idle[first:last] = [name in (space.zero, space.identity) for name in space.operations]
        for learned in self._learned.values():
            if isinstance(learned, ChainTotals):
                idle[first:last] |= learned.idle
        return idle

    def _learn(self, combination: int) -> "Learned | None":
        if isinstance(self.space, NodeCell):
            return self._regression()
        if isinstance(self.space, Chain):
            return self._chain(self.space, combination)
        if isinstance(self.space, EdgeCell):
            learned = _sum_of_variables(self.space, self.task)
            drawn = self.space.sample(CHECKS, np.random.default_rng(0))
            return learned if np.allclose(learned.totals(drawn), self._each(drawn)) else None
        return None

    def _chain(self, space: Chain, combination: int) -> ChainTotals | None:
        """Learned from one operation at every position, then from random ones; None if they are no sums."""
        alike = build("network", space.network).blocks_alike if space.network else False
        learned = ChainTotals(space, alike, partial(meta_network, space, task=self.task), layer_totals)
        present = [number for number, name in enumerate(space.operations) if name != space.absent]
        drawn = space.sample(SAMPLED, np.random.default_rng(0))
        if space.settings:
            first = space.n_variables - len(space.settings)
            drawn[:, first:] = uniform(space, 0, combination)[first:]
        alone = np.array([uniform(space, operation, combination) for operation in present])
        try:
            learned.totals(alone)
            totals = learned.totals(drawn)
        except NoSumError:
            return None
        others = [row for row, genotype in enumerate(drawn) if genotype.tobytes() not in learned.built]
        others = others[:CHECKS]
        return learned if np.allclose(totals[others], self._each(drawn[others])) else None

    def _regression(self) -> CountRegression | None:
        drawn = self.space.sample(LEARNED + CHECKED, np.random.default_rng(0))
        learned, checked = drawn[:LEARNED], drawn[LEARNED:]
        regression = CountRegression.of(self.space, learned, self._each(learned))
        good = regression.explained(checked, self._each(checked)) >= EXPLAINED
        return regression if good else None


@lru_cache(maxsize=8)
def _counter(space: SearchSpace, task: str) -> _Counter:
    return _Counter(space, task)


@dataclass(frozen=True)
class _Sum:
    """Totals as a sum over variables.

    Attributes:
        fixed: (K,) of what is not chosen.
        table: (V, O, K) of choice o of variable v.
    """

    fixed: FloatArray
    table: FloatArray

    def totals(self, genotypes: IntArray) -> FloatArray:
        """Totals (N, K) of genotypes (N, V)."""
        total: FloatArray = self.fixed + self.table[np.arange(genotypes.shape[1]), genotypes].sum(axis=1)
        return total


Learned = _Sum | ChainTotals | CountRegression


def _sum_of_variables(space: SearchSpace, task: str) -> _Sum:
    """From one network per choice of each variable, the others being at their first."""
    table = np.zeros((space.n_variables, int(space.n_choices.max()), len(TOTALS)))

    def count(genotype: IntArray) -> FloatArray:
        network, image = meta_network(space, genotype, task)
        [totals] = layer_totals(network, image, [network])
        return np.asarray(totals)

    first = np.zeros(space.n_variables, dtype=np.int64)
    fixed = count(first)
    for variable, n_choices in enumerate(space.n_choices.tolist()):
        for choice in range(1, n_choices):
            genotype = first.copy()
            genotype[variable] = choice
            table[variable, choice] = count(genotype) - fixed
    return _Sum(fixed, table)


def meta_network(space: SearchSpace, genotype: IntArray, task: str) -> "tuple[nn.Module, Tensor]":
    """Network of a genotype (V,) and one image for it, of shapes alone (torch's meta device).

    Layers that keep a tensor's shape pass it on as it is: they are the slow ones on that device.

    Raises:
        UserError: a space without networks, or an unknown task.
    """
    import torch

    from ktnas.network.count import SHAPE_KEEPING
    from ktnas.network.mobile_layers import HardSigmoid
    from ktnas.network.task import network_task
    from ktnas.network.weightless import weightless

    with weightless():
        network = space.build(genotype, task)
        sized = build("network", space.network).task_of(space, genotype, network_task(task))
        image = torch.empty(1, *sized.input_shape)
    for layer in network.modules():
        if isinstance(layer, (*SHAPE_KEEPING, HardSigmoid)):
            vars(layer)["forward"] = _unchanged
    return network.eval(), image


def _unchanged(x: "Tensor") -> "Tensor":
    return x


def layer_totals(network: "nn.Module", image: "Tensor", parts: "Iterable[nn.Module]") -> FloatArray:
    """Totals (P, K) of modules of a network as it takes ``image``; 0 for ``blocks``."""
    import torch

    from ktnas.network.count import count_parameters

    counted: dict[nn.Module, list[list[float]]] = {}
    leaves = [layer for layer in network.modules() if not list(layer.children())]

    def count(layer: "nn.Module", taken: "tuple[Tensor, ...]", given: "Tensor") -> None:
        counted.setdefault(layer, []).append(_of_layer(layer, given))

    handles = [layer.register_forward_hook(count) for layer in leaves]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    totals = []
    for part in parts:
        calls = [call for layer in part.modules() for call in counted.get(layer, [])]
        summed = np.sum(calls, axis=0) if calls else np.zeros(len(TOTALS))
        summed[-1] = count_parameters(part)
        totals.append(summed)
    return np.array(totals, dtype=np.float64)


def _of_layer(layer: "nn.Module", given: "Tensor") -> list[float]:
    """What one call of a layer adds to each of ``TOTALS`` but its parameters."""
    from torch import nn

    from ktnas.network.layers import Zero

    if isinstance(layer, nn.Identity | nn.Flatten | nn.Dropout | Zero):
        return [0.0] * len(TOTALS)
    counts = dict.fromkeys(TOTALS, 0.0) | {"layers": 1.0}
    pools = (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, *pools)):
        counts |= {"kernels": 1.0, "activations": given.numel()}
    if isinstance(layer, nn.Linear):
        counts["macs"] = given.numel() * layer.in_features
    if isinstance(layer, nn.Conv2d):
        counts["macs"] = given.numel() * layer.weight[0].numel()
        if 1 < layer.groups == layer.in_channels:
            counts["depthwise_macs"] = counts["macs"]
        elif layer.groups > 1:
            counts["group_convolutions"] = 1.0
    if isinstance(layer, nn.Linear | nn.Conv2d):
        counts["root_params"] = layer.weight.numel() ** 0.5
    for name in ("macs", "activations"):
        counts[f"root_{name}"] = counts[name] ** 0.5
    return list(counts.values())
