"""Multi-Predict: learned on one task or space, adapted to another by a few observations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.errors import UserError, unknown
from ktnas.surrogate import multi_predict_network as network
from ktnas.surrogate.base import State, Surrogate, within
from ktnas.surrogate.files import read_state
from ktnas.surrogate.multi_predict_head import Alone, Blend, Knowledge
from ktnas.surrogate.multi_predict_network import Training, Weights
from ktnas.surrogate.normal_scores import normal_scores

ADAPTATIONS = ("blended", "fine_tuned")
TUNING_RATE = 1 / 3
ENOUGH = 2


@dataclass(frozen=True)
class Observations:
    """What a surrogate was fitted to, and in standard units (``standard``), per task of mean 0."""

    genotypes: IntArray
    tasks: IntArray
    values: FloatArray
    vectors: FloatArray
    standard: FloatArray


@dataclass
class MultiPredict(Surrogate):
    """A network on vectors that mean the same in every space, and what few observations of a new one add.

    After Akhauri and Abdelfattah, "Multi-Predict: Few Shot Predictors For Efficient Neural Architecture
    Search" (AutoML-Conf 2023): an encoding that does not depend on the space (``zero_cost``) feeds an
    ensemble of small networks, whose tasks share all but a learned embedding each. One that has been trained
    on a space or task (``start_from``, or a file: ``pretrained``) is where a surrogate of another starts.

    ``adaptation`` says how observations are then used:

    - ``fine_tuned``, as published: the network is trained on with the observations, or from scratch where
      nothing was lent.
    - ``blended``: the lent network stays as it is. A Gaussian process on the vectors learns from the task's
      observations alone; another one also sees what the lent network says of each of its tasks, its last
      hidden layer, and what the processes of this search's other tasks say. The two are weighed by their
      errors on observations left out, so that a network which does not fit the task is soon left alone.

    Standard units: values less the mean of their task, divided by the standard deviation of all that is left.
    Until two different values of one task were seen, every task is predicted to be its mean, with a standard
    deviation of 1. With a lent network and no observation at all the prediction is what that network says,
    in its standard units: enough to rank.

    Attributes:
        pretrained: file of ``Predictor.save`` whose surrogate is a ``multi_predict`` on vectors of the same
            length, of any space; none if empty.
        adaptation: ``blended`` or ``fine_tuned``.
        members: networks of an ensemble.
        hidden: width of their two hidden layers.
        steps: of training.
        batch: observations per step.
        learning_rate: at the start of training; a third of it for fine-tuning.
        masking: share of a vector's entries that each step of training hides.
        tuning: steps of fine-tuning.
        limit: observations of a task that its processes use at most, the best ones; a fit costs O(limit^3).
    """

    pretrained: str = ""
    adaptation: str = "blended"
    members: int = 5
    hidden: int = 64
    steps: int = 400
    batch: int = 64
    learning_rate: float = 0.003
    masking: float = 0.5
    tuning: int = 100
    limit: int = 400
    _lent: Weights | None = field(default=None, init=False, repr=False)
    _data: Observations | None = field(default=None, init=False, repr=False)
    _scale: float = field(default=0.0, init=False, repr=False)
    _levels: FloatArray = field(init=False, repr=False)
    _network: Weights | None = field(default=None, init=False, repr=False)
    _tuned: Weights | None = field(default=None, init=False, repr=False)
    _alone: dict[int, Alone] = field(default_factory=dict, init=False, repr=False)
    _blends: dict[int, Blend] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.adaptation not in ADAPTATIONS:
            raise unknown("adaptation", self.adaptation, ADAPTATIONS)
        for name in ("members", "hidden", "steps", "batch", "tuning", "limit"):
            if getattr(self, name) < 1:
                raise UserError(f"surrogate.{name}={getattr(self, name)}: expected 1 or more.")
        if not 0 <= self.masking < 1:
            raise UserError(f"surrogate.masking={self.masking}: expected a share from 0 to below 1.")

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """As in ``Surrogate``; reads ``pretrained``.

        Raises:
            UserError: ``pretrained`` is no file of a fitted ``multi_predict``, or one on other vectors.
        """
        super().prepare(encoding, n_tasks, seed)
        self._lent = None
        self._forget()
        if self.pretrained:
            self._borrow(_read_network(Path(self.pretrained)), self.pretrained)
        return self

    def start_from(self, other: "MultiPredict") -> Self:
        """Build on what ``other`` learned, on any space and tasks. After ``prepare`` and before ``fit``.

        Raises:
            UserError: ``other`` was fitted to fewer than two observations, or to vectors of another length.
        """
        if other.network is None:
            raise UserError(
                f"A surrogate can only start from one that was fitted to {ENOUGH} observations or more."
            )
        self._borrow(other.network, "the surrogate to start from")
        return self

    @property
    def network(self) -> Weights | None:
        """The network of the observations, which others may start from; trained when it is first asked for.

        It learns the places of the values within their task, as normal scores. None below two observations.
        """
        data = self._data
        if self._network is None and data is not None and len(data.values) >= ENOUGH:
            scores = _normal_scores(data.values, data.tasks)
            self._network = self._train(data, scores, self.steps, self.learning_rate)
        return self._network

    def fit(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> Self:
        """As in ``Surrogate``."""
        if not np.isfinite(values).all():
            raise ValueError("values must be finite; leave failed evaluations out")
        self._forget()
        if len(values):
            self._data = self._observe(genotypes, tasks, values)
            if self.adaptation == "fine_tuned" and self._scale:
                self._tuned = self._tune(self._data)
        return self

    def _predict(self, genotypes: IntArray, task: int) -> tuple[FloatArray, FloatArray] | None:
        """As in ``Surrogate``; the standard deviation includes the noise."""
        if self._data is None:
            return self._before_any(genotypes)
        if not self._scale:
            return np.full(len(genotypes), self._levels[task]), np.ones(len(genotypes))
        vectors = self.features.get(genotypes)
        standard, variance = self._tuned_says(vectors, task) if self._tuned else self._says(vectors, task)
        return self._levels[task] + self._scale * standard, self._scale * np.sqrt(variance)

    def state(self) -> State:
        """As in ``Surrogate``, and the network that others start from."""
        state: State = {f"lent.{name}": array for name, array in (self._lent or {}).items()}
        if self._data is None:
            return state
        observed = {name: getattr(self._data, name) for name in ("genotypes", "tasks", "values")}
        for prefix, weights in (("network.", self.network), ("tuned.", self._tuned)):
            state |= {f"{prefix}{name}": array for name, array in (weights or {}).items()}
        return state | observed

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """As in ``Surrogate``."""
        self._lent = within(state, "lent.") or None
        self._forget()
        if "values" in state:
            self._data = self._observe(state["genotypes"], state["tasks"], state["values"])
            self._network = within(state, "network.") or None
            self._tuned = within(state, "tuned.") or None
        return self

    def _forget(self) -> None:
        self._data = None
        self._network = self._tuned = None
        self._alone, self._blends = {}, {}

    def _borrow(self, weights: Weights, origin: str) -> None:
        if network.width(weights) != self.features.encoding.dim:
            raise UserError(
                f"The network of {origin} takes vectors of {network.width(weights)} numbers, not the "
                f"{self.features.encoding.dim} of this encoding. Use one encoding, with the same proxies."
            )
        self._lent = weights

    def _observe(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> Observations:
        counts = np.bincount(tasks, minlength=self._n_tasks)
        means = np.bincount(tasks, weights=values, minlength=self._n_tasks) / np.maximum(counts, 1)
        self._levels = np.where(counts > 0, means, means[counts > 0].mean())
        centred = values - self._levels[tasks]
        spread = float(centred.std())
        self._scale = spread if spread > 1e-12 * np.abs(values).max() else 0.0
        standard = centred / (self._scale or 1.0)
        return Observations(genotypes, tasks, values, self.features.get(genotypes), standard)

    def _tune(self, data: Observations) -> Weights:
        if self._lent is None:
            return self._train(data, data.standard, self.steps, self.learning_rate)
        return self._train(data, data.standard, self.tuning, TUNING_RATE * self.learning_rate)

    def _train(self, data: Observations, values: FloatArray, steps: int, rate: float) -> Weights:
        training = Training(self.members, self.hidden, steps, self.batch, rate, self.masking)
        return network.train(
            data.vectors, data.tasks, values, self._n_tasks, training, self._seed, self._lent, self._progress
        )

    def _before_any(self, genotypes: IntArray) -> tuple[FloatArray, FloatArray] | None:
        if self._lent is None:
            return None
        said = network.predict(self._lent, self.features.get(genotypes))
        return said.mean(axis=(0, 2)), np.sqrt(1 + said.var(axis=(0, 2)))

    def _tuned_says(self, vectors: FloatArray, task: int) -> tuple[FloatArray, FloatArray]:
        """Mean and variance in standard units: the members' own, and what they miss of the observations."""
        assert self._data is not None
        assert self._tuned is not None
        fitted = network.predict(self._tuned, self._data.vectors).mean(axis=0)
        missed = fitted[np.arange(len(fitted)), self._data.tasks] - self._data.standard
        said = network.predict(self._tuned, vectors)[..., task]
        return said.mean(axis=0), said.var(axis=0) + (missed**2).mean() + 1e-6

    def _says(self, vectors: FloatArray, task: int) -> tuple[FloatArray, FloatArray]:
        """Mean and variance in standard units of the blended processes."""
        assert self._data is not None
        if not (self._data.tasks == task).any():
            return self._unseen(vectors)
        if task not in self._blends:
            rows = self._rows(task)
            known = self._known(self._data.vectors[rows], task)
            self._blends[task] = Blend.fit(self._own(task), known, self._data.standard[rows])
        return self._blends[task].predict(self._known(vectors, task))

    def _unseen(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What the processes of all tasks observed say together, for a task that has no observation."""
        said = [self._own(task).predict(vectors) for task in self._others(task=-1)]
        means, variances = np.array(said).transpose(1, 0, 2)
        return means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)

    def _known(self, vectors: FloatArray, task: int) -> Knowledge:
        """What the lent network and the other tasks' processes know of vectors (N, D)."""
        others = [self._own(other).predict(vectors)[0][:, None] for other in self._others(task)]
        descriptions = np.empty((len(vectors), 0))
        if self._lent is not None:
            opinions, descriptions = network.consult(self._lent, vectors)
            others.append(opinions)
        return Knowledge(vectors, np.hstack([np.empty((len(vectors), 0)), *others]), descriptions)

    def _others(self, task: int) -> list[int]:
        """Tasks but this one of which two values or more were seen."""
        assert self._data is not None
        counts = np.bincount(self._data.tasks, minlength=self._n_tasks)
        return [other for other in np.flatnonzero(counts >= ENOUGH).tolist() if other != task]

    def _own(self, task: int) -> Alone:
        """The process of this task's observations alone."""
        assert self._data is not None
        if task not in self._alone:
            rows = self._rows(task)
            self._alone[task] = Alone().fit(self._data.vectors[rows], self._data.standard[rows])
        return self._alone[task]

    def _rows(self, task: int) -> IntArray:
        """The ``limit`` best observations of a task, in their order."""
        assert self._data is not None
        rows = np.flatnonzero(self._data.tasks == task)
        best = np.argsort(self._data.values[rows], kind="stable")[: self.limit]
        return np.asarray(rows[np.sort(best)])


def _normal_scores(values: FloatArray, tasks: IntArray) -> FloatArray:
    """Places of the values (N,) within their task, as quantiles of a standard normal."""
    scores = np.empty(len(values))
    for task in np.unique(tasks):
        own = tasks == task
        scores[own] = normal_scores(values[own])
    return scores


def _read_network(path: Path) -> Weights:
    """The network in a file of ``Predictor.save``."""
    try:
        description, arrays = read_state(path)
    except UserError as problem:
        raise UserError(f"surrogate.pretrained: {problem}") from None
    surrogate = description.get("surrogate", {})
    name = surrogate if isinstance(surrogate, str) else surrogate.get("name")
    weights: Weights = within(arrays, "network.")
    if name != "multi_predict" or not weights:
        raise UserError(
            f"surrogate.pretrained={path}: expected a file that Predictor.save wrote of a multi_predict "
            f"fitted to {ENOUGH} observations or more; found {name or 'something else'}."
        )
    return weights
