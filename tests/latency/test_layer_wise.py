from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.latency.layer_counts import LayerCounter
from ktnas.latency.layer_wise import LayerWise
from ktnas.measure.operations import layer_signatures
from ktnas.space import load_space
from tests.latency.contract import SPACE, LatencyModelContract, draw

COUNTER = LayerCounter(SPACE, "cifar10")


def cost(signature: str) -> float:
    """Milliseconds of a layer, by its kind."""
    return {"Conv2d": 0.3, "AvgPool2d": 0.2, "ReLU": 0.01}.get(signature.split("(")[0], 0.005)


def summed(genotypes: IntArray) -> FloatArray:
    """Latency (N,) in ms of networks that are the sums of their layers."""
    signatures, counts = COUNTER.count(genotypes)
    return np.asarray(counts @ np.array([cost(name) for name in signatures]))


def model(**parameters: Any) -> LayerWise:
    return LayerWise(**parameters).prepare(SPACE, "cifar10", 0)


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    path = tmp_path / "board.operations.csv"
    rows = "".join(f'"{name}",{cost(name)}\n' for name in COUNTER.count(draw(1))[0])
    path.write_text(f"signature,latency_ms\n{rows}")
    return path


class TestLayerWise(LatencyModelContract):
    name = "layer_wise"


def test_counts_are_those_of_the_networks() -> None:
    signatures, counts = COUNTER.count(draw(5, seed=3))
    for row, count in zip(draw(5, seed=3), counts, strict=True):
        calls = layer_signatures(SPACE, row, "cifar10")
        assert [calls.count(name) for name in signatures] == count.tolist()


def test_counts_of_networks_that_are_no_sums() -> None:
    space = load_space("mobilenetv3")
    rows = space.sample(2, np.random.default_rng(0))
    signatures, counts = LayerCounter(space, "imagenet").count(rows)
    for row, count in zip(rows, counts, strict=True):
        calls = layer_signatures(space, row, "imagenet")
        assert [calls.count(name) for name in signatures] == count.tolist()
        assert count.sum() == len(calls)


def test_sums_of_layers_are_found() -> None:
    truth = summed(draw(80))
    estimated = model().fit(draw(80)[:50], truth[:50]).predict(draw(80)[50:])
    np.testing.assert_allclose(estimated, truth[50:], rtol=0.02)


def test_measured_layers_need_a_constant_and_a_factor_alone(layers: Path) -> None:
    truth = 2 + 0.7 * summed(draw(40))
    fitted = model(operations=str(layers)).fit(draw(40)[:4], truth[:4])
    mean, std = fitted.predict(draw(40), return_std=True)
    np.testing.assert_allclose(mean, truth, rtol=0.03)
    assert (std < 0.05 * mean).all()


def test_layers_that_were_not_measured(layers: Path) -> None:
    lines = layers.read_text().splitlines(keepends=True)
    layers.write_text("".join(line for line in lines if "AvgPool2d" not in line))
    with pytest.raises(UserError, match=r"lacks \d of the"):
        model(operations=str(layers)).fit(np.full((3, 6), 4), np.array([1.0, 2.0, 3.0]))


def test_a_file_that_is_none_of_layers(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("arch,latency_ms\na,1\n")
    with pytest.raises(UserError, match="no column signature"):
        model(operations=str(path)).fit(draw(3), np.array([1.0, 2.0, 3.0]))
    path.write_text("signature,latency_ms\na,fast\n")
    with pytest.raises(UserError, match="number in ms"):
        model(operations=str(path)).fit(draw(3), np.array([1.0, 2.0, 3.0]))
