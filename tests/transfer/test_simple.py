import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.transfer.base import Candidates
from ktnas.transfer.simple import EliteTransfer, NoTransfer, RandomTransfer
from tests.transfer.contract import TransferContract, parents, prepared


class TestNoTransferContract(TransferContract):
    name = "none"


class TestRandomTransferContract(TransferContract):
    name = "random"
    parameters = {"probability": 0.5}  # noqa: RUF012 - as the contract declares it


class TestEliteTransferContract(TransferContract):
    name = "elite"


def test_candidates_must_be_aligned():
    with pytest.raises(ValueError, match=r"ranks must have shape \(2,\)"):
        Candidates(np.zeros((2, 6), dtype=np.int64), np.zeros(2, dtype=np.int64), np.zeros(3, dtype=np.int64))


def test_none_moves_nothing():
    rng = np.random.default_rng(0)
    assert len(NoTransfer().select(0, 0, parents(rng), rng)) == 0


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_random_transfers_in_its_share_of_the_generations(probability):
    rng = np.random.default_rng(0)
    transfer = RandomTransfer(n=4, probability=probability)
    sizes = [len(transfer.select(0, g, parents(rng), rng)) for g in range(600)]
    assert set(sizes) <= {0, 4}
    assert np.mean(np.array(sizes) > 0) == pytest.approx(probability, abs=0.06)


def test_random_is_uniform_over_candidates():
    rng = np.random.default_rng(0)
    chosen = np.concatenate([RandomTransfer(n=3).select(0, g, parents(rng), rng) for g in range(2000)])
    np.testing.assert_allclose(np.bincount(chosen, minlength=15) / 2000, 3 / 15, atol=0.03)


def test_elite_takes_the_best_of_every_task_with_ties_at_random():
    transfer, rng = prepared(EliteTransfer(n=4)), np.random.default_rng(0)
    candidates = parents(rng)
    seconds = set()
    for generation in range(60):
        chosen = transfer.select(0, generation, candidates, rng)
        assert candidates.ranks[chosen].tolist() == [0, 0, 0, 1]
        seconds.add(candidates.tasks[chosen[3]])
    assert seconds == {1, 2, 3}


def test_bad_parameters_are_named():
    with pytest.raises(UserError, match=r"transfer\.probability=1\.5"):
        RandomTransfer(probability=1.5)
    with pytest.raises(UserError, match=r"transfer\.n=0"):
        EliteTransfer(n=0)
