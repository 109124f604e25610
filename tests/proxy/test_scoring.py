from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from ktnas.errors import UserError
from ktnas.network.task import network_task
from ktnas.proxy import score
from ktnas.proxy.base import Proxy
from ktnas.registry import PLUGINS, register
from ktnas.space import load_space
from tests.proxy.contract import GENOTYPES, NETWORK, SPACE, TASK, TEXTS, small_scores

NAMES = ("synflow", "grad_norm", "nwot")


def test_a_frame_of_all_proxies():
    found = score(SPACE, GENOTYPES, TASK, network=NETWORK)
    assert list(found) == list(PLUGINS["proxy"])
    assert (found.dtypes == np.float64).all()
    assert len(found) == len(GENOTYPES)


def test_rows_do_not_depend_on_the_batch_nor_the_workers():
    rows = small_scores(*NAMES)
    order = [2, 0, 3, 1, 2]
    mixed = score(SPACE, GENOTYPES[order], TASK, NAMES, network=NETWORK)
    np.testing.assert_array_equal(mixed.to_numpy(), rows[order])
    np.testing.assert_array_equal(small_scores(*NAMES, workers=2), rows)


def test_no_architectures():
    assert score(SPACE, GENOTYPES[:0], TASK, NAMES, network=NETWORK).shape == (0, 3)


def test_repeats_average_over_seeds():
    one, two = (small_scores("grad_norm", "zen", seed=seed) for seed in (4, 5))
    np.testing.assert_allclose(small_scores("grad_norm", "zen", seed=4, repeats=2), (one + two) / 2)
    assert (one != two).all()


def test_own_data_decides_what_depends_on_data():
    inputs, labels = np.random.default_rng(0).normal(size=(6, 3, 8, 8)), np.array([0, 1, 2, 0, 1, 2])
    own = small_scores("synflow", "nwot", data=(inputs, labels))
    random = small_scores("synflow", "nwot", batch=6)
    np.testing.assert_array_equal(own[:, 0], random[:, 0])
    assert (own[:, 1] != random[:, 1]).all()


def test_what_is_not_defined_is_nan():
    distinct = (np.random.default_rng(0).normal(size=(3, 3, 8, 8)), np.array([0, 1, 2]))
    assert np.isnan(small_scores("epe_nas", data=distinct)).all()
    same = (np.repeat(distinct[0][:1], 3, axis=0), distinct[1])
    assert np.isnan(small_scores("nwot", data=same)).all()


def test_progress_is_told_after_every_architecture():
    told = []
    small_scores("params", progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@dataclass
class Depth(Proxy):
    """Number of layers."""

    def watch(self, subject):
        return lambda: len(subject.layers)


def test_a_proxy_of_ones_own_is_used_by_name(monkeypatch):
    monkeypatch.setitem(PLUGINS, "proxy", dict(PLUGINS["proxy"]))
    register("proxy", "depth", Depth)
    outside = 8
    convolutions = [text.count("nor_conv") for text in TEXTS]
    assert small_scores("depth")[:, 0].tolist() == [outside + 3 * count for count in convolutions]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proxies": ["synflwo"]}, "Did you mean synflow"),
        ({"task": "cifar"}, "Did you mean cifar10"),
        ({"task": "cora"}, "task of images"),
        ({"device": "gpu"}, "Valid: cpu, cuda"),
        ({"device": "cuda:99"}, "torch finds"),
        ({"batch": 1}, "2 samples or more"),
        ({"repeats": 0}, "repeats=0"),
        ({"workers": 0}, "workers=0"),
        ({"network": {"widht": 3}}, "widht"),
        ({"space": replace(SPACE, network={})}, "has no networks"),
        ({"data": (np.zeros((4, 1, 8, 8)), np.zeros(4, int))}, r"\(batch, 3, 8, 8\)"),
    ],
)
def test_mistakes_are_named(changes, message):
    settings = {"space": SPACE, "genotypes": GENOTYPES, "task": TASK, "proxies": ["nwot"], "network": NETWORK}
    with pytest.raises(UserError, match=message):
        score(**(settings | changes))


def test_genotypes_are_checked():
    with pytest.raises(ValueError, match=r"genotypes\[1\] is no architecture"):
        score(SPACE, np.array([[0] * 6, [9] * 6]), TASK, ["params"], network=NETWORK)
    with pytest.raises(ValueError, match="shape"):
        score(SPACE, GENOTYPES[0], TASK, ["params"], network=NETWORK)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("nasbench201", network_task("cifar10")),
        ("transnas_micro", network_task("class_scene", size=64)),
        ("fbnet", network_task("cifar100")),
    ],
)
def test_agrees_with_published_scores(data_dir, name, task):
    published = pd.read_csv(data_dir / f"{name}_zero_cost.csv.gz")
    if "task" in published:
        published = published[published["task"] == task.name]
    published = published.sample(6, random_state=1).reset_index(drop=True)
    space = load_space(name)
    found = score(space, space.parse(published["arch"].tolist()), task, ["params", "synflow", "l2_norm"])
    assert found["params"].corr(published["params"]) > 0.999
    assert found["synflow"].corr(published["synflow"], method="spearman") > 0.9
    np.testing.assert_allclose(found["l2_norm"], published["l2_norm"], rtol=0.02)
