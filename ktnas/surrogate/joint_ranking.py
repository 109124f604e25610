"""Several metrics of an architecture, ranked by one network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray, KeyArray
from ktnas.encoding.base import Encoding
from ktnas.errors import UserError, unknown
from ktnas.space.chain import Chain
from ktnas.surrogate.base import State, within
from ktnas.surrogate.calibration import spread_of
from ktnas.surrogate.scored import ScoredSurrogate
from ktnas.threads import one_torch_thread

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from ktnas.surrogate.joint_trunk import Lessons

TRUNKS = ("perceptron", "lstm")
REFERENCE = 256
CHUNK = 1024
SPREAD = 3.0
"""Root of the summed variances of a group of columns, as the perceptron takes it."""


@dataclass
class JointRanking(ScoredSurrogate):
    """Joint ranking of several metrics (MTLP-JR): a trunk they share, and a head of each that compares.

    After "MTLP-JR: Multi-task learning-based prediction for joint ranking in neural architecture search"
    (Computers and Electrical Engineering 105, 2023): latency, accuracy, parameters and FLOPs are predicted
    together, as answers to which of two architectures has more. Metrics are the tasks here; each has any
    number of observations, so that what is free (parameters, FLOPs) may be given for many architectures and
    shapes the trunk for those that are not. A head gives an architecture a score, and a pair is compared by
    the difference of the scores: heads are antisymmetric and transitive by construction.

    The ``lstm`` trunk is the published one: it reads a chain position by position, and any other graph node
    by node, in the order of the graph, with the edges that enter the node. The ``perceptron`` (ours) takes
    the vectors of the search's encoding, each group of columns scaled to the same spread. ``members``
    networks learn side by side, each of which does not see its share of the observations; what it says of
    those turns scores into values and tells how far off they are. One member sees everything: its standard
    deviation is that of the training data, too small. Every fit starts from the same first weights.

    Attributes:
        trunk: ``perceptron`` or ``lstm``.
        weights: of the tasks' losses, a list of one number each; equal if empty.
        width: of a layer of the trunk.
        layers: of the trunk.
        members: networks whose opinions are averaged.
        steps: of training per fit.
        batch: observations of each task whose pairs are compared in a step.
        learning_rate: of AdamW, falling to zero along a cosine.
        weight_decay: of AdamW.
        temperature: difference of values, in units of a task's standard deviation, that is sure at 73 %; 0
            labels the greater 1 and the smaller 0, however close.
    """

    trunk: str = "perceptron"
    weights: list[float] = field(default_factory=list)
    width: int = 256
    layers: int = 2
    members: int = 5
    steps: int = 120
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 5.0
    temperature: float = 1.0
    _centre: FloatArray = field(init=False, repr=False)
    _unit: FloatArray = field(init=False, repr=False)
    _learned: "dict[str, Tensor]" = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.trunk not in TRUNKS:
            raise unknown("trunk of joint_ranking", self.trunk, TRUNKS)
        for name in ("width", "layers", "members", "steps", "learning_rate"):
            if not getattr(self, name) > 0:
                raise UserError(f"surrogate.{name}={getattr(self, name)}: must be positive.")
        if self.batch < 2:
            raise UserError(f"surrogate.batch={self.batch}: a pair needs at least 2 architectures.")
        for name in ("weight_decay", "temperature"):
            if not getattr(self, name) >= 0:
                raise UserError(f"surrogate.{name}={getattr(self, name)}: must not be negative.")
        if not all(0 <= weight < np.inf for weight in self.weights):
            raise UserError(f"surrogate.weights={self.weights}: expected numbers, none of them negative.")

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """As in ``Surrogate``; ``UserError`` for another number of weights than tasks."""
        super().prepare(encoding, n_tasks, seed)
        if self.weights and len(self.weights) != n_tasks:
            raise UserError(
                f"surrogate.weights has {len(self.weights)} entries: expected one per task, {n_tasks}."
            )
        self._draw_reference()
        if self.trunk == "perceptron":
            self._scale(encoding)
        self._learned, self._calibration = {}, None
        return self

    def prefer(self, first: IntArray, second: IntArray, task: int) -> FloatArray:
        """How surely each of ``first`` has a smaller value than its partner, (N,) in [-1, 1].

        What the head of ``task`` says, 2 P - 1, as the mean of the members; 0 before a fit.
        """
        if self._calibration is None:
            return np.zeros(len(first))
        scores = self._scores(np.vstack([first, second]))[:, :, task]
        lead = scores[:, len(first) :] - scores[:, : len(first)]
        return np.asarray(np.tanh(lead / 2).mean(axis=0))

    def state(self) -> State:
        """Weights, and how scores become values."""
        state: State = {f"weights.{name}": weight.numpy() for name, weight in self._learned.items()}
        return state | self._calibration_state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """As in ``Surrogate``."""
        import torch

        self._learned = {
            name: torch.from_numpy(array.copy()) for name, array in within(state, "weights.").items()
        }
        self._restore_calibration(state)
        return self

    def _scale(self, encoding: Encoding) -> None:
        vectors = encoding.features.get(self._reference)
        self._centre = vectors.mean(axis=0)
        self._unit = np.ones(vectors.shape[1])
        for columns in encoding.groups.values():
            spread = float(np.sqrt(vectors[:, columns].var(axis=0).sum()))
            self._unit[columns] = spread / SPREAD if spread > 0 else 1.0

    def _train(self, genotypes: IntArray, tasks: IntArray, values: FloatArray, keys: KeyArray) -> None:
        import torch

        from ktnas.surrogate.joint_trunk import Training, initial_weights, train

        generator = torch.Generator().manual_seed(self._seed)
        distinct, rows = np.unique(genotypes, axis=0, return_inverse=True)
        inputs = self._inputs(distinct, torch.float32)
        first = initial_weights(
            inputs.shape[1:], self.width, self.layers, self._n_tasks, self.members, generator
        )
        lessons = [self._lessons(task, rows, tasks, values, keys) for task in range(self._n_tasks)]
        training = Training(self.steps, self.batch, self.learning_rate, self.weight_decay)
        self._learned = train(first, inputs, lessons, training, generator, self._progress)

    def _lessons(
        self, task: int, rows: IntArray, tasks: IntArray, values: FloatArray, keys: KeyArray
    ) -> "Lessons":
        import torch

        from ktnas.surrogate.joint_trunk import Lessons

        own = tasks == task
        unit = (self.temperature or 1.0) * (spread_of(values[own]) if own.any() else 1.0)
        centred = values[own] - (values[own].mean() if own.any() else 0.0)
        return Lessons(
            torch.from_numpy(rows[own].astype(np.int64)),
            torch.from_numpy(centred / unit).to(torch.float32),
            torch.from_numpy(self._taught(keys[own])),
            self.weights[task] if self.weights else 1 / self._n_tasks,
            hard=self.temperature == 0,
        )

    def _scores(self, genotypes: IntArray) -> FloatArray:
        """Score of each architecture on each task by each member, (members, N, T)."""
        import torch

        from ktnas.surrogate.joint_trunk import scores

        weights = {name: weight.double() for name, weight in self._learned.items()}
        parts = []
        with torch.no_grad(), one_torch_thread():
            for start in range(0, max(len(genotypes), 1), CHUNK):
                parts.append(scores(weights, self._inputs(genotypes[start : start + CHUNK], torch.float64)))
        return np.asarray(torch.cat(parts, dim=1).numpy())

    def _inputs(self, genotypes: IntArray, precision: "dtype") -> "Tensor":
        """What the trunk takes: vectors (N, D), or nodes one after another (N, L, D)."""
        import torch

        if self.trunk == "perceptron":
            vectors = (self.features.get(genotypes) - self._centre) / self._unit
            return torch.from_numpy(vectors).to(precision)
        graphs = self.space.graphs(genotypes)
        words = np.arange(len(graphs.vocabulary))
        nodes = graphs.operations[:, :, None] == words
        if self.space.family != Chain.family:
            nodes = np.concatenate([nodes, graphs.adjacency.transpose(0, 2, 1)], axis=2)
        return torch.from_numpy(nodes).to(precision)
