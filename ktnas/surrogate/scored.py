"""Surrogates whose members score architectures, and how scores become values."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray, KeyArray
from ktnas.space.graph import hash_rows
from ktnas.surrogate.base import State, Surrogate
from ktnas.surrogate.calibration import Calibration
from ktnas.threads import one_torch_thread

REFERENCE = 256
"""Architectures of the space whose scores say how much members usually disagree."""


class ScoredSurrogate(Surrogate):
    """Several members give scores on each task; what a member has not seen calibrates them.

    A subclass has the parameter ``members`` and draws ``_reference`` in ``prepare``.
    """

    members: int
    _reference: IntArray
    _offsets: FloatArray
    _usual: FloatArray
    _calibration: Calibration | None = None

    @abstractmethod
    def _scores(self, genotypes: IntArray) -> FloatArray:
        """Score of each architecture on each task by each member, (members, N, T); greater for greater."""

    @abstractmethod
    def _train(self, genotypes: IntArray, tasks: IntArray, values: FloatArray, keys: KeyArray) -> None:
        """Train the members on what ``_taught(keys)`` says, with torch on one thread."""

    def fit(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> Self:
        """As in ``Surrogate``."""
        if not np.isfinite(values).all():
            raise ValueError("values must be finite; leave failed evaluations out")
        self._calibration = None
        if not len(values):
            return self
        keys = hash_rows(np.column_stack([genotypes, tasks]))
        with one_torch_thread():
            self._train(genotypes, tasks, values, keys)
        self._calibrate(genotypes, tasks, values, keys)
        return self

    def _draw_reference(self) -> None:
        self._reference = self.space.sample(REFERENCE, np.random.default_rng(0))

    def _predict(self, genotypes: IntArray, task: int) -> tuple[FloatArray, FloatArray] | None:
        """As in ``Surrogate``; the standard deviation includes the noise."""
        calibration = self._calibration
        if calibration is None:
            return None
        scores = self._scores(genotypes)[:, :, task] - self._offsets[:, [task]]
        mean = calibration.mean(scores.mean(axis=0), task)
        usual = self._usual[task]
        doubt = scores.var(axis=0) / usual if usual > 0 else np.ones(len(genotypes))
        return mean, calibration.deviation(doubt, task)

    def _calibrate(self, genotypes: IntArray, tasks: IntArray, values: FloatArray, keys: KeyArray) -> None:
        """Learn offsets, levels and slopes from observations, each scored by the member without it."""
        scores = self._scores(genotypes)
        own = [tasks == task for task in range(self._n_tasks)]
        self._offsets = np.column_stack(
            [
                scores[:, rows if rows.any() else slice(None), task].mean(axis=1)
                for task, rows in enumerate(own)
            ]
        )
        scores -= self._offsets[:, None, :]
        unseen = scores[self._fold(keys), np.arange(len(keys)), tasks]
        self._calibration = Calibration.of(unseen, tasks, values, self._n_tasks)
        reference = self._scores(self._reference) - self._offsets[:, None, :]
        self._usual = reference.var(axis=0).mean(axis=0)

    def _fold(self, keys: KeyArray) -> IntArray:
        """The member that does not see each observation, (N,); 0 where there is one, which sees all."""
        return (keys % np.uint64(self.members)).astype(np.int64)

    def _taught(self, keys: KeyArray) -> NDArray[np.bool_]:
        """Which observations each member sees, (members, N)."""
        return np.asarray((self._fold(keys) != np.arange(self.members)[:, None]) | (self.members == 1))

    def _calibration_state(self) -> State:
        if self._calibration is None:
            return {}
        return {"offsets": self._offsets, "usual": self._usual, **self._calibration.state()}

    def _restore_calibration(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._calibration = None
        if "levels" in state:
            self._offsets, self._usual = state["offsets"], state["usual"]
            self._calibration = Calibration(**{name: state[name] for name in Calibration.names()})
