"""Layers of graph neural networks on dense adjacency matrices, with the defaults of PyTorch Geometric."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ktnas.errors import UserError, unknown

Mixing = Callable[[Tensor], Tensor]
HEADS = 2


def with_loops(adjacency: Tensor) -> Tensor:
    """The adjacency matrix (B, N, N) with every node its own neighbour."""
    return adjacency + torch.eye(adjacency.shape[-1], dtype=adjacency.dtype, device=adjacency.device)


def symmetric(adjacency: Tensor) -> Tensor:
    """The adjacency matrix, each entry divided by the roots of both nodes' degrees."""
    scale = adjacency.sum(dim=2).clamp(min=1).rsqrt()
    return scale[:, :, None] * adjacency * scale[:, None, :]


def average(adjacency: Tensor) -> Tensor:
    """The adjacency matrix, each row divided by the node's degree."""
    return adjacency / adjacency.sum(dim=2, keepdim=True).clamp(min=1)


class GraphConvolution(nn.Module):
    """What a node's neighbours say, mixed by a matrix, and where ``own``, what it says itself.

    Args:
        taken: features of the input.
        given: features of the output.
        mixing: makes the matrix of the adjacency matrix.
        own: whether a node's own features have weights apart from those of its neighbours.
    """

    def __init__(self, taken: int, given: int, mixing: Mixing, own: bool) -> None:
        super().__init__()
        self.mixing = mixing
        self.neighbours = nn.Linear(taken, given, bias=False)
        self.own = nn.Linear(taken, given, bias=False) if own else None
        self.bias = nn.Parameter(torch.zeros(given))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Features (B, N, given) of features (B, N, taken) and an adjacency matrix (B, N, N)."""
        result: Tensor = self.mixing(adjacency) @ self.neighbours(x) + self.bias
        return result if self.own is None else result + self.own(x)


class Attention(nn.Module):
    """Graph attention of 2 heads, each half the output (Veličković et al., ICLR 2018)."""

    def __init__(self, taken: int, given: int) -> None:
        super().__init__()
        self.weights = nn.Linear(taken, given, bias=False)
        self.asking = nn.Parameter(torch.empty(HEADS, given // HEADS))
        self.asked = nn.Parameter(torch.empty(HEADS, given // HEADS))
        self.bias = nn.Parameter(torch.zeros(given))
        self.rectify = nn.LeakyReLU(0.2)
        nn.init.xavier_uniform_(self.asking)
        nn.init.xavier_uniform_(self.asked)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Features (B, N, given) of features (B, N, taken) and an adjacency matrix (B, N, N)."""
        values = self.weights(x).unflatten(2, self.asking.shape)
        asking, asked = ((values * part).sum(dim=3) for part in (self.asking, self.asked))
        scores = self.rectify(asking[:, :, None] + asked[:, None])
        apart = with_loops(adjacency)[..., None] == 0
        shares = scores.masked_fill(apart, float("-inf")).softmax(dim=2)
        return torch.einsum("bijh,bjhf->bihf", shares, values).flatten(2) + self.bias


class Arma(nn.Module):
    """Graph convolution of one ARMA stack of one layer (Bianchi et al., IEEE TPAMI 2022).

    ``deeper`` are weights between layers of a stack: they take no part with one layer, and are counted.
    """

    def __init__(self, taken: int, given: int) -> None:
        super().__init__()
        self.convolution = GraphConvolution(taken, given, symmetric, own=True)
        self.deeper = nn.Linear(given, given, bias=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Features (B, N, given) of features (B, N, taken) and an adjacency matrix (B, N, N)."""
        rectified: Tensor = self.relu(self.convolution(x, adjacency))
        return rectified


class FullyConnected(nn.Module):
    """A linear layer on each node's features, whatever its neighbours."""

    def __init__(self, taken: int, given: int) -> None:
        super().__init__()
        self.linear = nn.Linear(taken, given)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Features (B, N, given) of features (B, N, taken)."""
        features: Tensor = self.linear(x)
        return features


def graph_layer(name: str, taken: int, given: int) -> nn.Module:
    """The layer ``name`` of NAS-Bench-Graph from ``taken`` to ``given`` features per node.

    ``gat``, 2 heads; ``gcn`` (Kipf and Welling, ICLR 2017); ``gin`` with one linear layer and a fixed epsilon
    of 0 (Xu et al., ICLR 2019); ``cheb``, 2 terms, the largest eigenvalue taken to be 2 (Defferrard et al.,
    NIPS 2016); ``sage`` with means (Hamilton et al., NIPS 2017); ``arma``; ``graph`` (Morris et al., AAAI
    2019); ``fc``, a linear layer.

    Raises:
        UserError: an unknown layer, or heads of different widths.
    """
    if name in CONVOLUTIONS:
        mixing, own = CONVOLUTIONS[name]
        return GraphConvolution(taken, given, mixing, own)
    if name not in OTHERS:
        raise unknown("layer of NAS-Bench-Graph:", name, (*CONVOLUTIONS, *OTHERS, "skip"))
    if given % HEADS:
        raise UserError(f"width={given}: attention has {HEADS} heads of one width; use an even number.")
    return OTHERS[name](taken, given)


CONVOLUTIONS: dict[str, tuple[Mixing, bool]] = {
    "gcn": (lambda adjacency: symmetric(with_loops(adjacency)), False),
    "gin": (with_loops, False),
    "cheb": (lambda adjacency: -symmetric(adjacency), True),
    "sage": (average, True),
    "graph": (lambda adjacency: adjacency, True),
}
OTHERS: dict[str, Callable[[int, int], nn.Module]] = {"gat": Attention, "arma": Arma, "fc": FullyConnected}
