import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.engine.config import VariationConfig
from ktnas.engine.variation import Brood, breed
from ktnas.space import load_space
from tests.engine.scene import SPACE, Scene, write_tables
from tests.engine.test_state import answers, function_state

EXAMPLES = settings(max_examples=25, deadline=None, derandomize=True)
CONFIGS = st.builds(
    VariationConfig,
    offspring=st.integers(1, 12),
    tournament=st.integers(1, 8),
    crossover=st.sampled_from([0.0, 0.5, 1.0]),
    mutation=st.sampled_from([0.0, 0.5, 1.0]),
    mutation_rate=st.sampled_from([None, 0.0, 0.3, 1.0]),
)


def check(state, brood, pool, config):
    assert len(brood.genotypes) == len(brood.lineage) <= config.offspring
    assert brood.genotypes.dtype == brood.lineage.dtype == np.int64
    assert state.fresh(brood.genotypes).all()  # distinct, of the universe and not evaluated
    assert state.space.valid(brood.genotypes).all()
    assert ((brood.lineage >= 0) & (brood.lineage < len(pool))).all()


@pytest.mark.parametrize("space", ["transnas_micro", "nasbench201", "nasbench_graph"])
@given(config=CONFIGS, seed=st.integers(0, 2**32 - 1), size=st.integers(1, 12))
@EXAMPLES
def test_children_are_valid_fresh_and_distinct(space, config, seed, size):
    state = function_state(load_space(space), seed=seed)
    pool = state.draw(size)
    state.add(pool, answers(len(pool)))
    brood = breed(state, pool, np.arange(len(pool)), config)
    check(state, brood, pool, config)
    if config.mutation == 1:
        assert len(brood.genotypes) == config.offspring


@given(config=CONFIGS, seed=st.integers(0, 2**32 - 1))
@EXAMPLES
def test_children_are_in_the_table(tmp_path_factory, config, seed):
    directory = tmp_path_factory.getbasetemp() / "variation"
    directory.mkdir(exist_ok=True)
    state = Scene.of(write_tables(directory, 40), seed=seed).evaluate(0, 10).states[0]
    brood = breed(state, state.genotypes, np.arange(10), config)
    check(state, brood, state.genotypes, config)
    if config.mutation == 1:
        assert len(brood.genotypes) == config.offspring


def test_what_is_not_in_the_table_becomes_its_nearest_row(tmp_path):
    state = Scene.of(write_tables(tmp_path, 40)).evaluate(0, 10).states[0]
    left = state.left()
    config = VariationConfig(offspring=8, crossover=0)
    brood = breed(state, state.genotypes, np.arange(10), config)
    parents = state.genotypes[brood.lineage[:, 0]]
    distance = (brood.genotypes != parents).sum(axis=1)
    nearest = (left[None] != parents[:, None]).sum(axis=2).min(axis=1)
    assert (distance <= nearest + 2).all()


def test_lineage_without_crossover_is_one_parent():
    state = function_state(SPACE)
    pool = state.draw(10)
    config = VariationConfig(offspring=50, crossover=0, mutation=1, mutation_rate=1e-12)
    brood = breed(state, pool, np.arange(10), config)
    np.testing.assert_array_equal(brood.lineage[:, 0], brood.lineage[:, 1])
    np.testing.assert_array_equal((brood.genotypes != pool[brood.lineage[:, 0]]).sum(axis=1), 1)


def test_lineage_with_crossover_holds_every_value():
    state = function_state(SPACE)
    pool = state.draw(10)
    brood = breed(state, pool, np.arange(10), VariationConfig(offspring=50, crossover=1, mutation=0))
    first, second = pool[brood.lineage[:, 0]], pool[brood.lineage[:, 1]]
    assert ((brood.genotypes == first) | (brood.genotypes == second)).all()
    assert (brood.lineage[:, 0] != brood.lineage[:, 1]).any()


def test_large_tournaments_prefer_the_best():
    pool = function_state(SPACE).draw(10)
    ranks = np.array([5, 3, 0, 9, 1, 2, 4, 6, 7, 8])

    def fathers(tournament):
        config = VariationConfig(offspring=100, tournament=tournament, crossover=0)
        return breed(function_state(SPACE), pool, ranks, config).lineage[:, 0]

    assert set(fathers(10)) == {2}
    assert len(set(fathers(1))) > 5
    assert ranks[fathers(5)].mean() < ranks[fathers(2)].mean() < ranks[fathers(1)].mean()


def test_nothing_left_to_breed(tmp_path):
    state = Scene.of(write_tables(tmp_path, 12)).evaluate(0, 12).states[0]
    brood = breed(state, state.genotypes, np.arange(12), VariationConfig())
    check(state, brood, state.genotypes, VariationConfig())
    assert len(brood.genotypes) == 0


def test_fewer_are_left_than_asked(tmp_path):
    state = Scene.of(write_tables(tmp_path, 12)).evaluate(0, 9).states[0]
    brood = breed(state, state.genotypes, np.arange(9), VariationConfig(offspring=10))
    assert len(brood.genotypes) == 3


def test_same_seed_same_children():
    def children(seed):
        state = function_state(SPACE, seed=seed)
        return breed(state, state.draw(10), np.arange(10), VariationConfig()).genotypes.tolist()

    assert children(0) == children(0) != children(1)


def test_empty_brood():
    brood = Brood.empty(SPACE)
    assert brood.genotypes.shape == (0, SPACE.n_variables)
    assert brood.lineage.shape == (0, 2)
