import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from experiments import peer_flan
from experiments.peer_flan import flan, hinge
from ktnas.space import load_space

SPACE = load_space("transnas_micro")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(peer_flan, "EPOCHS", 12)
    genotypes = SPACE.architectures()[np.random.default_rng(0).permutation(SPACE.size)[:120]]
    values = np.random.default_rng(1).normal(size=4)[genotypes].sum(axis=1)
    return genotypes, values, np.arange(40), np.arange(40, 120)


def test_orders_what_it_has_not_seen_and_repeats_itself(asked):
    genotypes, values, seen, unseen = asked
    nothing = np.empty((120, 0))
    before = torch.random.get_rng_state()
    once, again = (flan(SPACE, genotypes, nothing, seen, unseen, values[seen], 3) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(once, again)
    assert kendalltau(once, values[unseen])[0] > 0.3


def test_reads_what_supplements_the_graph(asked):
    genotypes, values, seen, unseen = asked
    told = flan(SPACE, genotypes, values[:, None], seen, unseen, values[seen], 3)
    assert kendalltau(told, values[unseen])[0] > 0.6


def test_loss_counts_pairs_in_the_wrong_order():
    values = torch.tensor([1.0, 2.0])
    assert hinge(torch.tensor([0.0, 1.0]), values).item() == 0
    assert hinge(torch.tensor([1.0, 0.0]), values).item() == pytest.approx(1.1)
    assert hinge(torch.tensor([1.0, 0.0]), torch.ones(2)).item() == 0
