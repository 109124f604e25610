"""An ensemble of gated graph networks, each checked on what it has not seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.errors import UserError
from ktnas.space.graph import GraphBatch
from ktnas.surrogate.base import State, Surrogate, within
from ktnas.surrogate.levels import Levels
from ktnas.threads import one_torch_thread

if TYPE_CHECKING:
    from torch import Generator

    from ktnas.surrogate.gated_graph import GatedGraphNetwork

FEWEST = 8

LEAST_SLOPE = 0.05
"""Values per score, both in standard deviations, at least: scores that mean little keep their order."""


@dataclass
class GraphNetwork(Surrogate):
    """Networks that read the pruned graph and learn the order of the values.

    ``members`` networks, each trained without one of as many parts of the observations. On that part it is
    tested: a line through the scores of held-out observations turns scores into values, and how far they
    miss it, with how far the members disagree, is the standard deviation. Values are standardised as by
    ``MultiTaskGP``. With fewer than 8 observations the means of the tasks are predicted.

    The networks are kept until ``refit`` new observations have come; until then predictions stand still. The
    encoding plays no part: graphs are read as they are. What a node place adds to an operation is learned
    from zero, so isomorphic graphs differ only as far as the values do.

    Attributes:
        members: networks, 2 or more.
        width: features of a node.
        layers: steps along the edges, and against them.
        epochs: passes over the observations.
        learning_rate: highest, of AdamW.
        refit: observations after which the networks are trained anew.
    """

    members: int = 4
    width: int = 64
    layers: int = 3
    epochs: int = 120
    learning_rate: float = 4e-3
    refit: int = 10
    _levels: Levels | None = field(default=None, init=False, repr=False)
    _networks: "list[GatedGraphNetwork]" = field(default_factory=list, init=False, repr=False)
    _centres: FloatArray = field(init=False, repr=False)
    _line: FloatArray = field(init=False, repr=False)
    _held_out: FloatArray = field(init=False, repr=False)
    _next_fit: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.members < 2:
            raise UserError(
                f"surrogate.members={self.members}: must be 2 or more, each is tested by the rest."
            )
        for name in ("width", "layers", "epochs", "learning_rate", "refit"):
            if getattr(self, name) <= 0:
                raise UserError(f"surrogate.{name}={getattr(self, name)}: must be positive.")

    def prepare(self, encoding: Encoding, n_tasks: int, seed: int) -> Self:
        """As in ``Surrogate``."""
        super().prepare(encoding, n_tasks, seed)
        self._forget()
        return self

    def _forget(self) -> None:
        self._levels, self._networks, self._next_fit = None, [], 0
        self._centres = np.zeros((self.members, self._n_tasks, 2))
        self._line = np.array([0.0, 1.0])
        self._held_out = np.empty(0)

    def fit(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> Self:
        """As in ``Surrogate``; does nothing before ``refit`` new observations have come."""
        if not np.isfinite(values).all():
            raise ValueError("values must be finite; leave failed evaluations out")
        if not len(values):
            self._forget()
        if len(values) < self._next_fit or not len(values):
            return self
        self._forget()
        self._levels = Levels.of(tasks, values, self._n_tasks)
        standardised = self._levels.standardise(tasks, values)
        self._held_out = np.zeros(len(values))
        if len(values) >= FEWEST and standardised.std() > 0:
            self._next_fit = len(values) + self.refit
            self._train(genotypes, tasks, standardised)
        return self

    def _train(self, genotypes: IntArray, tasks: IntArray, values: FloatArray) -> None:
        import torch

        from ktnas.surrogate.gated_graph import Graphs, score, train

        graphs = self.space.pruned(genotypes)
        arrays = Graphs.of(graphs, torch.float32)
        part = parts(len(values), self.members, self._seed)
        scores = np.zeros(len(values))
        total, done = self.members * self.epochs, 0

        def advance() -> None:
            nonlocal done
            done += 1
            if self._progress is not None:
                self._progress(done, total)

        with one_torch_thread():
            for member in range(self.members):
                seen = part != member
                generator = torch.Generator().manual_seed(self._seed * self.members + member)
                network = self._network(graphs, generator)
                train(
                    network,
                    arrays[torch.from_numpy(np.flatnonzero(seen))],
                    tasks[seen],
                    values[seen],
                    self.epochs,
                    self.learning_rate,
                    generator,
                    advance,
                )
                self._networks.append(network)
                own = score(network, graphs)
                self._centres[member] = _centres(own[seen], tasks[seen])
                scores[~seen] = self._centred(own, member)[~seen, tasks[~seen]]
        self._calibrate(scores, values)

    def _calibrate(self, scores: FloatArray, values: FloatArray) -> None:
        """Line through the origin from held-out scores to values; slope and residual deviation."""
        slope = max(float(scores @ values) / max(float(scores @ scores), 1e-12), LEAST_SLOPE)
        self._held_out = slope * scores
        self._line = np.array([slope, np.sqrt(np.mean((values - self._held_out) ** 2) + 1e-6)])

    def _network(self, graphs: GraphBatch, generator: "Generator") -> "GatedGraphNetwork":
        import torch

        from ktnas.surrogate.gated_graph import GatedGraphNetwork

        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(generator.initial_seed())
            return GatedGraphNetwork(
                len(graphs.vocabulary), graphs.n_nodes, self._n_tasks, self.width, self.layers
            )

    def _centred(self, scores: FloatArray, member: int) -> FloatArray:
        level, spread = self._centres[member].T
        return np.asarray((scores - level) / spread)

    def _predict(self, genotypes: IntArray, task: int) -> tuple[FloatArray, FloatArray] | None:
        """As in ``Surrogate``."""
        levels = self._levels
        if levels is None:
            return None
        if not self._networks:
            return np.full(len(genotypes), levels.levels[task]), np.full(len(genotypes), levels.scale)
        slope, missed = self._line
        scores = slope * self._member_scores(self.space.pruned(genotypes), task)
        mean = levels.levels[task] + levels.scale * scores.mean(axis=0)
        return np.asarray(mean), np.asarray(levels.scale * np.sqrt(scores.var(axis=0) + missed**2))

    def _member_scores(self, graphs: GraphBatch, task: int) -> FloatArray:
        """Centred scores (members, N) on ``task``."""
        from ktnas.surrogate.gated_graph import score

        with one_torch_thread():
            every = [self._centred(score(network, graphs), i) for i, network in enumerate(self._networks)]
        return np.array([scores[:, task] for scores in every])

    def held_out(self) -> FloatArray | None:
        """Standardised predictions (N,) of the observations of the last training by networks without them."""
        return self._held_out if self._networks else None

    def state(self) -> State:
        """Weights, calibration and levels."""
        state: State = {"next_fit": np.array([self._next_fit])}
        if self._levels is None:
            return state
        state |= {"levels": self._levels.levels, "scale": np.array([self._levels.scale])}
        state |= {"centres": self._centres, "line": self._line, "held_out": self._held_out}
        for member, network in enumerate(self._networks):
            weights = network.state_dict()
            state |= {f"network.{member}.{name}": weight.numpy() for name, weight in weights.items()}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> Self:
        """As in ``Surrogate``."""
        self._forget()
        self._next_fit = int(state["next_fit"][0])
        if "levels" not in state:
            return self
        self._levels = Levels(state["levels"], float(state["scale"][0]))
        self._centres, self._line, self._held_out = state["centres"], state["line"], state["held_out"]
        if any(name.startswith("network.") for name in state):
            self._networks = [self._loaded(within(state, f"network.{i}.")) for i in range(self.members)]
        return self

    def _loaded(self, weights: State) -> "GatedGraphNetwork":
        import torch

        example = self.space.graphs(self.space.sample(1, np.random.default_rng(0)))
        network = self._network(example, torch.Generator()).double()
        network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
        return network


def _centres(scores: FloatArray, tasks: IntArray) -> FloatArray:
    """Mean of the scores (N, T) of each task's observations and the spread they share, (T, 2).

    A task without observations has the mean over those of the others.
    """
    n_tasks = scores.shape[1]
    level = np.full(n_tasks, float(scores.mean()))
    for task in np.unique(tasks).tolist():
        level[task] = scores[tasks == task, task].mean()
    spread = float(np.std(scores[np.arange(len(tasks)), tasks] - level[tasks]))
    return np.column_stack([level, np.full(n_tasks, max(spread, 1e-12))])


def parts(n: int, count: int, seed: int) -> IntArray:
    """Random part (n,) of each of ``n`` observations, ``count`` parts of equal size."""
    return np.random.default_rng(seed).permutation(n) % count
