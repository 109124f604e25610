"""Optuna's samplers on a task whose architectures are genotypes of categorical variables."""

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.tables import Table
from ktnas.arrays import BoolArray, FloatArray, IntArray, KeyArray

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

POPULATION = 10
"""Of NSGA-II. Optuna's own 50 makes two generations of 100 evaluations; of 10, 20 and 50 this did best."""

SAMPLERS: dict[str, dict[str, Any]] = {
    "optuna_nsga2": {"sampler": "NSGAIISampler", "population_size": POPULATION},
    "optuna_tpe": {"sampler": "TPESampler", "multivariate": True, "constant_liar": False},
}
"""Sampler and arguments by name."""

TRIES = 20
"""Suggestions in a row that need no evaluation; then a random architecture is evaluated."""


class Memory:
    """What a peer has evaluated: an architecture is paid for once.

    Args:
        table: answers.
        seed: of random architectures.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self._table = table
        self._space = table.task.space
        self._rng = np.random.default_rng(seed)
        self._known: dict[int, tuple[IntArray, FloatArray]] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def genotypes(self) -> IntArray:
        """Evaluated genotypes (N, V), in order."""
        return np.array([genotype for genotype, _ in self._known.values()])

    @property
    def points(self) -> FloatArray:
        """Their errors and latencies (N, 2)."""
        return np.array([point for _, point in self._known.values()])

    def answer(self, genotype: IntArray) -> FloatArray | None:
        """Error and latency (2,) of a genotype (V,), evaluated if need be; None where the table lacks it."""
        if not self._table.task.contains(genotype[None])[0]:
            return None
        identity = int(self._space.identities(genotype[None])[0])
        if identity not in self._known:
            self._known[identity] = genotype, self._table.points(genotype[None])[0]
        return self._known[identity][1]

    def unknown(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes that the table has and that were not evaluated."""
        return self._table.task.contains(genotypes) & ~self._is_known(self._space.identities(genotypes))

    def draw(self, n: int) -> IntArray:
        """Distinct random architectures (≤ n, V) that were not evaluated, fewer where fewer are left."""
        left = self._left()
        return left[self._rng.choice(len(left), min(n, len(left)), replace=False)]

    def draw_one(self) -> IntArray:
        """A random architecture (V,) that was not evaluated."""
        left = self._left()
        drawn: IntArray = left[self._rng.integers(len(left))]
        return drawn

    def _left(self) -> IntArray:
        return self._table.universe[~self._is_known(self._identities)]

    def _is_known(self, identities: KeyArray) -> BoolArray:
        return np.isin(identities, np.array(list(self._known), dtype=np.uint64))

    @cached_property
    def _identities(self) -> KeyArray:
        """Of every architecture of the table, (R,)."""
        return self._space.identities(self._table.universe)


def optuna_search(table: Table, name: str, budget: int, seed: int) -> FloatArray:
    """Error and latency (budget, 2) of the distinct architectures that a sampler evaluates, in order.

    A suggestion that was evaluated before is answered from memory, one that is no architecture of the table
    is told as failed; neither counts. After ``TRIES`` of them in a row a random architecture that is left is
    evaluated.

    Args:
        table: what is searched.
        name: key of ``SAMPLERS``.
        budget: evaluations.
        seed: of the sampler and of the random architectures.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(directions=["minimize"] * 2, sampler=_sampler(name, seed))
    memory, variables = Memory(table, seed), table.task.space.variables
    while len(memory) < budget:
        for _ in range(TRIES):
            if _try(study, table, memory):
                break
        else:
            study.enqueue_trial(dict(zip(variables, memory.draw_one().tolist(), strict=True)))
            _try(study, table, memory)
    return memory.points


def _sampler(name: str, seed: int) -> "BaseSampler":
    from optuna import samplers

    arguments = dict(SAMPLERS[name])
    sampler: BaseSampler = getattr(samplers, arguments.pop("sampler"))(seed=seed, **arguments)
    return sampler


def _try(study: "Study", table: Table, memory: Memory) -> bool:
    """Ask for one suggestion and answer it; whether it took an evaluation."""
    from optuna.trial import TrialState

    trial, before = study.ask(), len(memory)
    point = memory.answer(_genotype(trial, table))
    if point is None:
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, point.tolist())
    return len(memory) > before


def _genotype(trial: "Trial", table: Table) -> IntArray:
    space = table.task.space
    choices = zip(space.variables, space.n_choices.tolist(), strict=True)
    return np.array([trial.suggest_categorical(name, range(n)) for name, n in choices], dtype=np.int64)
