from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding import totals
from ktnas.encoding.chain_totals import ChainTotals
from ktnas.encoding.totals import TOTALS, are_sums, network_totals, without_dead_ends
from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.fbnet import FBNet
from ktnas.space import load_space
from ktnas.space.chain import Chain

TASKS = {
    "nasbench201": "cifar10",
    "nasbench_macro": "cifar10",
    "fbnet": "cifar100",
}


def column(table: FloatArray, name: str) -> FloatArray:
    return table[:, TOTALS.index(name)]


def draw(name: str, n: int) -> IntArray:
    return load_space(name).sample(n, np.random.default_rng(1))


@pytest.mark.parametrize("name", TASKS)
def test_sums_are_those_of_the_networks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space, genotypes = load_space(name), draw(name, 2)
    found = network_totals(space, genotypes, TASKS[name])
    for row, genotype in zip(found, genotypes, strict=True):
        network = space.build(genotype, TASKS[name])
        with torch.device("meta"):
            shapes = space.build(genotype, TASKS[name])
        assert row[TOTALS.index("params")] == count_parameters(network)
        assert row[TOTALS.index("macs")] == count_flops(shapes, torch.empty(1, 3, 32, 32))
    with monkeypatch.context() as patched:
        patched.setattr(totals, "meta_network", None)  # nothing is built any more
        network_totals(space, draw(name, 2000), TASKS[name])


def test_settings_of_a_chain_are_counted_apart() -> None:
    space = load_space("mobilenetv3")
    small, large = draw("mobilenetv3", 2), draw("mobilenetv3", 2)
    small[:, -1], large[:, -1] = 0, 1
    less, more = (network_totals(space, genotypes, "imagenet") for genotypes in (small, large))
    for name in ("macs", "depthwise_macs", "activations"):
        assert (column(less, name) < column(more, name)).all()
    for name in ("blocks", "layers", "params"):
        np.testing.assert_array_equal(column(less, name), column(more, name))


def test_networks_that_are_no_sums_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    space, genotypes = load_space("nasbench101"), draw("nasbench101", 2)
    found = network_totals(space, genotypes, "cifar10")
    assert (found[:, TOTALS.index("macs")] > 0).all()
    with monkeypatch.context() as patched:
        patched.setattr(totals, "meta_network", None)
        np.testing.assert_array_equal(network_totals(space, genotypes, "cifar10"), found)


def test_a_sum_that_does_not_hold_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    space, genotypes = load_space("nasbench_macro"), draw("nasbench_macro", 2)
    right = network_totals(space, genotypes, "cifar10")

    def wrong(learned: ChainTotals, genotypes: IntArray) -> FloatArray:
        return np.ones((len(genotypes), len(TOTALS)))

    monkeypatch.setattr(ChainTotals, "totals", wrong)
    mine = replace(space, name="mine")
    assert not are_sums(mine, "cifar10")
    np.testing.assert_allclose(network_totals(mine, genotypes, "cifar10")[:, 1:], right[:, 1:])


def test_blocks_that_double_the_channels_are_counted_after_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space, genotypes = load_space("transnas_macro"), draw("transnas_macro", 500)
    assert are_sums(space, "jigsaw")
    found = network_totals(space, genotypes, "jigsaw")
    for row, genotype in zip(found[:3], genotypes[:3], strict=True):
        network, images = totals.meta_network(space, genotype, "jigsaw")
        assert row[TOTALS.index("macs")] == count_flops(network, images)
        assert row[TOTALS.index("params")] == count_parameters(network)
    there = space.blocks(genotypes) != space.operations.index("none")
    np.testing.assert_array_equal(column(found, "blocks"), there.sum(axis=1))
    with monkeypatch.context() as patched:
        patched.setattr(totals, "meta_network", None)
        np.testing.assert_array_equal(network_totals(space, genotypes[::-1], "jigsaw"), found[::-1])


def test_blocks_that_follow_from_more_than_the_shape_are_no_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space("fbnet")
    monkeypatch.setattr(FBNet, "blocks_alike", True)  # some of its positions halve the map
    mine = replace(space, name="mine")
    assert not are_sums(mine, "cifar100")
    found, right = (network_totals(one, draw("fbnet", 1), "cifar100") for one in (mine, space))
    np.testing.assert_allclose(found[:, 1:], right[:, 1:])


def test_chain_of_another_network_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    space, genotypes = load_space("nasbench_macro"), draw("nasbench_macro", 2)
    right = network_totals(space, genotypes, "cifar10")
    built = totals.meta_network

    def whole(space: Chain, genotype: IntArray, task: str) -> tuple[nn.Module, torch.Tensor]:
        network, image = built(space, genotype, task)
        return nn.Sequential(network), image

    monkeypatch.setattr(totals, "meta_network", whole)
    mine = replace(space, name="whole")
    assert not are_sums(mine, "cifar10")
    np.testing.assert_allclose(network_totals(mine, genotypes, "cifar10")[:, 1:], right[:, 1:])


def test_counts_of_known_networks() -> None:
    space = load_space("nasbench201")
    cells = [
        "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        "|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|",
    ]
    found = network_totals(space, space.parse(cells), "cifar10")
    assert column(found, "blocks").tolist() == [0, 1, 2]
    assert np.diff(column(found, "layers")).tolist() == [15 * 3, 15 * 4 - 15 * 3]
    assert np.diff(column(found, "kernels")).tolist() == [15, 15]
    # 5 cells each of 16, 32 and 64 channels on 32, 16 and 8 pixels a side
    assert np.diff(column(found, "activations"))[0] == 5 * (16 * 32**2 + 32 * 16**2 + 64 * 8**2)
    fbnet = load_space("fbnet")
    skips = network_totals(fbnet, np.full((1, 22), fbnet.operations.index("skip")), "cifar100")
    assert column(skips, "blocks")[0] == 0
    grouped = network_totals(fbnet, np.full((1, 22), fbnet.operations.index("k3_e1_g2")), "cifar100")
    assert column(grouped, "group_convolutions")[0] == 2 * 22
    assert 0 < column(grouped, "depthwise_macs")[0] < column(grouped, "macs")[0]


def test_dead_ends_are_left_out() -> None:
    space = load_space("nasbench201")
    dead = space.parse(["|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"])
    empty = space.parse(["|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"])
    np.testing.assert_array_equal(without_dead_ends(space, dead), empty)
    np.testing.assert_array_equal(
        network_totals(space, dead, "cifar10", pruned=True), network_totals(space, empty, "cifar10")
    )
    assert (network_totals(space, dead, "cifar10") >= network_totals(space, empty, "cifar10")).all()


def test_identities_on_the_way_stay() -> None:
    space = load_space("nasbench201")
    genotypes = space.sample(200, np.random.default_rng(0))
    live = without_dead_ends(space, genotypes)
    np.testing.assert_array_equal(without_dead_ends(space, live), live)
    np.testing.assert_array_equal(space.keys(live), space.keys(genotypes))


def test_other_families_are_as_they_are() -> None:
    genotypes = draw("fbnet", 5)
    np.testing.assert_array_equal(without_dead_ends(load_space("fbnet"), genotypes), genotypes)


def test_spaces_without_networks() -> None:
    space = replace(load_space("nasbench201"), network={})
    with pytest.raises(UserError, match="network"):
        network_totals(space, draw("nasbench201", 2), "cifar10")


def test_totals_of_node_cells_are_estimated_from_a_few_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    space, genotypes = load_space("nasbench_graph"), draw("nasbench_graph", 30)
    built = np.array([count_parameters(space.build(genotype, "cora")) for genotype in genotypes])
    found = column(network_totals(space, genotypes, "cora"), "params")
    assert np.corrcoef(found, built)[0, 1] > 0.99
