"""What every task keeps to; a test class inherits it and gives the fixtures ``task`` and ``genotypes``."""

import numpy as np
import pandas as pd
import pytest

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.task.base import Task
from ktnas.task.outcome import Outcome


class TaskContract:
    @pytest.fixture
    def task(self) -> Task:
        raise NotImplementedError

    @pytest.fixture
    def genotypes(self, task: Task) -> IntArray:
        """Architectures, at least one of which can be evaluated and one of which cannot or fails."""
        raise NotImplementedError

    def test_describes_its_metrics(self, task: Task) -> None:
        assert task.searched in task.metrics
        assert task.reported is None or task.reported in task.metrics
        assert set(task.free) <= set(task.metrics)
        assert set(task.units) == set(task.better) == set(task.metrics)
        assert set(task.better.values()) <= {"higher", "lower"}

    def test_one_outcome_per_row_in_order(self, task: Task, genotypes: IntArray) -> None:
        outcomes = task.evaluate(genotypes)
        reverse = task.evaluate(genotypes[::-1])[::-1]
        assert [o.status for o in outcomes] == [o.status for o in reverse]
        np.testing.assert_equal([o.metrics for o in outcomes], [o.metrics for o in reverse])

    def test_answers_are_finite_or_explained(self, task: Task, genotypes: IntArray) -> None:
        outcomes = task.evaluate(genotypes)
        assert {"ok"} < {o.status for o in outcomes}
        for outcome in outcomes:
            assert isinstance(outcome, Outcome)
            assert outcome.seconds >= 0
            if outcome.status == "ok":
                assert np.isfinite(outcome.metrics[task.searched])
                assert not outcome.message
            else:
                assert not outcome.metrics
                assert outcome.message

    def test_no_rows(self, task: Task, genotypes: IntArray) -> None:
        assert task.evaluate(genotypes[:0]) == []
        assert task.contains(genotypes[:0]).shape == (0,)
        assert task.look_up(genotypes[:0], task.metrics).shape == (0, len(task.metrics))

    def test_contains_is_a_mask(self, task: Task, genotypes: IntArray) -> None:
        mask = task.contains(genotypes)
        assert mask.shape == (len(genotypes),)
        assert mask.dtype == bool

    def test_universe_is_what_it_contains_each_once(self, task: Task) -> None:
        universe = task.universe()
        if universe is not None:
            assert task.contains(universe).all()
            assert len(np.unique(task.space.identities(universe))) == len(universe)
            assert all(o.status == "ok" for o in task.evaluate(universe))

    def test_table_is_aligned_with_the_universe(self, task: Task) -> None:
        universe, table = task.universe(), task.table()
        assert (universe is None) == (table is None)
        if universe is not None and table is not None:
            expected = pd.DataFrame(task.look_up(universe, task.metrics), columns=list(task.metrics))
            pd.testing.assert_frame_equal(table, expected)

    def test_look_up_agrees_with_evaluation(self, task: Task, genotypes: IntArray) -> None:
        known = task.look_up(genotypes, task.metrics)
        assert known.shape == (len(genotypes), len(task.metrics))
        for row, outcome in zip(known, task.evaluate(genotypes), strict=True):
            for metric, value in zip(task.metrics, row, strict=True):
                assert np.isnan(value) or outcome.metrics.get(metric, value) == value

    def test_error_is_minimised(self, task: Task) -> None:
        worse, better = (1.0, 2.0) if task.better[task.searched] == "higher" else (2.0, 1.0)
        error = task.error([[worse, better, np.nan]])
        assert error.shape == (1, 3)
        assert error[0, 1] < error[0, 0]
        assert np.isnan(error[0, 2])

    def test_does_not_change_what_it_is_given(self, task: Task, genotypes: IntArray) -> None:
        before = genotypes.copy()
        task.evaluate(genotypes)
        task.contains(genotypes)
        np.testing.assert_array_equal(genotypes, before)

    def test_unknown_searched_metric_is_refused(self, task: Task) -> None:
        with pytest.raises(UserError, match="Unknown metric of task"):
            type("Other", (type(task),), {"__init__": Task.__init__})(
                "t", task.space, task.metrics, searched="scroe"
            )
