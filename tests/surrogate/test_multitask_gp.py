import numpy as np
import pytest
from scipy.optimize import approx_fprime

from ktnas.encoding.cell import CellFeatures
from ktnas.surrogate.multitask_gp import MultiTaskGP
from tests.surrogate.contract import SPACE, SurrogateContract, draw, truth


class TestMultiTaskGP(SurrogateContract):
    name = "multitask_gp"


@pytest.mark.parametrize("seed", range(4))
def test_gradient_of_the_posterior_is_that_of_finite_differences(seed):
    rng = np.random.default_rng(seed)
    gp = MultiTaskGP().prepare(CellFeatures().fit(SPACE, 0), 3, seed=0)
    genotypes = draw(25, seed)
    gp.fit(genotypes, rng.integers(3, size=25), truth(genotypes, seed))

    def value(theta):
        gp._theta = theta
        return gp._negative_log_posterior()[0]

    theta = gp._prior_mean + rng.normal(scale=0.5, size=len(gp._prior_mean))
    gp._theta = theta
    gradient = gp._negative_log_posterior()[1]
    np.testing.assert_allclose(gradient, approx_fprime(theta, value, 1e-6), rtol=1e-3, atol=1e-3)


def test_correlations_are_those_of_tasks():
    genotypes = np.vstack([draw(60), draw(60), draw(60, seed=2)])
    values = np.concatenate([truth(genotypes[:120]), truth(genotypes[120:], seed=9)])
    gp = MultiTaskGP().prepare(CellFeatures().fit(SPACE, 0), 3, seed=0)
    gp.fit(genotypes, np.repeat([0, 1, 2], 60), values)

    found = gp.correlations

    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)
    assert np.linalg.eigvalsh(found).min() > -1e-9
    assert found[0, 1] > found[0, 2]


def test_limit_keeps_the_best_of_each_task():
    genotypes, tasks = draw(60), np.arange(60) % 2
    values = truth(genotypes)
    best = np.concatenate(
        [np.flatnonzero(tasks == task)[np.argsort(values[tasks == task])[:10]] for task in (0, 1)]
    )
    rows = np.sort(best)
    encoding = CellFeatures().fit(SPACE, 0)
    limited = MultiTaskGP(limit=20).prepare(encoding, 2, 0).fit(genotypes, tasks, values)
    chosen = MultiTaskGP().prepare(encoding, 2, 0).fit(genotypes[rows], tasks[rows], values[rows])

    asked = draw(30, seed=1)

    np.testing.assert_array_equal(limited.predict(asked, 0), chosen.predict(asked, 0))


def test_hyper_parameters_are_fitted_beyond_the_limit_and_ever_more_rarely():
    """Those of all tasks, and those of a task alone."""
    genotypes, tasks = draw(400), np.arange(400) % 2
    values = truth(genotypes)
    gp = MultiTaskGP(limit=60).prepare(CellFeatures().fit(SPACE, 0), 2, 0)
    fitted: dict[str, list[int]] = {"theta": [], "alone.0.theta": []}
    before: dict[str, list[float]] = {}
    for n in range(40, 401):
        gp.fit(genotypes[:n], tasks[:n], values[:n]).predict(genotypes[:1], 0)
        state = gp.state()
        for name, found in fitted.items():
            if state[name].tolist() != before.get(name):
                found.append(n)
            before[name] = state[name].tolist()

    assert np.diff([n for n in fitted["theta"] if n <= 60]).tolist() == [10, 10]
    for found in fitted.values():
        beyond = np.array([n for n in found if n > 120])
        assert beyond[-1] > 350, "it goes on"
        assert (np.diff(beyond) > beyond[:-1] / 11).all()
        assert np.diff(beyond)[-1] > 25, "and gets rarer"
