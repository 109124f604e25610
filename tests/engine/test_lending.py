"""A finished run of another space as a source."""

import numpy as np
import pandas as pd
import pytest

import ktnas
from ktnas.engine.lending import LEAST, Common
from ktnas.engine.progress import NullProgress
from ktnas.errors import UserError
from ktnas.space import load_space

THEIRS, OURS = load_space("nasbench201"), load_space("transnas_micro")
GIVEN = {"objectives": "error", "target": "depth"}


def depth(space, genotypes):
    """Convolutions that reach the output, those of 3x3 counting most."""
    graphs = space.pruned(genotypes)
    worth = {"nor_conv_3x3": 3.0, "nor_conv_1x1": 1.0}
    weights = np.array([worth.get(name, 0.0) for name in graphs.vocabulary] + [0.0])
    return weights[graphs.operations].sum(axis=1)


def table(space, directory, n, sign=1.0):
    """A benchmark of ``n`` architectures of ``space`` with one task, in which each has a score of its own."""
    rng = np.random.default_rng(0)
    genotypes = rng.permutation(np.unique(space.sample(20 * n, rng), axis=0))[:n]
    scores = 50 + sign * depth(space, genotypes) + rng.normal(scale=0.3, size=n)
    file = directory / f"{space.name}{sign}.csv"
    pd.DataFrame({"arch": space.format(genotypes), "depth": scores}).to_csv(file, index=False)
    return {"name": "table", "space": space.name, "scores": str(file), "unit": "%"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("lending")


@pytest.fixture(scope="module")
def ours(directory):
    return table(OURS, directory, 300)


@pytest.fixture(scope="module")
def lender(directory):
    """A finished run of another space, its task called as the target is."""
    given = {**GIVEN, "algorithm": "random", "source": [], "budget": 60}
    return ktnas.search(table(THEIRS, directory, 300), **given, run_dir=directory / "run").run_dir


@pytest.fixture(scope="module")
def misleading(directory):
    """The same of a task in which the best are the worst."""
    given = {**GIVEN, "algorithm": "random", "source": [], "budget": 60}
    return ktnas.search(table(THEIRS, directory, 300, -1.0), **given, run_dir=directory / "wrong").run_dir


def search(benchmark, source, budget, seed=0, **given):
    source = [] if source is None else str(source)
    return ktnas.search(benchmark, **GIVEN | {"source": source, "budget": budget, "seed": seed} | given)


def places(ours, result):
    """Share of the table that is better than the best found, after each evaluation."""
    errors = 100 - pd.read_csv(ours["scores"])["depth"].to_numpy()
    best = np.minimum.accumulate(result.evaluations["error"])
    return np.array([(errors < error - 1e-9).mean() for error in best])


def test_evaluations_are_good_from_the_second_on(ours, lender):
    """The first one is that of a search without a source, to compare with."""
    alone = search(ours, None, 1).evaluations["architecture"]
    led = [search(ours, lender, 4, seed) for seed in range(3)]
    assert led[0].evaluations["architecture"].iloc[0] == alone.iloc[0]
    found = [places(ours, result) for result in led]
    assert np.mean([place[1] for place in found]) < 0.1
    assert np.mean([place[3] for place in found]) < 0.02


def test_only_the_target_is_recorded(ours, lender, tmp_path):
    result = search(ours, lender, 5, run_dir=tmp_path)
    assert result.evaluations["role"].tolist() == ["target"] * 5
    assert result.evaluations["order"].tolist() == list(range(5))
    assert list(result.summary["tasks"]) == ["depth"]


def test_resumed_run_has_the_same_rows(ours, lender, tmp_path):
    whole = search(ours, lender, 6, run_dir=tmp_path / "whole").evaluations
    search(ours, lender, 6, run_dir=tmp_path / "cut")
    (tmp_path / "cut" / "summary.json").unlink()
    again = search(ours, lender, 6, run_dir=tmp_path / "cut").evaluations
    same = ["architecture", "error", "order"]
    pd.testing.assert_frame_equal(whole[same], again[same])
    pd.testing.assert_frame_equal(whole[same], search(ours, lender, 6).evaluations[same])


def test_misleading_source_is_left_behind(ours, misleading):
    """It chooses one evaluation, which is worse than a random one; then it is not asked."""
    found = [places(ours, search(ours, misleading, 16, seed))[-1] for seed in range(3)]
    assert np.mean(found) < 0.05


class Told(NullProgress):
    def __init__(self):
        self.messages = []

    def tell(self, message):
        self.messages.append(message)


@pytest.mark.parametrize(
    "given",
    [
        {"objectives": ["error", "latency"], "device": "phone"},
        {"overrides": {"limits.error": 60.0}},
        {"algorithm": "emtnas"},
        {"algorithm": "random"},
    ],
    ids=["two objectives", "limit", "no screen", "random"],
)
def test_where_it_cannot_help_it_is_said_and_nothing_changes(ours, lender, tmp_path, given):
    rows = pd.read_csv(ours["scores"])
    latency = pd.DataFrame({"arch": rows["arch"], "phone": np.linspace(1, 5, len(rows))})
    latency.to_csv(tmp_path / "latency.csv", index=False)
    benchmark = ours | {"latency": str(tmp_path / "latency.csv")}
    told = Told()
    found = search(benchmark, lender, 8, progress=told, **given).evaluations
    alone = search(benchmark, None, 8, **given).evaluations
    assert found["architecture"].tolist() == alone["architecture"].tolist()
    assert [str(lender) in message and "was not used" in message for message in told.messages] == [True]


def test_nothing_is_said_where_it_helps(ours, lender):
    told = Told()
    search(ours, lender, 3, progress=told)
    assert told.messages == []


def test_common_columns():
    rng = np.random.default_rng(0)
    common = Common.of(THEIRS, OURS)
    names = [name for group in common.groups for name in group]
    assert len(set(names)) == len(names)
    assert {"nor_conv_3x3, count", "longest path", "log params", "log live macs"} <= set(names)
    assert not any("avg_pool" in name for name in names)
    for space in (THEIRS, OURS):
        vectors = common.vectors(space, space.sample(500, rng))
        assert vectors.shape == (500, len(names))
        assert np.abs(vectors.mean(axis=0)).max() < 0.1
        assert 2 < (vectors**2).sum(axis=1).mean() < 4, "three groups of variance 1"


def refused(benchmark, source, tmp_path, **given):
    with pytest.raises(UserError) as caught:
        ktnas.search(benchmark, source=str(source), run_dir=tmp_path / "refused", budget=5, **given)
    assert not (tmp_path / "refused").exists()
    return str(caught.value)


def test_spaces_without_anything_in_common(lender, tmp_path):
    said = refused("nasbench_graph", lender, tmp_path, target="cora", objectives="error")
    assert "evaluated in nasbench201 says anything about nasbench_graph" in said
    assert "share no operation by name" in said


def test_run_that_knows_too_little(ours, directory, tmp_path):
    given = {**GIVEN, "algorithm": "random", "source": [], "budget": LEAST - 1}
    few = ktnas.search(table(THEIRS, directory, 300), **given, run_dir=tmp_path / "few")
    said = refused(ours, few.run_dir, tmp_path, **GIVEN)
    assert f"at least {LEAST} successful evaluations with different errors" in said
