"""The network behind arch2vec: a variational graph isomorphism autoencoder.

It is written with operators alone, which numpy arrays and torch tensors share: torch trains it, numpy embeds
with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray
from ktnas.errors import UserError
from ktnas.space.graph import GraphBatch

Array = Any
Weights = dict[str, NDArray[np.float32]]


@dataclass
class Arch2VecSettings:
    """Size and training of the autoencoder.

    Attributes:
        dim: length of the embedding, of nodes and of graphs.
        layers: graph isomorphism layers.
        hidden: width of a layer.
        samples: unlabelled architectures drawn from the space; a tenth is held out to stop training in time.
        epochs: passes over them at most.
        batch: architectures per step.
        learning_rate: of Adam.
    """

    dim: int = 128
    layers: int = 3
    hidden: int = 64
    samples: int = 4000
    epochs: int = 20
    batch: int = 64
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        for name in ("dim", "layers", "hidden", "samples", "epochs", "batch", "learning_rate"):
            if getattr(self, name) <= 0:
                raise UserError(f"encoding.{name}={getattr(self, name)}: must be positive.")


@dataclass(frozen=True)
class GraphArrays:
    """Graphs as the network reads them; edges are undirected and simple.

    Attributes:
        operations: (N, M, K) one-hot; rows of padding are zero.
        adjacency: (N, M, M) symmetric, 0 or 1.
        present: (N, M), 0 for padding and 1 for nodes.
    """

    operations: Array
    adjacency: Array
    present: Array

    @classmethod
    def of(cls, graphs: GraphBatch, dtype: type[np.floating[Any]]) -> "GraphArrays":
        """Numpy arrays of a batch; an edge i→j stands at (i, j) and (j, i)."""
        one_hot = graphs.operations[:, :, None] == np.arange(len(graphs.vocabulary))
        edges = graphs.adjacency > 0
        return cls(
            one_hot.astype(dtype),
            (edges | edges.transpose(0, 2, 1)).astype(dtype),
            (graphs.operations >= 0).astype(dtype),
        )

    def __getitem__(self, rows: Any) -> "GraphArrays":
        return GraphArrays(self.operations[rows], self.adjacency[rows], self.present[rows])

    def __len__(self) -> int:
        return len(self.operations)


def weight_shapes(settings: Arch2VecSettings, vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight; the two heads have a matrix for the input and for each layer."""
    dim, hidden = settings.dim, settings.hidden
    widths = [vocabulary] + [hidden] * settings.layers
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, width in enumerate(widths[:-1]):
        shapes |= {f"self.{layer}": (), f"in.{layer}": (width, hidden), f"in_bias.{layer}": (hidden,)}
        shapes |= {f"out.{layer}": (hidden, hidden), f"out_bias.{layer}": (hidden,)}
    for head in ("mean", "deviation"):
        shapes |= {f"{head}.{level}": (width, dim) for level, width in enumerate(widths)}
        shapes |= {f"{head}_bias": (dim,)}
    return shapes | {"operation": (dim, vocabulary), "operation_bias": (vocabulary,)}


def encode(weights: Mapping[str, Array], graphs: GraphArrays) -> tuple[Array, Array]:
    """Mean and log deviation (N, M, dim) of the nodes' latents."""
    levels = _levels(weights, graphs)
    return _head(weights, "mean", levels), _head(weights, "deviation", levels)


def decode(weights: Mapping[str, Array], latent: Array) -> tuple[Array, Array]:
    """Logits of operations (N, M, K), linear in the latents, and of edges (N, M, M), their inner products."""
    return latent @ weights["operation"] + weights["operation_bias"], latent @ latent.swapaxes(1, 2)


def embed(weights: Mapping[str, Array], graphs: GraphArrays) -> FloatArray:
    """Embeddings (N, dim) of numpy ``graphs``: the average over a graph's nodes of their latent means."""
    share = graphs.present / graphs.present.sum(axis=1, keepdims=True)
    averages = [(share[:, None, :] @ level)[:, 0] for level in _levels(weights, graphs)]
    return np.asarray(_head(weights, "mean", averages), dtype=np.float64)


def _levels(weights: Mapping[str, Array], graphs: GraphArrays) -> list[Array]:
    """Node features (N, M, ·) of the input and each layer: sum over neighbours, then a small perceptron."""
    levels = [graphs.operations]
    n, nodes, _ = graphs.operations.shape
    while f"self.{len(levels) - 1}" in weights:
        layer, features = len(levels) - 1, levels[-1]
        features = (1 + weights[f"self.{layer}"]) * features + graphs.adjacency @ features
        features = features.reshape(n * nodes, features.shape[2])
        features = _relu(features @ weights[f"in.{layer}"] + weights[f"in_bias.{layer}"])
        features = _relu(features @ weights[f"out.{layer}"] + weights[f"out_bias.{layer}"])
        levels.append(features.reshape(n, nodes, features.shape[1]))
    return levels


def _head(weights: Mapping[str, Array], head: str, levels: list[Array]) -> Array:
    parts = (features @ weights[f"{head}.{level}"] for level, features in enumerate(levels))
    return sum(parts) + weights[f"{head}_bias"]


def _relu(values: Array) -> Array:
    return values * (values > 0)
