"""Which of two architectures is better, from a graph convolutional network trained on pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray, KeyArray
from ktnas.encoding.base import Encoding
from ktnas.errors import UserError, unknown
from ktnas.surrogate.base import State, within
from ktnas.surrogate.scored import ScoredSurrogate
from ktnas.threads import one_torch_thread

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from ktnas.surrogate.pairwise import Inputs

HEADS = ("transitive", "published")
UNITS = ("median", "range")
REFERENCE = 256
CHUNK = 1024
LEAST_SHARE = 0.1


@dataclass
class BinaryRelation(ScoredSurrogate):
    """The binary relation predictor of BRP-NAS, and one that contradicts neither itself nor its answers.

    After Dudziak, Chau, Abdelfattah, Lee, Kim and Lane, "BRP-NAS: Prediction-based NAS using GCNs" (NeurIPS
    2020, section 4): one graph convolutional network embeds both graphs of a pair, pruned and with a global
    node; a linear head says which is better. It learns from all ordered pairs of what was observed, labelled
    softly: P(a before b) = sigmoid(difference of their values / (``temperature`` * ``unit``)).

    The ``published`` head maps the two embeddings side by side to two classes: its answer may depend on which
    is named first. The ``transitive`` head (ours) gives each architecture one score and compares the scores.
    ``compare`` is what a head says of a pair in one order; ``prefer`` is the difference of both orders. That
    makes the published head antisymmetric too, and transitive: a linear head adds a term for each of the two,
    so that the difference of both orders compares scores after all. ``predict`` ranks by these scores.

    Ours beside the paper: ``members`` networks, each of which does not see its share of the observations; the
    vector of the search's encoding joins the embedding (``encoded``); steps compare all pairs among ``batch``
    architectures instead of so many pairs. What members say of observations they have not seen turns scores
    into values, linearly per task, and tells how far off they are; the standard deviation grows where members
    disagree more than usual. One member sees everything: its standard deviation is that of the training data,
    too small, and the same everywhere.

    Tasks share the network and a common head, to which each task adds its own; pairs are of one task. Weights
    are kept from fit to fit: a fit of which a share s of the observations is new takes ``max(s, 1/10)`` of
    the epochs. The defaults fit 100 observations in about a second on one core, later ones in a tenth of it.
    The network of the paper, ``head=published, width=600, layers=4, members=1, epochs=250, batch=8,
    learning_rate=3.5e-4, dropout=0.2, encoded=False``, takes about a minute for 100; ``unit=range,
    temperature=1`` are its soft labels, ``temperature=0`` its hard ones, which it learns from in fewer steps.

    Attributes:
        head: ``transitive`` or ``published``.
        width: of a layer of the network.
        layers: graph convolutions.
        members: networks whose opinions are averaged.
        epochs: passes over the architectures in a fit of new observations alone.
        batch: architectures whose pairs are compared in a step.
        learning_rate: of AdamW, falling to zero along a cosine.
        weight_decay: of AdamW.
        dropout: share of features dropped after each layer in training.
        unit: of differences, ``median`` of those between two observations of a task, or their ``range``.
        temperature: the difference, in units, that is labelled 73 % sure; 0 labels the better 1 and the worse
            0, however close.
        encoded: whether the vector of the encoding joins the embedding of the graph.
    """

    head: str = "transitive"
    width: int = 32
    layers: int = 2
    members: int = 4
    epochs: int = 100
    batch: int = 128
    learning_rate: float = 5e-3
    weight_decay: float = 5e-4
    dropout: float = 0.0
    unit: str = "median"
    temperature: float = 0.3
    encoded: bool = True
    _weights: "dict[str, Tensor]" = field(default_factory=dict, init=False, repr=False)
    _fits: int = field(default=0, init=False, repr=False)
    _seen: KeyArray = field(init=False, repr=False)
    _centre: FloatArray = field(init=False, repr=False)
    _unit: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise unknown("surrogate.head", self.head, HEADS)
        if self.unit not in UNITS:
            raise unknown("surrogate.unit", self.unit, UNITS)
        for name in ("width", "layers", "members", "epochs", "learning_rate"):
            if not getattr(self, name) > 0:
                raise UserError(f"surrogate.{name}={getattr(self, name)}: must be positive.")
        if self.batch < 2:
            raise UserError(f"surrogate.batch={self.batch}: a pair needs at least 2 architectures.")
        if not 0 <= self.dropout < 1:
            raise UserError(f"surrogate.dropout={self.dropout}: must lie in [0, 1).")
        for name in ("weight_decay", "temperature"):
            if not getattr(self, name) >= 0:
                raise UserError(f"surrogate.{name}={getattr(self, name)}: must not be negative.")

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """As in ``Surrogate``; draws the networks' first weights."""
        import torch

        from ktnas.surrogate.gcn import initial_layers
        from ktnas.surrogate.pairwise import initial_heads

        super().prepare(encoding, n_tasks, seed)
        self._draw_reference()
        vectors = encoding.features.get(self._reference)[:, : None if self.encoded else 0]
        self._centre, spread = vectors.mean(axis=0), vectors.std(axis=0)
        self._unit = np.where(spread > 0, spread, 1.0)
        generator = torch.Generator().manual_seed(seed)
        self._weights = initial_layers(
            self.members, self.layers, self.width, len(self.space.vocabulary), generator
        )
        inputs = self.width + len(self._unit)
        self._weights |= initial_heads(self.members, inputs, n_tasks, self.head == "published", generator)
        self._fits = 0
        self._seen = np.empty(0, dtype=np.uint64)
        self._calibration = None
        return self

    def compare(self, first: IntArray, second: IntArray, task: int) -> FloatArray:
        """What the head says of each pair in this order: P(first has the smaller value), (N,) in [0, 1].

        A half where nothing could be compared yet.
        """
        n = len(first)
        if self._calibration is None or self._calibration.slopes[task] == 0:
            return np.full(n, 0.5)
        named_first, named_second = self._opinions(np.vstack([first, second]))
        return _sigmoid(named_first.mean(axis=0)[:n, task] + named_second.mean(axis=0)[n:, task])

    def prefer(self, first: IntArray, second: IntArray, task: int) -> FloatArray:
        """P(first before second) - P(second before first), each as ``compare`` says it, (N,) in [-1, 1]."""
        return self.compare(first, second, task) - self.compare(second, first, task)

    def state(self) -> State:
        """Weights, what they have been trained on, and how scores become values."""
        state: State = {f"weights.{name}": weight.numpy() for name, weight in self._weights.items()}
        state |= {"fits": np.array([self._fits]), "seen": self._seen}
        return state | self._calibration_state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """As in ``Surrogate``."""
        import torch

        self._weights = {
            name: torch.from_numpy(array.copy()) for name, array in within(state, "weights.").items()
        }
        self._fits, self._seen = int(state["fits"][0]), state["seen"]
        self._restore_calibration(state)
        return self

    def _train(self, genotypes: IntArray, tasks: IntArray, values: FloatArray, keys: KeyArray) -> None:
        import torch

        from ktnas.surrogate.pairwise import Lessons, Training, train

        share = max(LEAST_SHARE, float(1 - np.isin(keys, self._seen).mean()))
        centred = values - _level_of_each(tasks, values)
        span = _span(self.unit, tasks, values) * (self.temperature or 1.0)
        lessons = Lessons(
            self._inputs(genotypes, torch.float32),
            torch.from_numpy(tasks.astype(np.int64)),
            torch.from_numpy(centred / span).to(torch.float32),
            torch.from_numpy(self._taught(keys)),
            hard=self.temperature == 0,
        )
        training = Training(
            ceil(share * self.epochs), self.batch, self.learning_rate, self.weight_decay, self.dropout
        )
        generator = torch.Generator().manual_seed(_seed(self._seed, self._fits))
        self._weights = train(self._weights, lessons, training, generator, self._progress)
        self._seen = np.unique(keys)
        self._fits += 1

    def _scores(self, genotypes: IntArray) -> FloatArray:
        """How bad each member takes each architecture to be on each task, (members, N, T)."""
        first, second = self._opinions(genotypes)
        return (second - first) / 2

    def _opinions(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray]:
        """What speaks for each architecture named first and against it named second, (members, N, T) each."""
        import torch

        from ktnas.surrogate.gcn import embed
        from ktnas.surrogate.pairwise import opinions

        weights = {name: weight.double() for name, weight in self._weights.items()}
        inputs = self._inputs(genotypes, torch.float64)
        with torch.no_grad(), one_torch_thread():
            starts = range(0, max(len(inputs.graphs), 1), CHUNK)
            chunks = [inputs.graphs[slice(start, start + CHUNK)] for start in starts]
            features = torch.cat([embed(weights, graphs) for graphs in chunks], dim=1)
            first, second = opinions(weights, features[:, inputs.places], inputs.extra)
        return first.numpy(), second.numpy()

    def _inputs(self, genotypes: IntArray, precision: "dtype") -> "Inputs":
        """Graphs, isomorphic ones once, and the vectors of the encoding."""
        import torch

        from ktnas.surrogate.gcn import GlobalGraphs
        from ktnas.surrogate.pairwise import Inputs

        vectors = self.features.get(genotypes) if self.encoded else np.empty((len(genotypes), 0))
        extra = (vectors - self._centre) / self._unit
        _, rows, places = np.unique(self.space.keys(genotypes), return_index=True, return_inverse=True)
        graphs = GlobalGraphs.of(self.space.pruned(genotypes[rows]), precision)
        return Inputs(graphs, torch.from_numpy(places), torch.from_numpy(extra).to(precision))


def _level_of_each(tasks: IntArray, values: FloatArray) -> FloatArray:
    """Mean value of each observation's task, (N,)."""
    sums, counts = np.bincount(tasks, weights=values), np.bincount(tasks)
    return np.asarray((sums / np.maximum(counts, 1))[tasks])


def _span(unit: str, tasks: IntArray, values: FloatArray) -> float:
    """Median difference of the values of two observations of one task, or their range; positive."""
    centred = values - _level_of_each(tasks, values)
    if unit == "range":
        span = float(np.ptp(centred))
    else:
        gaps = np.abs(values[:, None] - values[None, :])[tasks[:, None] == tasks[None, :]]
        span = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    return span if span > 1e-12 else 1.0


def _sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray((1 + np.tanh(values / 2)) / 2)


def _seed(seed: int, fits: int) -> int:
    return int(np.random.SeedSequence([seed, fits]).generate_state(1)[0])
