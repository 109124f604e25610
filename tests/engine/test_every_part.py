"""Every surrogate and every encoding can be chosen in a search, and repeats itself."""

import pytest

import ktnas
from ktnas.presets import group_options
from tests.engine.scene import write_tables

SMALL = {
    "binary_relation": {"epochs": 4, "members": 2, "width": 8},
    "ensemble": {"members": 2, "epochs": 2},
    "joint_ranking": {"steps": 4, "members": 2, "width": 8},
    "multi_predict": {"steps": 4, "members": 2},
}
ENCODINGS = {
    "arch2vec": {"samples": 40, "epochs": 1, "dim": 4, "hidden": 4},
    "combined": {"parts": ["cell", "onehot"]},
}
NOT_HERE = {"layers": "the space is no chain", "zero_cost": "computes proxies"}


def search(path, overrides):
    return ktnas.search(
        write_tables(path, 400),
        target=["a", "b"],
        objectives="error",
        budget=14,
        seed=3,
        overrides={"screen.random": 24, "screen.rounds": 1, **overrides},
    ).evaluations.drop(columns=["seconds", "host", "answered"])


@pytest.mark.parametrize("name", sorted(set(group_options("surrogate")) - {"none"}))
def test_a_search_with_every_surrogate(name, tmp_path):
    overrides = {"surrogate": {"name": name, **SMALL.get(name, {})}}
    evaluations = search(tmp_path, overrides)
    assert evaluations["task"].value_counts().to_dict() == {"a": 14, "b": 14}
    assert evaluations.equals(search(tmp_path, overrides))


@pytest.mark.parametrize("name", sorted(set(group_options("encoding")) - set(NOT_HERE)))
def test_a_search_with_every_encoding(name, tmp_path):
    overrides = {"encoding": {"name": name, **ENCODINGS.get(name, {})}}
    assert search(tmp_path, overrides)["task"].value_counts().to_dict() == {"a": 14, "b": 14}
