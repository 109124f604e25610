import numpy as np
from hypothesis import given

from tests.engine.contract import EXAMPLES, SurvivalContract, populations
from tests.engine.scene import state_of


class TestElitist(SurvivalContract):
    name = "elitist"

    @EXAMPLES
    @given(populations())
    def test_one_objective_is_sorted_and_the_older_wins_a_tie(self, population):
        state, size = population
        single = state_of(state.values[:, :1])
        errors = single.errors
        order = sorted(np.flatnonzero(np.isfinite(errors)).tolist(), key=lambda row: (errors[row], row))
        assert self.select(single, size).tolist() == order[:size]

    def test_within_a_front_by_error(self):
        state = state_of([[3, 1], [1, 3], [2, 2], [4, 4]])
        assert self.select(state, 3).tolist() == [1, 2, 0]


class TestNSGA2(SurvivalContract):
    name = "nsga2"

    def test_ends_of_a_front_stay_and_the_crowded_go(self):
        state = state_of([[0, 10], [1, 9], [1.1, 8.9], [1.2, 8.8], [5, 5], [10, 0]])
        assert set(self.select(state, 4).tolist()) == {0, 3, 4, 5}

    def test_a_better_front_before_the_ends_of_a_worse_one(self):
        state = state_of([[0, 10], [5, 5], [10, 0], [5, 6]])
        assert set(self.select(state, 3).tolist()) == {0, 1, 2}

    def test_equal_rows(self):
        assert len(self.select(state_of(np.ones((5, 2))), 3)) == 3


class TestAge(SurvivalContract):
    name = "age"

    def eligible(self, state, size):
        return super().eligible(state, size)[-size:]

    def test_the_best_dies_of_age(self):
        state = state_of([[0.0], [3.0], [np.nan], [2.0], [1.0]])
        assert self.select(state, 3).tolist() == [4, 3, 1]
