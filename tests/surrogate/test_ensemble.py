from typing import ClassVar

import numpy as np
import pytest

from ktnas.surrogate.ensemble import Ensemble, _shares
from ktnas.surrogate.multitask_gp import MultiTaskGP
from tests.surrogate.contract import ENCODING, SurrogateContract, draw, truth


class TestEnsemble(SurrogateContract):
    name = "ensemble"
    parameters: ClassVar = {"enough": 50, "members": 2, "epochs": 8, "refit": 25}
    draws = 2


def fitted(surrogate, n):
    genotypes = draw(n)
    return surrogate.prepare(ENCODING, 1, 0).fit(genotypes, np.zeros(n, dtype=np.int64), truth(genotypes))


def test_a_handful_of_observations_is_left_to_the_process():
    alone, ensemble = fitted(MultiTaskGP(), 7), fitted(Ensemble(), 7)
    asked = draw(30, seed=1)
    np.testing.assert_array_equal(ensemble.predict(asked, 0, True), alone.predict(asked, 0, True))


def test_networks_join_when_there_is_enough():
    settings = {"enough": 40, "members": 2, "epochs": 20}
    few, many = fitted(Ensemble(**settings), 39), fitted(Ensemble(**settings), 40)
    assert len(few.state()["shares"]) == 2
    assert len(many.state()["shares"]) == 3
    assert many.state()["shares"].sum() == pytest.approx(1)


def test_all_observations_weigh_where_the_process_uses_the_best_alone():
    genotypes = draw(60)
    ensemble = Ensemble(enough=100)
    ensemble._process.limit = 30
    ensemble.prepare(ENCODING, 2, 0).fit(genotypes, np.arange(60) % 2, truth(genotypes))
    assert np.corrcoef(ensemble.predict(draw(200, seed=1), 1), truth(draw(200, seed=1)))[0, 1] > 0.6


def test_shares_follow_what_was_right_as_observations_come():
    values = np.random.default_rng(0).normal(size=400)
    shares = [_shares([values[:n], np.zeros(n)], values[:n])[0] for n in (4, 40, 400)]
    assert 0.5 < shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.95


def test_models_that_agree_share_equally():
    values = np.arange(5.0)
    np.testing.assert_allclose(_shares([values, values, values], values), 1 / 3, atol=1e-3)
