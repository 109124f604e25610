from typing import Any

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.latency.additive import AdditiveProcess, likeliest
from ktnas.latency.graph_kernels import GraphKernels
from ktnas.space import load_space
from tests.latency.contract import SPACE, LatencyModelContract, draw, truth

KERNELS = GraphKernels(SPACE)


class TestAdditive(LatencyModelContract):
    name = "additive"


def test_sums_are_found() -> None:
    model = AdditiveProcess().prepare(SPACE, "cifar10", 0).fit(draw(99)[:60], truth(draw(99)[:60]))
    missed = model.predict(draw(99)[60:]) - truth(draw(99)[60:])
    assert np.abs(missed).max() < 0.05 * truth(draw(99)).std()


def test_slow_times_hardly_draw_predictions_up() -> None:
    rng = np.random.default_rng(0)
    latency = truth(draw(100)) * np.where(rng.random(100) < 0.1, 1.5, rng.normal(1, 0.01, 100))
    excess = []
    for degrees in (4.0, 0.0):
        model = AdditiveProcess(degrees=degrees, sample=50, iterations=20).prepare(SPACE, "cifar10", 0)
        excess.append(
            np.median(model.fit(draw(100), latency).predict(draw(200, 1)) / truth(draw(200, 1))) - 1
        )
    assert 0 < excess[0] < 0.6 * excess[1]


def test_aimed_predictions_hold_more_measurements() -> None:
    rng = np.random.default_rng(0)
    genotypes = draw(300)
    latency = truth(genotypes) * np.where(rng.random(300) < 0.2, 1.13, 1.0) * rng.normal(1, 0.01, 300)
    model = AdditiveProcess(sample=50, iterations=20).prepare(SPACE, "cifar10", 0)
    model.fit(genotypes[:100], latency[:100])
    shares = [
        (np.abs(latency[100:] / model.aim(band).predict(genotypes[100:]) - 1) <= 0.1).mean()
        for band in (0.0, 0.1)
    ]
    assert shares[1] > shares[0] + 0.05


def test_likeliest_factor() -> None:
    rng = np.random.default_rng(0)
    assert likeliest(np.array([1.0, 2.0, 3.0]), 0.1) == 1
    assert likeliest(rng.normal(1.0, 0.01, 500), 0.1) == pytest.approx(1, abs=0.005)
    assert likeliest(np.tile([0.95, 1.14], 100), 0.1) == pytest.approx(1.05, abs=0.02)


def test_kernels_of_an_architecture_with_itself() -> None:
    described = KERNELS.describe(draw(30))
    kernels = KERNELS.between(described, described)
    assert len(kernels) == len(KERNELS)
    np.testing.assert_allclose(np.diagonal(kernels, axis1=1, axis2=2), KERNELS.alone(described), atol=1e-12)
    drawn = KERNELS.describe(draw(2000))
    np.testing.assert_allclose(KERNELS.alone(drawn).mean(axis=1), 1, atol=0.1)
    for kernel in kernels:
        np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
        assert np.linalg.eigvalsh(kernel).min() > -1e-9


def test_isomorphic_cells_have_the_same_surroundings() -> None:
    texts = (
        "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|none~0|none~1|nor_conv_1x1~2|",
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|",
        "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_1x1~1|none~2|",
    )
    first, second = (colours for colours in KERNELS.describe(SPACE.parse(texts)).colours)
    for colours in (first, second):
        longer, one, same = (sorted(row[row > 0].tolist()) for row in colours)
        assert one == same
        assert longer != one


@pytest.mark.parametrize(("name", "task"), [("fbnet", "imagenet"), ("darts", "cifar10")])
def test_other_families(name: str, task: str) -> None:
    space = load_space(name)
    rows = space.sample(60, np.random.default_rng(0))
    latency = 1.0 + (rows == rows.max()).sum(axis=1)
    model = AdditiveProcess().prepare(space, task, 0).fit(rows[:40], latency[:40])
    mean, std = model.predict(rows, return_std=True)
    assert (mean > 0).all()
    assert (std > 0).all()
    assert np.corrcoef(mean[40:], latency[40:])[0, 1] > 0.5


@pytest.mark.parametrize("wrong", [{"band": -0.1}, {"degrees": -1.0}, {"sample": 0}])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        AdditiveProcess(**wrong)
