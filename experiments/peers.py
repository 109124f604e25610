"""Optuna's samplers on a task whose architectures are genotypes of categorical variables."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.tables import Table
from ktnas.arrays import FloatArray, IntArray

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
    return _Memory(table, study, np.random.default_rng(seed)).search(budget)


def _sampler(name: str, seed: int) -> "BaseSampler":
    from optuna import samplers

    arguments = dict(SAMPLERS[name])
    sampler: BaseSampler = getattr(samplers, arguments.pop("sampler"))(seed=seed, **arguments)
    return sampler


class _Memory:
    """A study that pays for an architecture once."""

    def __init__(self, table: Table, study: "Study", rng: np.random.Generator) -> None:
        self._table = table
        self._study = study
        self._rng = rng
        self._space = table.task.space
        self._known: dict[int, FloatArray] = {}

    def search(self, budget: int) -> FloatArray:
        while len(self._known) < budget:
            for _ in range(TRIES):
                if self._try():
                    break
            else:
                self._study.enqueue_trial(self._fresh())
                self._try()
        return np.array(list(self._known.values()))

    def _try(self) -> bool:
        """Ask for one suggestion and answer it; whether it took an evaluation."""
        from optuna.trial import TrialState

        trial = self._study.ask()
        genotype = self._genotype(trial)
        if not self._table.task.contains(genotype)[0]:
            self._study.tell(trial, state=TrialState.FAIL)
            return False
        identity = int(self._space.identities(genotype)[0])
        new = identity not in self._known
        if new:
            self._known[identity] = self._table.points(genotype)[0]
        self._study.tell(trial, self._known[identity].tolist())
        return new

    def _genotype(self, trial: "Trial") -> IntArray:
        choices = zip(self._space.variables, self._space.n_choices.tolist(), strict=True)
        return np.array([[trial.suggest_categorical(name, range(n)) for name, n in choices]], dtype=np.int64)

    def _fresh(self) -> dict[str, int]:
        """Parameters of a random architecture that was not evaluated yet."""
        universe, known = self._table.universe, np.array(list(self._known), dtype=np.uint64)
        left = universe[~np.isin(self._space.identities(universe), known)]
        drawn = left[self._rng.integers(len(left))].tolist()
        return dict(zip(self._space.variables, drawn, strict=True))
