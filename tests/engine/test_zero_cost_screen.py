from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ktnas
from ktnas.encoding.onehot import OneHot
from ktnas.engine import zero_cost_screen
from ktnas.engine.zero_cost_screen import ZeroCostScreen
from ktnas.errors import UserError
from ktnas.proxy import score
from ktnas.space import load_space
from tests.engine.contract import ScreenContract
from tests.engine.scene import SPACE, Scene, write_tables

PROXIES = ("synflow", "nwot")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up scores of every architecture: ``synflow`` its number, ``nwot`` the same in whole thousands."""
    rows = SPACE.architectures()
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    numbers = np.arange(len(rows))
    pd.DataFrame({"arch": SPACE.format(rows), "synflow": numbers, "nwot": numbers // 1000}).to_csv(
        path, index=False
    )
    return path


class TestZeroCostScreen(ScreenContract):
    name = "zero_cost"

    @pytest.fixture(autouse=True)
    def table(self, scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "parameters", {"table": str(scores)})

    def test_takes_the_best_by_rank(self, config: dict[str, Any]) -> None:
        scene = Scene.of(config).evaluate(0, 4)
        state = scene.states[0]
        candidates = state.draw(9)
        places = {genotype.tobytes(): i for i, genotype in enumerate(SPACE.architectures())}
        numbers = [places[genotype.tobytes()] for genotype in candidates]
        chosen = self.choose(scene, 0, candidates, 3)
        assert [places[row.tobytes()] for row in chosen] == sorted(numbers, reverse=True)[:3]

    def test_needs_random_architectures_first(self, config: dict[str, Any]) -> None:
        scene = Scene.of(config).evaluate(0, 30)
        assert not self.build(scene).informed(scene.states[0], scene.states)


def prepared(space: str = "nasbench201", **parameters: Any) -> ZeroCostScreen:
    screen = ZeroCostScreen(**({"size": 8, "batch": 4} | parameters))
    loaded = load_space(space)
    encoding = OneHot().fit(replace(loaded, network={}) if space == "fbnet" else loaded, 0)
    screen.prepare(None, encoding, {}, 1, 0)
    return screen


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(zero_cost_screen, "SAMPLE", 2)


@pytest.mark.usefixtures("cache")
def test_ranks_are_those_of_the_proxies() -> None:
    space = load_space("nasbench201")
    candidates = space.sample(6, np.random.default_rng(5))
    chosen = prepared().choose(None, [], candidates, 6)
    raw = score(space, candidates, ktnas.network.task.network_task("cifar10", size=8), PROXIES, batch=4)
    ranks = raw.rank(na_option="top").mean(axis=1).to_numpy()
    np.testing.assert_array_equal(chosen, candidates[np.argsort(-ranks, kind="stable")])


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"space": "fbnet"}, "screen=zero_cost: Space fbnet has no networks"),
        ({"space": "nasbench_graph"}, "screen=zero_cost: .*graphs"),
        ({"proxies": "synflo"}, "Unknown proxy 'synflo'. Did you mean synflow"),
        ({"task": "cifar11"}, "screen=zero_cost: Unknown task .* 'cifar11'"),
        ({"table": "nowhere.csv"}, "screen=zero_cost: There is no file 'nowhere.csv'"),
        ({"batch": 1}, "screen.batch=1: expected 2 or more"),
        ({"size": -1}, "screen.size=-1: expected 0 or more"),
    ],
)
def test_mistakes_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepared(**parameters)


@pytest.mark.usefixtures("cache")
def test_a_search_of_ktnas_as_published_with_a_screen(tmp_path: Path, scores: Path) -> None:
    found = ktnas.search(
        write_tables(tmp_path),
        target=["a", "b"],
        objectives="error",
        algorithm="ktnas_paper",
        budget=14,
        overrides={"encoding": "onehot", "screen": {"name": "zero_cost", "table": str(scores)}, "batch": 2},
    ).evaluations
    assert found["task"].value_counts().to_dict() == {"a": 14, "b": 14}
    later = found[(found["task"] == "a") & (found["generation"] > 0)]
    assert later.groupby("generation").size().tolist() == [2, 2]
