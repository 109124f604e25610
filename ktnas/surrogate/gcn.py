"""A graph convolutional network that reads a graph out of one node joined to all others.

After BRP-NAS (Dudziak et al., NeurIPS 2020, section 3): operations on the nodes, one-hot; a global node that
hears every other; layers of sum over a node and its successors, linear map, layer normalisation, ReLU and
dropout; the last features of the global node are the graph's. Several members, networks of the same form, are
computed side by side.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import layer_norm

from ktnas.space.graph import GraphBatch

GLOBAL = 0
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class GlobalGraphs:
    """Graphs with a global node in front, as the network reads them.

    Attributes:
        heard: (N, M + 1, K + 1) one-hot operations summed over each node and its successors; the last column
            is the global node's own.
        adjacency: (N, M + 1, M + 1), 1 where the row's node hears the column's: itself and its successors
            (parallel edges are one), the global node all. Rows and columns of places without a node are 0.
    """

    heard: Tensor
    adjacency: Tensor

    @classmethod
    def of(cls, graphs: GraphBatch, dtype: torch.dtype) -> "GlobalGraphs":
        """Tensors of a batch; places that hold no node in any of its graphs are left out."""
        places = np.flatnonzero((graphs.operations >= 0).any(axis=0))
        operations = graphs.operations[:, places]
        present = operations >= 0
        n_graphs, n_nodes = operations.shape
        one_hot = np.zeros((n_graphs, n_nodes + 1, len(graphs.vocabulary) + 1))
        one_hot[:, 1:, :-1] = operations[:, :, None] == np.arange(len(graphs.vocabulary))
        one_hot[:, GLOBAL, -1] = 1
        hears = np.zeros((n_graphs, n_nodes + 1, n_nodes + 1))
        hears[:, 1:, 1:] = (graphs.adjacency[:, places][:, :, places] > 0) | (
            np.eye(n_nodes, dtype=np.bool_) & present[:, :, None]
        )
        hears[:, GLOBAL, 1:] = present
        hears[:, GLOBAL, GLOBAL] = 1
        return cls(torch.from_numpy(hears @ one_hot).to(dtype), torch.from_numpy(hears).to(dtype))

    def __len__(self) -> int:
        return len(self.heard)

    def __getitem__(self, rows: Tensor | slice) -> "GlobalGraphs":
        return GlobalGraphs(self.heard[rows], self.adjacency[rows])


def initial_layers(
    members: int, layers: int, width: int, vocabulary: int, generator: Generator
) -> dict[str, Tensor]:
    """Weights of new networks, drawn uniformly as in the authors' code.

    Args:
        members: networks.
        layers: graph convolutions, at least 1.
        width: of a layer.
        vocabulary: number of operations, input and output included.
        generator: source of the draws.
    """
    bound = width**-0.5
    weights = {}
    for layer in range(layers):
        fan_in = width if layer else vocabulary + 1
        for name, rows in (("map", fan_in), ("bias", 1)):
            draw = torch.rand((members, rows, width), generator=generator)
            weights[f"{name}.{layer}"] = (2 * draw - 1) * bound
        weights[f"scale.{layer}"] = torch.ones(members, 1, width)
        weights[f"shift.{layer}"] = torch.zeros(members, 1, width)
    return weights


def embed(
    weights: Weights, graphs: GlobalGraphs, dropout: float = 0.0, generator: Generator | None = None
) -> Tensor:
    """Features of the global node after the last layer, (members, N, width)."""
    n_graphs, n_nodes, _ = graphs.heard.shape
    last = sum(name.startswith("map.") for name in weights) - 1
    members, _, width = weights["map.0"].shape
    heard = graphs.heard
    for layer in range(last + 1):
        if layer == last:
            heard = heard[..., [GLOBAL], :]
        flat = heard.reshape(*heard.shape[:-3], -1, heard.shape[-1])
        mapped = torch.matmul(flat, weights[f"map.{layer}"]) + weights[f"bias.{layer}"]
        normal = layer_norm(mapped, (width,)) * weights[f"scale.{layer}"] + weights[f"shift.{layer}"]
        features = _drop(torch.relu(normal), dropout, generator)
        if layer == last:
            return features
        features = features.reshape(members, n_graphs, n_nodes, width)
        listeners = graphs.adjacency[:, [GLOBAL]] if layer == last - 1 else graphs.adjacency
        heard = torch.matmul(listeners, features)
    raise AssertionError("a network has a layer")


def _drop(features: Tensor, share: float, generator: Generator | None) -> Tensor:
    """Each feature zero with probability ``share``, the others scaled up, so that the mean stays."""
    if share == 0:
        return features
    kept = torch.rand(features.shape, generator=generator) >= share
    return features * kept / (1 - share)
