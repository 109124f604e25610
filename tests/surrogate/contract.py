"""What every surrogate promises. A test class inherits this and names its surrogate."""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import pytest
from omegaconf import OmegaConf

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.onehot import OneHot
from ktnas.registry import build, resolve
from ktnas.resources import resource_dir
from ktnas.space import load_space
from ktnas.surrogate.base import Surrogate

SPACE = load_space("transnas_micro")
ENCODING = OneHot().fit(SPACE, seed=0)
N_TASKS = 3


def draw(n: int, seed: int = 0) -> IntArray:
    """``n`` different architectures (n, V)."""
    rng = np.random.default_rng(seed)
    return SPACE.architectures()[rng.choice(SPACE.size, n, replace=False)]


def truth(genotypes: IntArray, seed: int = 0) -> FloatArray:
    """A value of each architecture: what its operations are worth, and one pair of them together."""
    rng = np.random.default_rng(seed)
    alone, together = rng.normal(size=(6, 4)), rng.normal(scale=0.7, size=(4, 4))
    return alone[np.arange(6), genotypes].sum(axis=1) + together[genotypes[:, 0], genotypes[:, 5]]


class SurrogateContract:
    name: ClassVar[str]
    parameters: ClassVar[dict[str, Any]] = {}
    draws: ClassVar[int] = 6

    def build(self, n_tasks: int = N_TASKS) -> Surrogate:
        surrogate: Surrogate = build("surrogate", {"name": self.name, **self.parameters})
        return surrogate.prepare(ENCODING, n_tasks, seed=0)

    def fitted(self, n: int, n_tasks: int = N_TASKS, seed: int = 0) -> Surrogate:
        """A surrogate that has seen ``n`` architectures, the tasks in turn."""
        genotypes = draw(n, seed)
        return self.build(n_tasks).fit(genotypes, np.arange(n) % n_tasks, truth(genotypes))

    def check(self, surrogate: Surrogate, task: int = 0) -> tuple[FloatArray, FloatArray]:
        """Prediction of 40 architectures, of the right form."""
        genotypes = draw(40, seed=1)
        before = genotypes.copy()
        mean, std = surrogate.predict(genotypes, task, return_std=True)
        np.testing.assert_array_equal(genotypes, before)
        np.testing.assert_array_equal(surrogate.predict(genotypes, task), mean)
        assert mean.shape == std.shape == (40,)
        assert mean.dtype == std.dtype == np.float64
        assert np.isfinite(mean).all()
        assert np.isfinite(std).all()
        assert (std > 0).all()
        return mean, std

    @pytest.mark.parametrize("n", [1, 2, 3, 10, 60])
    def test_mean_and_standard_deviation_of_every_task(self, n):
        surrogate = self.fitted(n)
        for task in range(N_TASKS):
            self.check(surrogate, task)

    def test_nothing_observed(self):
        empty = SPACE.architectures()[:0]
        for surrogate in (self.build(), self.fitted(10).fit(empty, np.arange(0), np.empty(0))):
            mean, std = self.check(surrogate)
            assert (mean == 0).all()
            assert (std == 1).all()

    def test_nothing_asked(self):
        mean, std = self.fitted(10).predict(SPACE.architectures()[:0], 0, return_std=True)
        assert mean.shape == std.shape == (0,)

    def test_predicts_better_than_the_mean(self):
        genotypes = draw(100)
        surrogate = self.build(n_tasks=1).fit(genotypes, np.zeros(100, dtype=np.int64), truth(genotypes))
        held_out = truth(draw(200, seed=1))
        missed = surrogate.predict(draw(200, seed=1), 0) - held_out
        assert np.sqrt((missed**2).mean()) < 0.5 * held_out.std()

    def test_standard_deviation_covers_the_truth(self):
        mean, std = self.fitted(90).predict(draw(300, seed=1), 0, return_std=True)
        away = np.abs(mean - truth(draw(300, seed=1))) / std
        assert (away < 2).mean() > 0.8
        assert (away > 0.5).mean() > 0.1

    def test_surest_where_it_has_looked(self):
        surrogate = self.fitted(30)
        seen = draw(30)[np.arange(30) % N_TASKS == 0]
        assert surrogate.predict(seen, 0, return_std=True)[1].mean() < self.check(surrogate)[1].mean()

    def test_is_deterministic(self):
        np.testing.assert_array_equal(self.check(self.fitted(30)), self.check(self.fitted(30)))

    def test_rows_do_not_depend_on_the_batch(self):
        surrogate, genotypes = self.fitted(30), draw(20, seed=1)
        alone = [surrogate.predict(row[None], 1, return_std=True) for row in genotypes]
        together = surrogate.predict(genotypes, 1, return_std=True)
        np.testing.assert_allclose(np.concatenate(alone, axis=1), together, rtol=1e-9, atol=1e-9)

    def test_leaves_the_observations_alone(self):
        genotypes, tasks = draw(20), np.arange(20) % N_TASKS
        values = truth(genotypes)
        given = (genotypes, tasks, values)
        before = [array.copy() for array in given]
        self.build().fit(*given)
        for array, copy in zip(given, before, strict=True):
            np.testing.assert_array_equal(array, copy)

    def test_task_without_an_observation_is_in_the_units_of_the_others(self):
        genotypes = draw(60)
        surrogate = self.build().fit(genotypes, np.arange(60) % 2, 1000 + truth(genotypes))
        mean, _ = self.check(surrogate, task=2)
        assert np.abs(mean - 1000).max() < 20
        assert np.corrcoef(mean, truth(draw(40, seed=1)))[0, 1] > 0.5

    def test_more_tasks_than_observations(self):
        surrogate = self.fitted(4, n_tasks=9)
        for task in range(9):
            self.check(surrogate, task)

    def test_each_task_has_its_own_level(self):
        genotypes, tasks = draw(40), np.arange(40) % 2
        surrogate = self.build(2).fit(genotypes, tasks, truth(genotypes) + np.array([0, 500])[tasks])
        for task, level in enumerate([0, 500]):
            assert np.abs(self.check(surrogate, task)[0] - level).max() < 20

    @pytest.mark.parametrize("constant", [0.0, -3.5, 1e6])
    def test_equal_values(self, constant):
        genotypes = draw(12)
        surrogate = self.build().fit(genotypes, np.arange(12) % N_TASKS, np.full(12, constant))
        np.testing.assert_allclose(self.check(surrogate)[0], constant, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("scale", [1e-9, 1e9])
    def test_values_in_any_unit(self, scale):
        genotypes, tasks = draw(30), np.arange(30) % N_TASKS
        plain = self.build().fit(genotypes, tasks, truth(genotypes))
        scaled = self.build().fit(genotypes, tasks, scale * truth(genotypes))
        np.testing.assert_allclose(
            np.array(self.check(scaled)) / scale, self.check(plain), rtol=1e-3, atol=1e-3
        )

    def test_architecture_observed_again(self):
        genotypes = np.repeat(draw(8), 3, axis=0)
        noise = np.random.default_rng(0).normal(scale=0.1, size=24)
        same_task = self.build().fit(genotypes, np.zeros(24, dtype=np.int64), truth(genotypes) + noise)
        self.check(same_task)
        other_tasks = self.build().fit(genotypes, np.tile(np.arange(3), 8), truth(genotypes))
        self.check(other_tasks)

    def test_opposite_answers_to_one_question(self):
        genotypes = np.repeat(draw(6), 2, axis=0)
        surrogate = self.build().fit(genotypes, np.zeros(12, dtype=np.int64), np.tile([-1.0, 1.0], 6))
        assert np.abs(self.check(surrogate)[0]).max() < 1

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_values_must_be_finite(self, wrong):
        with pytest.raises(ValueError, match="finite"):
            self.build().fit(draw(3), np.zeros(3, dtype=np.int64), np.array([1.0, wrong, 2.0]))

    def test_learns_on_from_fit_to_fit(self):
        surrogate = self.build()
        genotypes, tasks = draw(60), np.arange(60) % N_TASKS
        for n in range(1, 61):
            surrogate.fit(genotypes[:n], tasks[:n], truth(genotypes[:n]))
        held_out = truth(draw(200, seed=1))
        missed = surrogate.predict(draw(200, seed=1), 0) - held_out
        assert np.sqrt((missed**2).mean()) < 0.6 * held_out.std()

    def test_prepare_starts_afresh(self):
        surrogate = self.fitted(40, seed=5).prepare(ENCODING, N_TASKS, seed=0)
        assert (self.check(surrogate)[0] == 0).all()
        genotypes = draw(30)
        surrogate.fit(genotypes, np.arange(30) % N_TASKS, truth(genotypes))
        np.testing.assert_array_equal(self.check(surrogate), self.check(self.fitted(30)))

    def test_must_be_prepared_first(self):
        with pytest.raises(RuntimeError, match="prepare"):
            build("surrogate", {"name": self.name, **self.parameters}).features  # noqa: B018

    def missed(self, seed: int, source: FloatArray | None) -> float:
        """Root mean squared error on a task of 20 observations beside 100 of a source."""
        everything, rng = SPACE.architectures(), np.random.default_rng(seed)
        values = truth(everything, seed)
        seen = rng.choice(SPACE.size, 20, replace=False)
        lent = rng.choice(SPACE.size, 100, replace=False)[: 0 if source is None else 100]
        lent_values = np.empty(0) if source is None else source[lent]
        surrogate = self.build(2).fit(
            everything[np.concatenate([lent, seen])],
            np.concatenate([np.zeros(len(lent), dtype=np.int64), np.ones(20, dtype=np.int64)]),
            np.concatenate([lent_values, values[seen]]),
        )
        return float(np.sqrt(((surrogate.predict(everything, 1) - values) ** 2).mean()))

    def test_task_that_agrees_lends_and_one_that_does_not_is_left_alone(self):
        everything = SPACE.architectures()
        alone, agreeing, unrelated, opposed = np.mean(
            [
                [
                    self.missed(seed, None),
                    self.missed(seed, 50 + truth(everything, seed)),
                    self.missed(seed, truth(everything, seed + 100)),
                    self.missed(seed, -truth(everything, seed)),
                ]
                for seed in range(self.draws)
            ],
            axis=0,
        )
        assert agreeing < 0.6 * alone
        assert unrelated < 1.15 * alone
        assert opposed < 1.15 * alone

    def test_ranks_by_the_mean(self):
        surrogate, genotypes = self.fitted(40), draw(50, seed=1)
        places = surrogate.rank(genotypes, 1)
        assert places.dtype == np.int64
        assert sorted(places.tolist()) == list(range(50))
        mean = surrogate.predict(genotypes, 1)
        assert (np.diff(mean[np.argsort(places)]) >= 0).all()

    def test_preference_is_antisymmetric_and_for_the_smaller_value(self):
        surrogate = self.fitted(60, n_tasks=1)
        first, second = draw(80, seed=1), draw(80, seed=2)
        preferred = surrogate.prefer(first, second, 0)
        assert preferred.shape == (80,)
        assert (np.abs(preferred) <= 1).all()
        np.testing.assert_allclose(surrogate.prefer(second, first, 0), -preferred, atol=1e-12)
        np.testing.assert_array_equal(surrogate.prefer(first, first, 0), 0)
        right = np.sign(preferred) == np.sign(truth(second) - truth(first))
        assert right.mean() > 0.75

    @pytest.mark.parametrize("n", [0, 1, 60])
    def test_state_is_all_that_predictions_depend_on(self, n):
        surrogate = self.fitted(n)
        before = self.check(surrogate, task=1)
        state = {name: array.copy() for name, array in surrogate.state().items()}
        restored = self.build().restore(state)
        np.testing.assert_array_equal(self.check(restored, task=1), before)
        more = draw(70)
        for learner in (surrogate, restored):
            learner.fit(more, np.arange(70) % N_TASKS, truth(more))
        np.testing.assert_array_equal(self.check(restored), self.check(surrogate))

    def test_config_spells_out_every_parameter(self):
        config = OmegaConf.to_container(
            OmegaConf.load(resource_dir("conf") / "surrogate" / f"{self.name}.yaml")
        )
        plugin = resolve("surrogate", self.name)
        default = plugin()
        assert config == {"name": self.name} | {
            field.name: getattr(default, field.name) for field in fields(plugin) if field.init
        }
