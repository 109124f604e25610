"""What every model of latency promises. A test class inherits this and names its model."""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import pytest
from omegaconf import OmegaConf

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.latency.base import DeviceLatencies, LatencyModel
from ktnas.registry import build, resolve
from ktnas.resources import resource_dir
from ktnas.space import load_space

SPACE = load_space("nasbench201")
COSTS = np.array([0.0, 0.04, 0.5, 1.1, 0.25])  # none, skip_connect, 1x1, 3x3, pooling, in ms


def draw(n: int, seed: int = 0) -> IntArray:
    """``n`` different architectures (n, V)."""
    rng = np.random.default_rng(seed)
    return SPACE.architectures()[rng.choice(SPACE.size, n, replace=False)]


def truth(genotypes: IntArray, device: int = 0) -> FloatArray:
    """Latency (N,) in ms: what the operations take on the device, and what every network takes."""
    rng = np.random.default_rng(device)
    names = [str(name) for name in SPACE.operations]
    order = [
        names.index(name) for name in ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    ]
    costs = np.empty(5)
    costs[order] = COSTS * rng.uniform(0.6, 1.6, size=5)
    return 2.0 + costs[genotypes].sum(axis=1)


def known(n: int = 500) -> DeviceLatencies:
    """Three other devices."""
    genotypes = draw(n, seed=9)
    latency = np.column_stack([truth(genotypes, device) for device in (1, 2, 3)])
    return DeviceLatencies(SPACE, genotypes, latency, ("one", "two", "three"))


class LatencyModelContract:
    name: ClassVar[str]
    parameters: ClassVar[dict[str, Any]] = {}
    missed: ClassVar[float] = 0.5
    """Share of the standard deviation that is missed at most after 60 measurements."""

    def build(self, others: tuple[DeviceLatencies, ...] = ()) -> LatencyModel:
        model: LatencyModel = build("latency_model", {"name": self.name, **self.parameters})
        return model.prepare(SPACE, "cifar10", seed=0, known=others)

    def fitted(self, n: int = 60, scale: float = 1.0) -> LatencyModel:
        return self.build().fit(draw(n), scale * truth(draw(n)))

    def check(self, model: LatencyModel) -> tuple[FloatArray, FloatArray]:
        """Prediction of 40 architectures, of the right form."""
        genotypes = draw(40, seed=1)
        before = genotypes.copy()
        mean, std = model.predict(genotypes, return_std=True)
        np.testing.assert_array_equal(genotypes, before)
        np.testing.assert_array_equal(model.predict(genotypes), mean)
        assert mean.shape == std.shape == (40,)
        assert mean.dtype == std.dtype == np.float64
        assert (np.isfinite(mean) & (mean > 0)).all()
        assert (np.isfinite(std) & (std > 0)).all()
        return mean, std

    @pytest.mark.parametrize("n", [3, 4, 10, 60])
    def test_milliseconds_and_standard_deviation(self, n: int) -> None:
        self.check(self.fitted(n))

    def test_nothing_asked(self) -> None:
        mean, std = self.fitted(10).predict(draw(1)[:0], return_std=True)
        assert mean.shape == std.shape == (0,)

    def test_predicts_better_than_the_mean(self) -> None:
        held_out = truth(draw(200, seed=1))
        missed = self.fitted().predict(draw(200, seed=1)) - held_out
        assert np.sqrt((missed**2).mean()) < self.missed * held_out.std()

    def test_standard_deviation_covers_the_truth(self) -> None:
        mean, std = self.fitted().predict(draw(300, seed=1), return_std=True)
        assert (np.abs(mean - truth(draw(300, seed=1))) < 2 * std).mean() > 0.8

    def test_is_deterministic(self) -> None:
        np.testing.assert_array_equal(self.check(self.fitted(20)), self.check(self.fitted(20)))

    def test_fit_forgets(self) -> None:
        model = self.fitted(40, scale=3.0).fit(draw(20), truth(draw(20)))
        np.testing.assert_array_equal(self.check(model), self.check(self.fitted(20)))

    def test_rows_do_not_depend_on_the_batch(self) -> None:
        model, genotypes = self.fitted(20), draw(10, seed=1)
        alone = [model.predict(row[None], return_std=True) for row in genotypes]
        together = model.predict(genotypes, return_std=True)
        np.testing.assert_allclose(np.concatenate(alone, axis=1), together, rtol=1e-6)

    @pytest.mark.parametrize("scale", [1e-3, 1e3])
    def test_any_unit(self, scale: float) -> None:
        plain = np.array(self.check(self.fitted(30)))
        np.testing.assert_allclose(np.array(self.check(self.fitted(30, scale))) / scale, plain, rtol=1e-2)

    def test_architecture_measured_again(self) -> None:
        genotypes = np.repeat(draw(10), 3, axis=0)
        noise = np.random.default_rng(0).normal(scale=0.05, size=30)
        self.check(self.build().fit(genotypes, truth(genotypes) + noise))

    def test_other_devices_do_no_harm(self) -> None:
        held_out = truth(draw(300, seed=1))
        alone, helped = (
            self.build(others).fit(draw(15), truth(draw(15))).predict(draw(300, seed=1)) - held_out
            for others in ((), (known(),))
        )
        assert np.sqrt((helped**2).mean()) < 1.15 * np.sqrt((alone**2).mean())

    def test_chooses_different_rows(self) -> None:
        model = self.build((known(),))
        rows = model.choose(draw(200), 20)
        assert rows.shape == (20,)
        assert rows.dtype == np.int64
        assert len(set(rows.tolist())) == 20
        np.testing.assert_array_equal(model.choose(draw(200), 20), rows)
        assert sorted(model.choose(draw(8), 20).tolist()) == list(range(8))

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0, -1.0])
    def test_latencies_must_be_positive_numbers(self, wrong: float) -> None:
        with pytest.raises(ValueError, match="above 0"):
            self.build().fit(draw(4), np.array([1.0, 2.0, wrong, 3.0]))

    def test_too_few_measurements(self) -> None:
        with pytest.raises(UserError, match="2 measurements"):
            self.build().fit(draw(2), truth(draw(2)))

    def test_equal_measurements(self) -> None:
        with pytest.raises(UserError, match="nothing can be learned"):
            self.build().fit(draw(5), np.full(5, 2.0))

    def test_order_of_calls(self) -> None:
        model: LatencyModel = build("latency_model", {"name": self.name, **self.parameters})
        with pytest.raises(RuntimeError, match="prepare"):
            model.fit(draw(3), truth(draw(3)))
        with pytest.raises(RuntimeError, match="fit"):
            self.build().predict(draw(3))

    def test_config_spells_out_every_parameter(self) -> None:
        config = OmegaConf.to_container(
            OmegaConf.load(resource_dir("conf") / "latency_model" / f"{self.name}.yaml")
        )
        plugin = resolve("latency_model", self.name)
        default = plugin()
        assert config == {"name": self.name} | {
            item.name: getattr(default, item.name) for item in fields(plugin) if item.init
        }
