"""Latency from a graph convolutional network, as in BRP-NAS."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.latency.base import LatencyModel
from ktnas.surrogate.graph_network import parts
from ktnas.threads import one_torch_thread

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from ktnas.surrogate.gcn import GlobalGraphs

LEAST_SHARE = 0.1
LEAST_SPREAD = 1e-3


@dataclass
class GCNRegression(LatencyModel):
    """Regression of latency on graphs, for any space.

    After Dudziak, Chau, Abdelfattah, Lee, Kim and Lane, "BRP-NAS: Prediction-based NAS using GCNs" (NeurIPS
    2020, section 3): the network of ``ktnas.surrogate.gcn`` with a linear head learns latency, in units of
    the mean, by its absolute error. The published settings, ``width=600, layers=4, members=1, epochs=250,
    batch=10, learning_rate=4e-4, dropout=0.2``, are some 200 times the work of the defaults, which take about
    half a minute of one core for 900 measurements.

    Ours beside the paper: the mean of ``members`` networks, each of which does not see its share of the
    measurements. How far they miss what they have not seen, relative to what they say, is the standard
    deviation, with how far they disagree. One member sees everything: its standard deviation is that of the
    training data, too small.

    Attributes:
        pruned: read what a network computes, without dead operations and with identities contracted, as a
            device does that compiles the graph; otherwise the graph as it is written.
        width: of a layer of the network.
        layers: graph convolutions.
        members: networks whose answers are averaged.
        epochs: passes over the measurements.
        batch: architectures per step.
        learning_rate: of AdamW, falling to zero along a cosine.
        weight_decay: of AdamW.
        dropout: share of features dropped after each layer in training.
    """

    pruned: bool = False
    width: int = 32
    layers: int = 4
    members: int = 4
    epochs: int = 100
    batch: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 5e-4
    dropout: float = 0.0
    _weights: "dict[str, Tensor]" = field(default_factory=dict, init=False, repr=False)
    _unit: float = field(default=1.0, init=False, repr=False)
    _least: float = field(default=0.0, init=False, repr=False)
    _spread: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("width", "layers", "members", "epochs", "batch", "learning_rate"):
            if not getattr(self, name) > 0:
                raise UserError(f"latency_model.{name}={getattr(self, name)}: must be positive.")
        if not 0 <= self.dropout < 1:
            raise UserError(f"latency_model.dropout={self.dropout}: must lie in [0, 1).")
        if not self.weight_decay >= 0:
            raise UserError(f"latency_model.weight_decay={self.weight_decay}: must not be negative.")

    def _fit(self, genotypes: IntArray, latency: FloatArray) -> None:
        import torch

        from ktnas.latency.gcn_training import initial_networks, train
        from ktnas.surrogate.pairwise import Training

        self._unit = float(latency.mean())
        self._least = LEAST_SHARE * float(latency.min()) / self._unit
        values = latency / self._unit
        part = parts(len(values), self.members, self._seed)
        taught = (part != np.arange(self.members)[:, None]) | (self.members == 1)
        generator = torch.Generator().manual_seed(self._seed)
        untrained = initial_networks(
            self.members, self.layers, self.width, len(self.space.vocabulary), generator
        )
        training = Training(self.epochs, self.batch, self.learning_rate, self.weight_decay, self.dropout)
        with one_torch_thread():
            self._weights = train(
                untrained,
                self._graphs(genotypes, torch.float32),
                torch.from_numpy(values).to(torch.float32),
                torch.from_numpy(taught),
                training,
                generator,
            )
        said = self._answers(genotypes)[part if self.members > 1 else 0, np.arange(len(values))]
        self._spread = max(float(np.sqrt(((values / said - 1) ** 2).mean())), LEAST_SPREAD)

    def _predict(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        answers = self._answers(genotypes)
        mean = answers.mean(axis=0)
        std = np.sqrt(answers.var(axis=0) + (self._spread * mean) ** 2)
        return self._unit * mean, self._unit * std

    def _answers(self, genotypes: IntArray) -> FloatArray:
        """What each member says (members, N), in units and not below the least."""
        import torch

        from ktnas.latency.gcn_training import answers

        with one_torch_thread():
            said = answers(self._weights, self._graphs(genotypes, torch.float64))
        return np.asarray(np.maximum(said.numpy(), self._least))

    def _graphs(self, genotypes: IntArray, dtype: "dtype") -> "GlobalGraphs":
        from ktnas.surrogate.gcn import GlobalGraphs

        read = self.space.pruned if self.pruned else self.space.graphs
        return GlobalGraphs.of(read(genotypes), dtype)
