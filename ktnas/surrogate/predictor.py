"""A surrogate used on its own, like a regressor of scikit-learn: fitted, asked, saved and loaded."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
from rich.console import Console
from rich.progress import Progress as Bar
from sklearn.base import BaseEstimator, RegressorMixin

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.errors import UserError, unknown
from ktnas.registry import build
from ktnas.space import SearchSpace, load_space
from ktnas.surrogate.base import Progress, Surrogate
from ktnas.surrogate.files import read_state, write_state

Spec = str | Mapping[str, Any]
Architectures = Sequence[str] | IntArray


class Predictor(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Values of architectures of one space on one or several tasks, learned from some of them.

    Architectures are official texts or genotypes (N, V). Values are of any unit; ``rank`` and ``prefer`` take
    the smaller one for the better. An estimator of scikit-learn: ``clone``, ``cross_val_score`` and
    ``GridSearchCV`` work with it.

    Args:
        space: name of a space or path of its YAML file.
        surrogate: name in the registry, or ``{"name": …, **parameters}``.
        encoding: likewise.
        tasks: names of the tasks; one without a value of its own is predicted from the others.
        seed: of all randomness.
        progress: whether training shows a bar in the terminal, or a function that is told the steps done
            and their number.
    """

    def __init__(
        self,
        space: str | Path = "nasbench201",
        surrogate: Spec = "multitask_gp",
        encoding: Spec = "auto",
        tasks: Sequence[str] = ("task",),
        seed: int = 0,
        progress: bool | Progress = False,
    ) -> None:
        self.space = space
        self.surrogate = surrogate
        self.encoding = encoding
        self.tasks = tasks
        self.seed = seed
        self.progress = progress

    def fit(self, X: Architectures, y: Sequence[float] | FloatArray, task: str | Sequence[str] = "") -> Self:
        """Learn from values ``y`` (N,) of architectures ``X`` on ``task``: one name, or one for each.

        Raises:
            UserError: a value that is not finite, another number of values, an unknown task, no architecture
                of the space.
        """
        self._prepare()
        genotypes = self._genotypes(X)
        values = np.asarray(y, dtype=np.float64)
        if values.shape != (len(genotypes),):
            raise UserError(
                f"y has shape {values.shape}: expected ({len(genotypes)},), a value per row of X."
            )
        for position in np.flatnonzero(~np.isfinite(values))[:1].tolist():
            raise UserError(f"y[{position}] is {values[position]}: values must be finite; leave it out.")
        names = [task] * len(genotypes) if isinstance(task, str) else list(task)
        if len(names) != len(genotypes):
            raise UserError(f"task has {len(names)} names: expected one, or one for each of X.")
        tasks = np.array([self._task(name) for name in names], dtype=np.int64)
        with self._told() as told:
            self.surrogate_.report_to(told).fit(genotypes, tasks, values)
        self.surrogate_.report_to(None)
        return self

    @contextmanager
    def _told(self) -> Iterator[Progress | None]:
        if callable(self.progress) or not self.progress:
            yield self.progress or None
            return
        console = Console(stderr=True)
        with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
            name = _mapping(self.surrogate)["name"]
            line = bar.add_task(f"Training {name}", total=None)
            yield lambda done, total: bar.update(line, completed=done, total=total)

    @overload
    def predict(self, X: Architectures, task: str = ..., return_std: Literal[False] = ...) -> FloatArray: ...
    @overload
    def predict(
        self, X: Architectures, task: str = ..., *, return_std: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...
    def predict(
        self, X: Architectures, task: str = "", return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Mean (N,) of the values on ``task`` (default: the first) and the standard deviation of a value."""
        genotypes, index = self._genotypes(X), self._task(task)
        if return_std:
            return self.surrogate_.predict(genotypes, index, return_std=True)
        return self.surrogate_.predict(genotypes, index)

    def rank(self, X: Architectures, task: str = "") -> IntArray:
        """Places (N,) from 0, the smallest predicted value first."""
        return self.surrogate_.rank(self._genotypes(X), self._task(task))

    def prefer(self, first: Architectures, second: Architectures, task: str = "") -> FloatArray:
        """How surely each of ``first`` has a smaller value than its partner in ``second``, (N,) in [-1, 1].

        Antisymmetric: ``prefer(a, b)`` is ``-prefer(b, a)``.
        """
        a, b = self._genotypes(first), self._genotypes(second)
        if len(a) != len(b):
            raise UserError(f"{len(a)} architectures cannot be compared with {len(b)}: expected pairs.")
        return self.surrogate_.prefer(a, b, self._task(task))

    def save(self, path: str | Path) -> Path:
        """Write a fitted predictor: arrays as safetensors, the rest as JSON in the header of that file."""
        description = {
            "space": str(self.space),
            "surrogate": self.surrogate if isinstance(self.surrogate, str) else dict(self.surrogate),
            "encoding": self.encoding if isinstance(self.encoding, str) else dict(self.encoding),
            "tasks": list(self.tasks),
            "seed": self.seed,
        }
        write_state(Path(path), description, self.surrogate_.state())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what ``save`` wrote; predictions are the same to the digit.

        Raises:
            UserError: no such file, or not one of a predictor.
        """
        description, state = read_state(Path(path))
        predictor = cls(**description)
        predictor._prepare()
        predictor.surrogate_.restore(state)
        return predictor

    def _prepare(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise UserError(f"tasks={list(self.tasks)}: expected one or more different names.")
        self.space_: SearchSpace = load_space(self.space)
        encoding: Encoding = build("encoding", _mapping(self.encoding))
        surrogate: Surrogate = build("surrogate", _mapping(self.surrogate))
        encoding.fit(self.space_, self.seed)
        self.surrogate_ = surrogate.prepare(encoding, len(self.tasks), self.seed)

    def _genotypes(self, architectures: Architectures) -> IntArray:
        if not hasattr(self, "space_"):
            raise UserError("This predictor has learned nothing yet: call fit(X, y) first.")
        array = np.asarray(architectures)
        if array.dtype.kind in "iu" and array.ndim == 2:
            return array.astype(np.int64, copy=False)
        return self.space_.parse([str(text) for text in architectures])

    def _task(self, name: str) -> int:
        if not name:
            return 0
        if name not in self.tasks:
            raise unknown("task", name, self.tasks)
        return list(self.tasks).index(name)


def _mapping(spec: Spec) -> dict[str, Any]:
    return {"name": spec} if isinstance(spec, str) else dict(spec)
