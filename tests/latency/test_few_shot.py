from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.errors import UserError
from ktnas.latency.base import DeviceLatencies
from ktnas.latency.few_shot import FewShot
from ktnas.latency.few_shot_features import SpaceFeatures, Standard, space_features
from ktnas.latency.few_shot_known import unwarp, warp
from ktnas.latency.grouped_linear import GroupedLinear
from ktnas.space import SearchSpace, load_space
from tests.latency.contract import SPACE, LatencyModelContract, draw, known, truth

FBNET = load_space("fbnet")


class TestFewShotContract(LatencyModelContract):
    name = "few_shot"
    missed = 0.1


def device(space: SearchSpace, genotypes: IntArray, per: dict[str, float], noise: float = 0.0) -> FloatArray:
    """Latency (N,) in ms of a device that takes so much per unit of the totals of nasbench201's networks."""
    totals = network_totals(space, genotypes, "cifar10")
    unit = network_totals(SPACE, draw(50), "cifar10").mean(axis=0)
    latency = 1 + sum(
        cost * totals[:, TOTALS.index(name)] / unit[TOTALS.index(name)] for name, cost in per.items()
    )
    return np.asarray(latency * np.exp(noise * np.random.default_rng(0).normal(size=len(genotypes))))


def chosen(model: FewShot, pool: IntArray, latency: FloatArray, n: int) -> FewShot:
    rows = model.choose(pool, n)
    return model.fit(pool[rows], latency[rows])


def test_other_devices_help() -> None:
    few, held_out = draw(5), draw(300, seed=1)
    target = truth(held_out, 1)  # one of the devices that are known
    alone, helped = (
        spearmanr(
            FewShot().prepare(SPACE, "cifar10", 0, others).fit(few, truth(few, 1)).predict(held_out), target
        )[0]
        for others in ((), (known(),))
    )
    assert helped > max(alone, 0.97)


def test_devices_may_be_known_in_part() -> None:
    table = known()
    latency = table.latency.copy()
    latency[::2, 0] = np.nan
    latency[2:, 1] = np.nan  # too few to learn from
    holes = replace(table, latency=latency)
    model = FewShot().prepare(SPACE, "cifar10", 0, [holes])
    mean, std = model.fit(draw(10), truth(draw(10))).predict(draw(50, seed=1), return_std=True)
    assert (np.isfinite(mean) & np.isfinite(std)).all()


@pytest.mark.parametrize(("source", "target"), [(SPACE, FBNET), (FBNET, SPACE)])
def test_what_the_device_takes_in_another_space_helps(source: SearchSpace, target: SearchSpace) -> None:
    per = {"layers": 1.0, "activations": 1.0, "macs": 0.5}
    rng = np.random.default_rng(3)
    there, here = source.sample(300, rng), target.sample(400, rng)
    other = DeviceLatencies(source, there, device(source, there, per)[:, None], ("it",))
    latency = device(target, here, per, noise=0.02)
    alone, helped = (
        spearmanr(
            FewShot().prepare(target, "cifar10", 0, others).fit(here[:4], latency[:4]).predict(here[4:]),
            latency[4:],
        )[0]
        for others in ((), (other,))
    )
    assert helped > alone
    assert helped > 0.85


def test_another_space_without_networks_says_nothing() -> None:
    elsewhere = replace(FBNET, network={}, name="mine")
    genotypes = elsewhere.sample(20, np.random.default_rng(0))
    other = DeviceLatencies(elsewhere, genotypes, np.ones((20, 1)), ("it",))
    models = [FewShot().prepare(SPACE, "cifar10", 0, others) for others in ((), (other,))]
    alone, same = (model.fit(draw(10), truth(draw(10))).predict(draw(20, seed=1)) for model in models)
    np.testing.assert_array_equal(alone, same)


def test_space_without_networks() -> None:
    space = replace(SPACE, network={})
    model = FewShot().prepare(space, "nothing", 0).fit(draw(60), truth(draw(60)))
    held_out = draw(200, seed=1)
    assert spearmanr(model.predict(held_out), truth(held_out))[0] > 0.98


def test_chosen_architectures_teach_more_than_random_ones() -> None:
    pool = FBNET.sample(600, np.random.default_rng(0))
    latency = device(FBNET, pool, {"layers": 2.0, "macs": 0.3, "params": 0.1}, noise=0.03)
    model = FewShot().prepare(FBNET, "cifar10", 0)
    found = spearmanr(chosen(model, pool, latency, 12).predict(pool), latency)[0]
    drawn = [np.random.default_rng(seed).permutation(600)[:12] for seed in range(4)]
    others = [spearmanr(model.fit(pool[rows], latency[rows]).predict(pool), latency)[0] for rows in drawn]
    assert found > np.mean(others) + 0.01


def test_standard_deviation_is_that_of_measurements() -> None:
    genotypes = draw(800)
    latency = truth(genotypes) * np.exp(0.1 * np.random.default_rng(0).normal(size=800))
    model = FewShot().prepare(SPACE, "cifar10", 0).fit(genotypes[:60], latency[:60])
    mean, std = model.predict(genotypes[60:], return_std=True)
    missed = np.abs(mean - latency[60:]) / std
    assert 0.55 < (missed < 1).mean() < 0.85
    assert 0.90 < (missed < 2).mean() < 0.99


def test_odd_measurements_lose_their_say() -> None:
    few, held_out = draw(30), draw(300, seed=1)
    latency = truth(few)
    latency[7] *= 4
    model = FewShot().prepare(SPACE, "cifar10", 0).fit(few, latency)
    assert spearmanr(model.predict(held_out), truth(held_out))[0] > 0.97


def test_predictions_stay_positive_and_in_order() -> None:
    columns, few = draw(400, seed=1), draw(20)
    steep = np.exp(truth(few) - truth(few).max()) + 1e-6
    mean = FewShot().prepare(SPACE, "cifar10", 0).fit(few, steep).predict(columns)
    assert (mean > 0).all()
    assert len(np.unique(mean)) > 200


@pytest.mark.parametrize("parameters", [{"noise": 0.0}, {"freedom": 2.0}])
def test_bad_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(parameters))):
        FewShot(**parameters)


def test_features_do_not_depend_on_the_batch() -> None:
    features = space_features(SPACE, "cifar10")
    genotypes = draw(20)
    together = features.transform(genotypes)
    np.testing.assert_allclose(features.transform(genotypes[3:4]), together[3:4])
    assert list(features.groups) == [
        *("totals", "curved", "pruned", "counts", "places", "live_counts", "live_places", "shape"),
    ]
    assert features.dim == together.shape[1]
    assert np.isfinite(together).all()


def test_groups_of_a_chain() -> None:
    features = space_features(FBNET, "cifar10")
    assert list(features.groups) == ["totals", "curved", "counts", "places"]
    squares = (features.transform(features.sample) ** 2).sum(axis=0)
    for name, part in features.groups.items():
        assert squares[part].sum() / len(features.sample) == pytest.approx(1.0), name
    assert (features.transform(features.sample) @ features.bigger).std() == pytest.approx(1.0)


def test_features_without_networks() -> None:
    features = SpaceFeatures("nothing").fit(replace(SPACE, network={}), 0)
    assert "totals" not in features.groups
    assert not features.bigger.any()


def test_constant_columns_say_nothing() -> None:
    scale = Standard.of(np.array([[1.0, 5.0], [3.0, 5.0]]), alike=True)
    np.testing.assert_allclose(scale.apply(np.array([[3.0, 7.0]])), [[1.0, 0.0]])


def test_unwarp_is_the_inverse() -> None:
    relative = np.array([0.01, 1.0, 30.0])
    back, slope = unwarp(warp(relative))
    np.testing.assert_allclose(back, relative)
    shifted, _ = unwarp(warp(relative) + 1e-6)
    np.testing.assert_allclose((shifted - back) / 1e-6, slope, rtol=1e-4)


def regression(n: int) -> tuple[GroupedLinear, FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(n + 200, 12))
    weights = np.concatenate([rng.normal(size=4), np.zeros(8)])
    values = 3 + columns @ weights + 0.1 * rng.normal(size=n + 200)
    return GroupedLinear([slice(0, 4), slice(4, 12)], [1.0, 1.0], 0.1), columns, values, weights


@pytest.mark.parametrize("n", [10, 100])
def test_evidence_is_the_same_either_way(n: int) -> None:
    model, columns, values, _ = regression(n)
    design = np.column_stack([columns[:n], np.ones(n)])
    theta = np.array([0.3, -1.0, -2.0])
    dual, primal = model._dual(design, values[:n]), model._primal(design, values[:n])
    assert dual(theta)[0] == pytest.approx(primal(theta)[0], rel=1e-4)
    np.testing.assert_allclose(dual(theta)[1], primal(theta)[1], rtol=1e-3, atol=1e-4)
    for number in range(3):
        step = np.eye(3)[number] * 1e-5
        slope = (primal(theta + step)[0] - primal(theta - step)[0]) / 2e-5
        assert slope == pytest.approx(primal(theta)[1][number], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("n", [8, 100])
def test_regression_finds_the_group_that_matters(n: int) -> None:
    model, columns, values, _ = regression(n)
    mean, variance = model.fit(columns[:n], values[:n], np.zeros(12)).predict(columns[n:])
    assert np.corrcoef(mean, values[n:])[0, 1] > (0.99 if n == 100 else 0.6)
    assert (np.abs(mean - values[n:]) < 2 * np.sqrt(variance)).mean() > 0.85


def test_what_is_expected_holds_until_measured() -> None:
    model, columns, values, weights = regression(3)
    mean, _ = model.fit(columns[:3], values[:3], weights).predict(columns[3:])
    assert np.corrcoef(mean, values[3:])[0, 1] > 0.95


def test_choice_follows_the_posterior() -> None:
    model, columns, _, _ = regression(10)
    first = model.choose(columns, 5)
    np.testing.assert_array_equal(model.choose(columns, 3), first[:3])
    assert len(set(first.tolist())) == 5
    twice = model.choose(np.vstack([columns[:1] * 9, columns[:1] * 9, columns[1:30]]), 2)
    assert twice[0] == 0
    assert twice[1] > 1


def together(genotypes: IntArray) -> FloatArray:
    """Latency (N,) in ms of a device on which operations are dear when they follow one another."""
    follow = (genotypes[:, [0]] == genotypes[:, [2, 4]]).sum(axis=1)
    return np.asarray(truth(genotypes) * (1 + 0.3 * follow))


@pytest.mark.parametrize(("many", "taken_over"), [(100, True), (0, False), (200, False)])
def test_many_measurements_of_a_device_that_is_not_linear(many: int, taken_over: bool) -> None:
    genotypes = draw(100)
    model = FewShot(many=many).prepare(SPACE, "cifar10", 0).fit(genotypes, together(genotypes))
    assert (model._successor is not None) == taken_over
    mean, std = model.predict(draw(50, seed=1), return_std=True)
    assert (mean > 0).all()
    assert (std > 0).all()
    model.fit(genotypes[:20], together(genotypes[:20]))
    assert model._successor is None
