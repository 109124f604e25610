from typing import ClassVar

import numpy as np
import pytest

from ktnas.surrogate.ensemble import Ensemble, _shares
from ktnas.surrogate.multitask_gp import MultiTaskGP
from ktnas.surrogate.normal_scores import normal_scores
from ktnas.surrogate.size_prior import size_scale
from tests.surrogate.contract import ENCODING, SPACE, SurrogateContract, draw, truth


class TestEnsemble(SurrogateContract):
    name = "ensemble"
    parameters: ClassVar = {"members": 2, "epochs": 8, "refit": 25}
    draws = 2


def fitted(surrogate, n):
    genotypes = draw(n)
    return surrogate.prepare(ENCODING, 1, 0).fit(genotypes, np.zeros(n, dtype=np.int64), truth(genotypes))


def test_a_handful_of_observations_is_left_to_the_process():
    alone, ensemble = fitted(MultiTaskGP(), 7), fitted(Ensemble(), 7)
    asked = draw(30, seed=1)
    np.testing.assert_array_equal(ensemble.predict(asked, 0, True), alone.predict(asked, 0, True))


def test_three_models_share():
    shares = fitted(Ensemble(members=2, epochs=20), 40).state()["shares"]
    assert len(shares) == 3
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_process_without_a_part_is_the_process_of_the_rest():
    gp = fitted(MultiTaskGP(trust=0), 30)
    part = np.arange(30) % 3
    values = gp._levels.standardise(np.zeros(30, dtype=np.int64), truth(draw(30)))
    rest = fitted(MultiTaskGP(trust=0), 30)
    rest._observe(draw(30)[part != 1], np.zeros(20, dtype=np.int64), values[part != 1])
    rest._solve()
    scale, level = gp._levels.scale, gp._levels.levels[0]
    expected = (rest.predict(draw(30)[part == 1], 0) - level) / scale
    np.testing.assert_allclose(gp.held_out(part)[part == 1], expected, atol=1e-6)


def test_all_observations_weigh_where_the_process_uses_the_best_alone():
    genotypes = draw(60)
    ensemble = Ensemble(epochs=5)
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


def test_a_heavy_tail_does_not_decide_the_shares():
    rng = np.random.default_rng(0)
    values = rng.normal(size=200)
    values[:4] = 200.0
    orders_all_but_the_tail, knows_the_tail_alone = values.copy(), rng.normal(size=200)
    orders_all_but_the_tail[:4], knows_the_tail_alone[:4] = 0.0, 200.0
    models = [orders_all_but_the_tail, knows_the_tail_alone]
    assert _shares(models, values)[0] < 0.1
    scores = [normal_scores(model) for model in models]
    assert _shares(scores, normal_scores(values))[0] > 0.8


def test_of_what_is_unknown_the_larger_is_expected_to_err_less():
    plain, tilted = fitted(Ensemble(), 4), fitted(Ensemble(size_prior=0.8), 4)
    sizes, asked = size_scale(SPACE, "cifar10"), draw(200, seed=1)
    alike = [np.corrcoef(sizes(asked), model.predict(asked, 0))[0, 1] for model in (plain, tilted)]
    assert alike[1] < -0.5
    assert alike[1] < alike[0] - 0.2


def test_the_line_is_gone_with_64_observations():
    plain, tilted = (fitted(Ensemble(members=2, epochs=3, size_prior=prior), 64) for prior in (0.0, 0.8))
    asked = draw(30, seed=1)
    np.testing.assert_array_equal(tilted.predict(asked, 0, True), plain.predict(asked, 0, True))


def test_a_line_through_equal_values_is_flat():
    ensemble = Ensemble(members=2, epochs=3, size_prior=0.8).prepare(ENCODING, 1, 0)
    ensemble.fit(draw(10), np.zeros(10, dtype=np.int64), np.full(10, 3.0))
    np.testing.assert_allclose(ensemble.predict(draw(30, seed=1), 0), 3.0)


def test_the_line_is_kept_with_the_state():
    known = fitted(Ensemble(members=2, epochs=3, size_prior=0.8), 12)
    again = Ensemble(members=2, epochs=3, size_prior=0.8).prepare(ENCODING, 1, 0).restore(known.state())
    asked = draw(30, seed=1)
    np.testing.assert_array_equal(again.predict(asked, 0, True), known.predict(asked, 0, True))
