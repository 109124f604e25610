import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktnas.record.evaluation import COLUMNS, Evaluation


def test_row_round_trip_keeps_every_bit(evaluation, odd_metrics):
    row = evaluation(3, metrics=odd_metrics).to_row()
    back = Evaluation.from_row(row)
    assert len(row) == len(COLUMNS)
    assert back.to_row() == row
    assert {n: repr(v) for n, v in back.metrics.items()} == {n: repr(v) for n, v in odd_metrics.items()}


@given(st.dictionaries(st.text(), st.floats(), max_size=4), st.floats(allow_nan=False), st.integers(0, 2**60))
def test_any_numbers_round_trip(metrics, seconds, order):
    one = Evaluation(order, 0, "t", "source", "a", "k", "ok", metrics, seconds)
    back = Evaluation.from_row(one.to_row())
    assert repr(back) == repr(one)


def test_metric_is_nan_unless_ok(evaluation):
    assert evaluation(0).metric("params") == 100.0
    assert math.isnan(evaluation(0).metric("flops"))
    assert math.isnan(evaluation(0, status="failed").metric("params"))


def test_unwritable_characters_of_a_message_are_escaped(evaluation):
    assert "bad \\udcff name" in evaluation(0, message="bad \udcff name").to_row()


@pytest.mark.parametrize("changes", [{"status": "fine"}, {"role": "goal"}])
def test_unknown_words_are_refused(evaluation, changes):
    with pytest.raises(ValueError, match="must be one of"):
        evaluation(0, **changes)
