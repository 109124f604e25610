import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.engine.state import TaskState, limit_violation
from ktnas.space import load_space
from ktnas.task.function_task import FunctionTask
from tests.engine.scene import SPACE, Scene, evaluation, state_of, write_tables

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)
TINY = """
name: tiny
family: edge_cell
description: eight cells
paper: none
nodes: 3
operations: [none, conv]
zero: none
text: "|{edge_0_1}|{edge_0_2}|{edge_1_2}|"
"""


def function_state(space, budget=1000, seed=0):
    task = FunctionTask("a", space, "math:sqrt")
    rng = np.random.default_rng(seed)
    limits = np.array([[np.inf]])
    return TaskState(0, "a", "target", space, ("error",), 1, limits, budget, rng, task)


def answers(n):
    return [evaluation(order, {"error": 1.0}) for order in range(n)]


@given(SEEDS)
@EXAMPLES
def test_violation_is_the_summed_relative_excess(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(10, 3)).round(1)
    limits = rng.normal(size=3).round(1)
    limits[rng.random(3) < 0.3] = np.inf

    violation = limit_violation(values, limits[None])[:, 0]

    expected = [
        sum(
            max(value - limit, 0) / (abs(limit) or 1)
            for value, limit in zip(row, limits, strict=True)
            if np.isfinite(limit)
        )
        for row in values
    ]
    np.testing.assert_allclose(violation, expected)
    np.testing.assert_array_equal(violation == 0, (values <= limits).all(axis=1))


def test_limited_quantity_that_is_not_known_is_not_within_the_limit():
    values = np.array([[1.0, np.nan], [np.nan, 1.0], [3.0, 1.0]])
    limits = np.array([[2.0, np.inf], [np.inf, 0.5]])
    np.testing.assert_array_equal(limit_violation(values, limits), [[0, np.inf], [np.inf, 1], [0.5, 1]])
    np.testing.assert_array_equal(limit_violation(values, np.full((1, 2), np.inf)), [[0], [0], [0]])


@given(SEEDS)
@EXAMPLES
def test_fresh_is_the_first_of_each_that_was_not_evaluated(seed):
    rng = np.random.default_rng(seed)
    state = state_of(np.ones((30, 1)), seed=seed)
    batch = np.vstack([state.genotypes[:5], SPACE.sample(20, rng)])
    batch = batch[rng.integers(len(batch), size=40)]

    fresh = state.fresh(batch)

    seen = {tuple(row) for row in state.genotypes.tolist()}
    for row, is_fresh in zip(map(tuple, batch.tolist()), fresh.tolist(), strict=True):
        assert is_fresh == (row not in seen)
        seen.add(row)


def test_fresh_knows_isomorphic_cells_as_one_where_the_space_does():
    space = load_space("nasbench_graph")
    cells = space.enumerate()
    keys = space.identities(cells)
    twins = cells[
        np.isin(keys, keys[np.flatnonzero(np.bincount(np.unique(keys, return_inverse=True)[1]) > 1)])
    ]
    twins = twins[space.identities(twins) == space.identities(twins)[0]]
    state = function_state(space)

    assert state.fresh(twins).tolist() == [True, *[False] * (len(twins) - 1)]
    state.add(twins[:1], answers(1))
    assert not state.fresh(twins).any()


def test_fresh_is_within_the_table(tmp_path):
    state = Scene.of(write_tables(tmp_path, 40)).states[0]
    everything = SPACE.architectures()

    fresh = everything[state.fresh(everything)]

    assert {tuple(row) for row in fresh} == {tuple(row) for row in state.universe}


def test_fresh_of_nothing():
    assert state_of(np.ones((3, 1))).fresh(SPACE.architectures()[:0]).shape == (0,)


@pytest.mark.parametrize("asked", [[7, 7, 7], [1] * 20, [50]])
def test_draw_exhausts_a_table_without_repeating(tmp_path, asked):
    state = Scene.of(write_tables(tmp_path, 20)).states[0]
    for n in asked:
        expected = min(n, 20 - len(state))
        drawn = state.draw(n)
        assert len(drawn) == expected
        assert state.fresh(drawn).all()
        state.add(drawn, answers(len(drawn)))
    assert len(state) == 20
    assert len(state.draw(1)) == 0


def test_draw_exhausts_a_space_without_repeating(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    state = function_state(load_space(str(tmp_path / "tiny.yaml")))
    for n in (3, 1, 1, 1, 1, 5):
        drawn = state.draw(n)
        assert state.fresh(drawn).all()
        state.add(drawn, answers(len(drawn)))
    assert len(state) == 8


def test_draw_finds_the_last_of_many():
    state = function_state(SPACE)
    everything = SPACE.architectures()
    state.add(everything[1:], answers(len(everything) - 1))

    np.testing.assert_array_equal(state.draw(2), everything[:1])


def test_draw_is_uniform_and_seeded(tmp_path):
    drawn = [function_state(SPACE, seed=seed).draw(30).tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    counts = np.bincount(np.array(function_state(SPACE).draw(1000))[:, 0], minlength=4)
    assert (np.abs(counts - 250) < 60).all()


def test_failed_evaluations_have_no_values():
    state = state_of([[1.0, 2.0], [np.nan, np.nan]], limits=[0.5])
    assert np.isnan(state.F[1]).all()
    assert np.isnan(state.errors).tolist() == [False, True]
    np.testing.assert_array_equal(state.violation, [1, np.inf])


def test_budget():
    state = function_state(SPACE, budget=3)
    assert state.remaining == 3
    state.add(state.draw(2), answers(2))
    assert state.remaining == 1
    state.add(state.draw(2), answers(2))
    assert state.remaining == 0
