import numpy as np
import pandas as pd
import pytest

from experiments.peers import SAMPLERS, optuna_search
from experiments.tables import Table
from ktnas.engine.benchmark import load_benchmark

TEXTS = [f"64-41414-{a}_{b}{c}_00{d}" for a in range(4) for b in range(2) for c in range(2) for d in range(2)]


@pytest.fixture
def table(tmp_path):
    """32 architectures of 4,096, so that almost every suggestion is to be refused or was answered before."""
    scores, latency = tmp_path / "scores.csv", tmp_path / "latency.csv"
    numbers = np.random.default_rng(0).random((len(TEXTS), 2))
    pd.DataFrame({"arch": TEXTS, "score": numbers[:, 0]}).to_csv(scores, index=False)
    pd.DataFrame({"arch": TEXTS, "phone": 1 + numbers[:, 1]}).to_csv(latency, index=False)
    files = {"scores": str(scores), "latency": str(latency)}
    benchmark = load_benchmark({"name": "table", "space": "transnas_micro", **files})
    return Table(benchmark.task("score"), benchmark.device("phone"))


@pytest.mark.parametrize("name", SAMPLERS)
def test_evaluations_are_distinct_and_of_the_table(table, name):
    found = optuna_search(table, name, len(TEXTS), seed=1)

    assert sorted(map(tuple, found)) == sorted(map(tuple, table.points(table.universe)))


@pytest.mark.parametrize("name", SAMPLERS)
def test_same_seed_same_evaluations(table, name):
    first, again, other = (optuna_search(table, name, 12, seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_front_is_not_dominated(table):
    points = table.points(table.universe)

    for best in table.front:
        assert not ((points <= best).all(axis=1) & (points < best).any(axis=1)).any()
