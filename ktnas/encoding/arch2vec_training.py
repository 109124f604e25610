"""Training of the arch2vec network on unlabelled graphs, with torch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ktnas.encoding.arch2vec_model import (
    Arch2VecSettings,
    GraphArrays,
    Weights,
    decode,
    encode,
    weight_shapes,
)
from ktnas.threads import one_torch_thread

if TYPE_CHECKING:
    from torch import Generator, Tensor

HELD_OUT = 0.1
PATIENCE = 3
PROGRESS = 0.98
GOOD_ENOUGH = 0.005
INITIAL_LOG_DEVIATION = -3.0


def train(graphs: GraphArrays, settings: Arch2VecSettings, seed: int) -> tuple[Weights, dict[str, float]]:
    """Learn from float32 numpy ``graphs`` in random order, the first tenth of which is held out.

    Single-threaded and from a random generator of its own: the same seed gives the same weights on one
    machine, and torch's global state is left alone. Training stops when the held-out loss does; its best
    epoch is kept.

    Returns:
        Weights by name, and the shares of ``operations`` (of nodes) and ``edges`` (of pairs of nodes) that
        are decoded rightly from held-out graphs.
    """
    import torch

    with one_torch_thread():
        arrays = (graphs.operations, graphs.adjacency, graphs.present)
        data = GraphArrays(*(torch.from_numpy(array) for array in arrays))
        held = max(1, round(HELD_OUT * len(data)))
        held_out = data[:held]
        training = data[held:] if len(data) > held else data
        weights = _fit(training, held_out, settings, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            return {name: weight.numpy() for name, weight in weights.items()}, _accuracy(weights, held_out)


def _fit(
    training: GraphArrays, held_out: GraphArrays, settings: Arch2VecSettings, generator: "Generator"
) -> "dict[str, Tensor]":
    import torch

    weights = _initial(settings, held_out.operations.shape[2], generator)
    optimizer = torch.optim.Adam(weights.values(), lr=settings.learning_rate)
    best, best_loss, idle = weights, float("inf"), 0
    for _ in range(settings.epochs):
        order = torch.randperm(len(training), generator=generator)
        for start in range(0, len(order), settings.batch):
            optimizer.zero_grad()
            loss = _training_loss(weights, training[order[start : start + settings.batch]], generator)
            torch.autograd.backward(loss)
            optimizer.step()
        with torch.no_grad():
            held_out_loss = float(_reconstruction_loss(weights, held_out, encode(weights, held_out)[0]))
        idle = 0 if held_out_loss < PROGRESS * best_loss else idle + 1
        if held_out_loss < best_loss:
            best_loss = held_out_loss
            best = {name: weight.detach().clone() for name, weight in weights.items()}
        if idle == PATIENCE or best_loss < GOOD_ENOUGH:
            break
    return {name: weight.detach() for name, weight in best.items()}


def _initial(settings: Arch2VecSettings, vocabulary: int, generator: "Generator") -> "dict[str, Tensor]":
    """Glorot-uniform matrices, zero biases, and latent noise that starts small."""
    import torch

    weights = {}
    for name, shape in weight_shapes(settings, vocabulary).items():
        bound = (6 / sum(shape)) ** 0.5 if len(shape) == 2 else 0.0
        if name.startswith("deviation."):
            bound *= 0.1
        weight = (2 * torch.rand(shape, generator=generator) - 1) * bound
        weights[name] = weight + INITIAL_LOG_DEVIATION if name == "deviation_bias" else weight
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def _training_loss(weights: "Mapping[str, Tensor]", graphs: GraphArrays, generator: "Generator") -> "Tensor":
    """Reconstruction from sampled latents plus the divergence from a standard normal, weighted 1 / (N M)."""
    import torch

    mean, log_deviation = encode(weights, graphs)
    noise = torch.randn(mean.shape, generator=generator)
    reconstruction = _reconstruction_loss(weights, graphs, mean + noise * log_deviation.exp())
    divergence = -0.5 * (1 + 2 * log_deviation - mean**2 - (2 * log_deviation).exp()).sum(dim=2)
    return reconstruction + _average(divergence, graphs.present) / float(graphs.present.numel())


def _reconstruction_loss(weights: "Mapping[str, Tensor]", graphs: GraphArrays, latent: "Tensor") -> "Tensor":
    """Mean cross-entropy of the operations of nodes plus that of the edges of pairs of nodes."""
    from torch.nn import functional

    operation_logits, edge_logits = decode(weights, latent)
    truth = graphs.operations.argmax(dim=2)
    operations = functional.cross_entropy(operation_logits.transpose(1, 2), truth, reduction="none")
    edges = functional.binary_cross_entropy_with_logits(edge_logits, graphs.adjacency, reduction="none")
    return _average(operations, graphs.present) + _average(edges, _pairs(graphs))


def _accuracy(weights: "Mapping[str, Tensor]", graphs: GraphArrays) -> dict[str, float]:
    operation_logits, edge_logits = decode(weights, encode(weights, graphs)[0])
    right = operation_logits.argmax(dim=2) == graphs.operations.argmax(dim=2)
    found = (edge_logits > 0) == (graphs.adjacency > 0)
    return {
        "operations": float(_average(right, graphs.present)),
        "edges": float(_average(found, _pairs(graphs))),
    }


def _pairs(graphs: GraphArrays) -> "Tensor":
    """1 for each unordered pair of present nodes, (N, M, M)."""
    pairs: Tensor = (graphs.present[:, :, None] * graphs.present[:, None, :]).triu(1)
    return pairs


def _average(values: "Tensor", weights: "Tensor") -> "Tensor":
    return (values * weights).sum() / weights.sum()
