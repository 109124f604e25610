import numpy as np
import pandas as pd
import pytest

from experiments.peer_botorch import botorch_search, require_botorch
from experiments.peer_pymoo import pymoo_search
from experiments.peers import SAMPLERS, Memory, optuna_search
from experiments.tables import Table
from ktnas.engine.benchmark import load_benchmark

PEERS = [*SAMPLERS, "pymoo"]
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


def _search(table, name, budget, seed):
    if name in SAMPLERS:
        return optuna_search(table, name, budget, seed)
    return pymoo_search(table, budget, seed)


@pytest.mark.parametrize("name", PEERS)
def test_evaluations_are_distinct_and_of_the_table(table, name):
    found = _search(table, name, len(TEXTS), seed=1)

    assert sorted(map(tuple, found)) == sorted(map(tuple, table.points(table.universe)))


@pytest.mark.parametrize("name", PEERS)
def test_same_seed_same_evaluations(table, name):
    first, again, other = (_search(table, name, 12, seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_memory_pays_once_and_draws_what_is_left(table):
    memory = Memory(table, seed=0)
    first, absent = table.universe[0], np.full_like(table.universe[0], 3)

    answers = [memory.answer(first) for _ in range(2)]

    np.testing.assert_array_equal(answers[0], table.points(first[None])[0])
    np.testing.assert_array_equal(answers[0], answers[1])
    assert memory.answer(absent) is None
    assert len(memory) == 1
    assert memory.unknown(np.stack([first, absent, table.universe[1]])).tolist() == [False, False, True]
    left = memory.draw(100)
    assert sorted(map(tuple, left)) == sorted(map(tuple, table.universe[1:]))


@pytest.mark.slow
def test_botorch_evaluates_distinct_architectures_again_with_the_same_seed(table):
    pytest.importorskip("botorch", reason="BoTorch is an extra")

    first, again = (botorch_search(table, 13, seed=1) for _ in range(2))

    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first, axis=0)) == 13


def test_missing_botorch_is_told(monkeypatch):
    monkeypatch.setattr("experiments.peer_botorch.find_spec", lambda name: None)

    with pytest.raises(SystemExit, match="pip install botorch"):
        require_botorch()


def test_front_is_not_dominated(table):
    points = table.points(table.universe)

    for best in table.front:
        assert not ((points <= best).all(axis=1) & (points < best).any(axis=1)).any()
