import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from ktnas.encoding.base import Encoding
from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.transfer.base import Candidates
from ktnas.transfer.rank import TransferRank, transfer_rank
from tests.transfer.contract import TransferContract, parents, prepared


class TestTransferRankContract(TransferContract):
    name = "rank"


@dataclass
class Plane(Encoding):
    """The first two variables of a genotype as a point in the plane."""

    @property
    def dim(self) -> int:
        return 2

    def transform(self, genotypes):
        return self.checked(genotypes)[:, :2].astype(np.float64)


def points(*rows: tuple[int, int]) -> Candidates:
    genotypes = np.zeros((len(rows), 6), dtype=np.int64)
    genotypes[:, :2] = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return Candidates(genotypes, np.ones(len(rows), dtype=np.int64), np.arange(len(rows)))


def in_the_plane(**parameters: int) -> TransferRank:
    transfer = TransferRank(**parameters)
    transfer.prepare(Plane().fit(load_space("nasbench201"), seed=0), n_tasks=2)
    return transfer


# The worked example: each entry of the history with its label, its cosines to the candidates A, B, C, D (the
# nearest marked) worked out by hand, and where its vote goes.
#   (4, 1) +   .970   .857   .243  *.976    D +1
#   (3, 2) −   .832   .981   .555  *.992    D −1
#   (2, 3) +   .555  *.981   .832   .868    B +1
#   (1, 4) +   .243   .857  *.970   .651    C +1
#   (0, 2) +   .000   .707 *1.000   .447    C +1
#   (4, 0) − *1.000   .707   .000   .894    A −1
#   (1, 3) +   .316   .894  *.949   .707    C +1
#   (4, 3) −   .800  *.990   .600   .984    B −1
# Votes: A −1, B +1 −1 = 0, C +3, D +1 −1 = 0.
A, B, C, D = range(4)
CANDIDATES = points((4, 0), (3, 3), (0, 4), (4, 2))
HISTORY = points((4, 1), (3, 2), (2, 3), (1, 4), (0, 2), (4, 0), (1, 3), (4, 3))
SUCCESS = np.array([True, False, True, True, True, False, True, False])


def vectors(batch: Candidates) -> np.ndarray:
    return batch.genotypes[:, :2].astype(np.float64)


def test_worked_example_votes():
    votes = transfer_rank(vectors(CANDIDATES), vectors(HISTORY), np.where(SUCCESS, 1, -1))
    assert votes.tolist() == [-1, 0, 3, 0]


def test_worked_example_selection():
    picked = {1: set(), 2: set(), 3: set(), 4: set()}
    for n, seen in picked.items():
        transfer = in_the_plane(n=n)
        transfer.feedback(0, 0, HISTORY, SUCCESS)
        for seed in range(40):
            chosen = transfer.select(0, 1, CANDIDATES, np.random.default_rng(seed))
            assert chosen[0] == C
            seen.add(frozenset(chosen.tolist()))
    assert picked == {
        1: {frozenset({C})},
        2: {frozenset({C, B}), frozenset({C, D})},
        3: {frozenset({C, B, D})},
        4: {frozenset({C, B, D, A})},
    }


def test_first_generation_is_random():
    transfer = in_the_plane(n=2)
    seen = {tuple(sorted(transfer.select(0, 0, CANDIDATES, np.random.default_rng(s)))) for s in range(100)}
    assert len(seen) == 6


def test_skipped_when_no_rank_is_positive():
    transfer = in_the_plane(n=2)
    transfer.feedback(0, 0, points((4, 1), (3, 2)), np.array([False, True]))
    assert len(transfer.select(0, 1, CANDIDATES, np.random.default_rng(0))) == 0


def test_negatives_expire_after_m_generations_and_positives_never():
    transfer = in_the_plane(n=1, memory=5)
    transfer.feedback(0, 3, points((4, 0), (4, 0), (0, 4)), np.array([False, False, True]))
    transfer.feedback(0, 4, points((0, 4), (0, 4)), np.array([False, False]))
    two = points((4, 0), (0, 4))
    for generation in range(4, 10):  # (0, 4): one positive, two negatives of generation 4
        assert len(transfer.select(0, generation, two, np.random.default_rng(generation))) == 0
    for generation in (10, 11, 1000):
        assert transfer.select(0, generation, two, np.random.default_rng(generation)).tolist() == [1]


def test_random_again_once_the_history_is_empty():
    transfer = in_the_plane(n=1, memory=2)
    transfer.feedback(0, 0, points((4, 0)), np.array([False]))
    two = points((4, 0), (0, 4))
    assert [len(transfer.select(0, g, two, np.random.default_rng(g))) for g in range(1, 5)] == [0, 0, 1, 1]


def test_an_architecture_moved_twice_votes_twice():
    transfer = in_the_plane(n=1)
    transfer.feedback(0, 0, points((4, 0), (4, 0), (0, 4)), np.array([True, True, True]))
    for seed in range(10):
        assert transfer.select(0, 1, points((0, 4), (4, 0)), np.random.default_rng(seed)).tolist() == [1]


def test_ties_go_to_the_lowest_index():
    twins = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-1.0, 0.0, 0.0]])
    assert transfer_rank(twins, np.array([[1.0, 2.0, 2.5]]), np.array([1])).tolist() == [1, 0, 0]
    assert transfer_rank(twins[::-1], np.array([[1.0, 2.0, 2.5]]), np.array([1])).tolist() == [0, 1, 0]


def test_a_zero_vector_is_similar_to_nothing():
    candidates = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.1]])
    history = np.array([[1.0, 1.0], [-1.0, 0.0]])
    assert transfer_rank(candidates, history, np.array([1, -1])).tolist() == [0, 1, -1]


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_candidates=st.integers(1, 20),
    n_history=st.integers(0, 60),
    dim=st.integers(2, 12),
)
def test_votes_are_conserved_and_do_not_depend_on_order(seed, n_candidates, n_history, dim):
    rng = np.random.default_rng(seed)
    candidates, history = rng.normal(size=(n_candidates, dim)), rng.normal(size=(n_history, dim))
    labels = rng.choice([-1, 1], size=n_history)
    votes = transfer_rank(candidates, history, labels)
    assert votes.sum() == labels.sum()
    order, past = rng.permutation(n_candidates), rng.permutation(n_history)
    np.testing.assert_array_equal(transfer_rank(candidates[order], history[past], labels[past]), votes[order])
    scaled = candidates * rng.uniform(0.1, 10, size=(n_candidates, 1))
    np.testing.assert_array_equal(transfer_rank(scaled, history, labels), votes)
    nearest = [
        max(range(n_candidates), key=lambda c: h @ candidates[c] / np.linalg.norm(candidates[c]))
        for h in history
    ]
    np.testing.assert_array_equal(votes, np.bincount(nearest, weights=labels, minlength=n_candidates))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 16))
def test_no_chosen_candidate_has_a_lower_rank_than_one_left_behind(seed, n):
    rng = np.random.default_rng(seed)
    transfer = prepared(TransferRank(n=n))
    moved = parents(rng, per_task=10)
    success = rng.random(len(moved)) < 0.6
    transfer.feedback(0, 0, moved, success)
    candidates = parents(rng)
    votes = transfer_rank(
        transfer.features.get(candidates.genotypes),
        transfer.features.get(moved.genotypes),
        np.where(success, 1, -1),
    )
    chosen = transfer.select(0, 1, candidates, rng)
    if votes.max() <= 0:
        assert len(chosen) == 0
    else:
        assert len(chosen) == min(n, len(candidates))
        left = np.setdiff1d(np.arange(len(candidates)), chosen)
        assert (np.diff(votes[chosen]) <= 0).all()
        assert votes[left].max(initial=-100) <= votes[chosen].min()


def test_twenty_candidates_against_a_thousand_take_about_a_millisecond():
    rng = np.random.default_rng(0)
    candidates, history = rng.normal(size=(20, 128)), rng.normal(size=(1000, 128))
    labels = rng.choice([-1, 1], size=1000)
    seconds = []
    with threadpool_limits(1):
        for _ in range(100):
            start = time.perf_counter()
            transfer_rank(candidates, history, labels)
            seconds.append(time.perf_counter() - start)
    assert min(seconds) < 5e-3


@pytest.mark.parametrize("name", ["n", "memory"])
def test_bad_parameters_are_named(name):
    with pytest.raises(UserError, match=rf"transfer\.{name}=0"):
        TransferRank(**{name: 0})
