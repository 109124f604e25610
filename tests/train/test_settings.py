from dataclasses import replace
from typing import Any

import pytest

from ktnas.engine.benchmark_config import benchmark_config
from ktnas.errors import UserError
from ktnas.registry import PLUGINS
from ktnas.train.settings import SMALL_NETWORKS, SUPERNET_DEFAULTS, TrainingSettings, supernet_settings


def test_shipped_defaults_are_those_of_the_class() -> None:
    assert TrainingSettings.of(benchmark_config("train").training) == TrainingSettings()
    assert benchmark_config("train").supernet == SUPERNET_DEFAULTS


def test_what_is_left_out_has_its_default() -> None:
    settings = TrainingSettings.of({"epochs": 3, "network": {"channels": 4}, "learning_rate": 1})
    assert (settings.epochs, settings.network, settings.learning_rate) == (3, {"channels": 4}, 1.0)
    assert settings.batch == TrainingSettings().batch


def test_a_supernet_is_trained_as_networks_are_but_for_what_is_said() -> None:
    training = TrainingSettings(epochs=7, batch=32, learning_rate=0.2, network={"channels": 4}, seed=3)
    assert supernet_settings(training, {}) == replace(training, **SUPERNET_DEFAULTS)
    assert supernet_settings(training, {"epochs": 9, "batch": 8}) == replace(training, epochs=9, batch=8)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 3}, "Unknown key of benchmark.training: 'epoch'. Did you mean epochs"),
        ({"epochs": 0}, "benchmark.training.epochs=0: must be 1 or more"),
        ({"epochs": "many"}, "benchmark.training.epochs='many': Value 'many'"),
        ({"batch": 1}, "benchmark.training.batch=1: must be 2 or more"),
        ({"size": 2}, "benchmark.training.size=2: must be 4 or more"),
        ({"learning_rate": 0}, "benchmark.training.learning_rate=0.0: must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan: must be above 0"),
        ({"weight_decay": -1}, "weight_decay=-1.0: must be 0 or more"),
        ({"place": "gpu"}, "Unknown benchmark.training.place 'gpu'.* Valid: auto, cpu, cuda"),
        ({"network": 3}, "benchmark.training.network=3"),
        ({"seed": -1}, "benchmark.training.seed=-1"),
    ],
)
def test_bad_settings(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainingSettings.of(given)


def test_small_networks_are_of_networks_there_are() -> None:
    assert set(SMALL_NETWORKS) == set(PLUGINS["network"]) - {"nasbench_graph"}
