from dataclasses import replace

import numpy as np
import pytest

from ktnas.encoding.layers import DISTANCE, LayerFeatures
from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.space import SearchSpace, load_space
from ktnas.space.chain import Chain, Choice
from tests.encoding.contract import EncodingContract


class TestLayersContract(EncodingContract):
    name = "layers"

    @pytest.fixture(scope="class", params=["transnas_macro", "nasbench_macro"])
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        return load_space(request.param)


@pytest.fixture(scope="module")
def mobile() -> SearchSpace:
    return load_space("mobilenetv3")


def test_groups_are_those_of_the_space(mobile: SearchSpace) -> None:
    groups = LayerFeatures(task="").fit(mobile, 0).groups
    assert {name: part.stop - part.start for name, part in groups.items()} == {
        "settings": 1,
        "present": 20,
        "ks": 20,
        "e": 20,
    }
    assert list(LayerFeatures(task="").fit(load_space("transnas_macro"), 0).groups) == [
        "present",
        "operations",
    ]


def test_what_a_network_does_not_have_changes_nothing(mobile: SearchSpace) -> None:
    encoding = LayerFeatures(task="").fit(mobile, 0)
    genotypes = mobile.sample(40, np.random.default_rng(0))
    scrambled = mobile.sample(40, np.random.default_rng(1))
    absent = mobile.blocks(genotypes) == mobile.operations.index("none")
    both = np.hstack([absent, absent])
    scrambled[:, 40:] = genotypes[:, 40:]
    scrambled[:, :40] = np.where(both, scrambled[:, :40], genotypes[:, :40])
    np.testing.assert_array_equal(encoding.transform(scrambled), encoding.transform(genotypes))


def test_neighbouring_positions_are_alike_and_steps_up_are_worth_less_and_less(mobile: SearchSpace) -> None:
    encoding = LayerFeatures(task="", reach=4.0).fit(mobile, 0)
    base = np.zeros((1, mobile.n_variables), dtype=np.int64)

    def moved(position: int, choice: int) -> np.ndarray:
        changed = base.copy()
        changed[0, position] = choice
        return (encoding.transform(changed) - encoding.transform(base))[0]

    first, second, later = moved(0, 2), moved(1, 2), moved(8, 2)
    assert first @ second / (first @ first) == pytest.approx(np.exp(-1 / 4))
    assert first @ later / (first @ first) == pytest.approx(np.exp(-8 / 4))
    np.testing.assert_allclose(moved(0, 1), first * (1 / 3 - 1 / 5) / (1 / 3 - 1 / 7), atol=1e-12)


def test_random_architectures_are_at_the_stated_distance_in_every_group() -> None:
    space = load_space("transnas_macro")
    encoding = LayerFeatures().fit(space, 0)
    first, second = (encoding.transform(space.sample(2000, np.random.default_rng(seed))) for seed in (1, 2))
    for columns in encoding.groups.values():
        squared = ((first[:, columns] - second[:, columns]) ** 2).sum(axis=1)
        assert squared.mean() == pytest.approx(DISTANCE, rel=0.15)


def test_size_is_that_of_the_network() -> None:
    import torch

    space = load_space("transnas_macro")
    encoding = LayerFeatures(task="cifar10").fit(space, 0)
    genotypes = space.sample(3, np.random.default_rng(0))
    columns = encoding.transform(genotypes)[:, encoding.groups["size"]]
    sizes = []
    for genotype in genotypes:
        with torch.device("meta"):
            network = space.build(genotype, "cifar10")
        flops = count_flops(network, torch.empty(1, 3, 32, 32, device="meta"))
        sizes.append(np.log([count_parameters(network), flops]))
    ratios = (columns[1:] - columns[0]) / (np.array(sizes[1:]) - sizes[0])
    np.testing.assert_allclose(ratios, ratios[0, 0])


def test_settings_change_the_size(mobile: SearchSpace) -> None:
    assert isinstance(mobile, Chain)
    narrow = replace(
        mobile,
        operations=(),
        symbols=(),
        factors=(Choice("ks", ("3",)), Choice("e", ("3", "6"))),
        settings=(Choice("r", ("160", "192")),),
    )
    encoding = LayerFeatures().fit(narrow, 0)
    small = narrow.sample(1, np.random.default_rng(0))
    small[:, -1] = 0
    large = small.copy()
    large[:, -1] = 1
    size = encoding.groups["size"]
    parameters, flops = (encoding.transform(large) - encoding.transform(small))[0, size]
    assert parameters == 0
    assert flops > 0


def test_spaces_without_networks_have_no_size() -> None:
    space = replace(load_space("nasbench_macro"), network={})
    assert "size" not in LayerFeatures().fit(space, 0).groups
    assert "size" not in LayerFeatures(task="").fit(load_space("nasbench_macro"), 0).groups
    assert "size" not in LayerFeatures(task="autoencoder").fit(load_space("nasbench_macro"), 0).groups


def test_unknown_task_is_refused() -> None:
    with pytest.raises(UserError, match="imagnet"):
        LayerFeatures(task="imagnet")


def test_cells_are_refused() -> None:
    with pytest.raises(
        UserError, match="'layers' describes chains, and nasbench201 is of the family edge_cell"
    ):
        LayerFeatures().fit(load_space("nasbench201"), 0)
    with pytest.raises(UserError, match="reach=0"):
        LayerFeatures(reach=0)
