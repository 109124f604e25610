import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.transfer.adaptive import AdaptiveTransfer
from ktnas.transfer.base import Candidates
from tests.transfer.contract import N_TASKS, TransferContract, parents, prepared


class TestAdaptiveTransferContract(TransferContract):
    name = "adaptive"


def moved(*tasks: int) -> Candidates:
    zeros = np.zeros(len(tasks), dtype=np.int64)
    return Candidates(np.zeros((len(tasks), 6), dtype=np.int64), np.array(tasks, dtype=np.int64), zeros)


def test_frequency_follows_the_success_of_each_pair():
    transfer = prepared(AdaptiveTransfer(initial=0.5, memory=0.5))
    transfer.feedback(0, 0, moved(1, 1, 2), np.array([True, False, False]))
    expected = np.full((N_TASKS, N_TASKS), 0.5)
    expected[1, 0] = 0.5 * 0.5 + 0.5 * 0.5
    expected[2, 0] = 0.5 * 0.5 + 0.5 * 0.0
    np.testing.assert_allclose(transfer.frequency, expected)


@pytest.mark.parametrize(("outcome", "bound"), [(True, 0.9), (False, 0.1)])
def test_frequency_stays_within_its_bounds(outcome, bound):
    transfer = prepared(AdaptiveTransfer())
    for generation in range(50):
        transfer.feedback(2, generation, moved(3, 3), np.array([outcome, outcome]))
    assert transfer.frequency[3, 2] == bound


def test_tasks_lend_at_their_frequency():
    transfer, rng = prepared(AdaptiveTransfer(n=15)), np.random.default_rng(0)
    for generation in range(50):
        transfer.feedback(0, generation, moved(1, 2, 2), np.array([True, False, False]))
    candidates = parents(rng)
    lent = np.zeros(N_TASKS)
    for generation in range(1000):
        lent[np.unique(candidates.tasks[transfer.select(0, generation, candidates, rng)])] += 1
    np.testing.assert_allclose(lent / 1000, [0.0, 0.9, 0.1, 0.5], atol=0.05)


def test_the_best_ranked_move():
    transfer, rng = prepared(AdaptiveTransfer(n=3, initial=1.0, highest=1.0)), np.random.default_rng(0)
    candidates = parents(rng)
    chosen = transfer.select(0, 0, candidates, rng)
    assert candidates.ranks[chosen].tolist() == [0, 0, 0]


def test_initial_frequency_lies_between_the_bounds():
    with pytest.raises(UserError, match=r"transfer\.initial=0\.95"):
        AdaptiveTransfer(initial=0.95)
