import numpy as np
import pytest
import torch

from ktnas.arrays import IntArray
from ktnas.network.adapted import adapted_network
from ktnas.network.task import NetworkTask
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.train.settings import SMALL_NETWORKS
from ktnas.train.shared_weights import SharedWeights, shared_names

TASK = NetworkTask("t", "classification", 3, 8, channels=1)
CELLS = ("nasbench201", "transnas_micro", "darts", "darts_emtnas")
SPACE = load_space("nasbench201")
TEXT = "|{}~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def network_of(space: str, genotype: IntArray, task: NetworkTask = TASK) -> torch.nn.Module:
    loaded = load_space(space)
    settings = SMALL_NETWORKS[loaded.network["name"]]
    return adapted_network(build("network", loaded.network | settings), loaded, genotype, task, seed=0)


def cell_of(operation: str) -> torch.nn.Module:
    return network_of("nasbench201", SPACE.parse([TEXT.format(operation)])[0])


def names(network: torch.nn.Module) -> set[str]:
    return {name for name, _, _ in shared_names(network)}


def test_networks_share_all_but_what_differs() -> None:
    shared = SharedWeights("cpu", {})
    large, small, none = map(cell_of, ("nor_conv_3x3", "nor_conv_1x1", "none"))
    first, second = shared.lend(large), shared.lend(small)
    assert len(first) == len(list(large.parameters()))
    assert len(second) == 3 * 3  # in each of three cells the weights of a convolution and its batch norm
    assert not shared.lend(none)
    same = {id(weights) for weights in large.parameters()} & {id(weights) for weights in small.parameters()}
    assert len(same) == len(list(small.parameters())) - 9 == len(list(none.parameters()))


def test_a_step_of_one_network_moves_the_others() -> None:
    shared = SharedWeights("cpu", {})
    first, second = cell_of("nor_conv_3x3"), cell_of("none")
    shared.lend(first)
    shared.lend(second)
    before = second.head.weight.clone()
    loss = first(TASK.inputs(4)).square().sum()
    loss.backward()
    with torch.no_grad():
        for weights in first.parameters():
            weights -= 0.1 * weights.grad
    assert not torch.equal(second.head.weight, before)


@pytest.mark.parametrize("space", CELLS)
def test_every_weight_has_a_name_of_its_own_and_every_name_one_shape(space: str) -> None:
    loaded = load_space(space)
    shapes: dict[str, torch.Size] = {}
    for genotype in loaded.sample(12, np.random.default_rng(0)):
        network = network_of(space, genotype)
        named = list(shared_names(network))
        assert len({name for name, _, _ in named}) == len(named) == len(list(network.parameters()))
        for name, module, attribute in named:
            shape = getattr(module, attribute).shape
            assert shapes.setdefault(name, shape) == shape


@pytest.mark.parametrize(("space", "others", "new"), [("nasbench201", 10, 0.1), ("darts", 40, 0.3)])
def test_random_networks_have_much_in_common(space: str, others: int, new: float) -> None:
    """The share of weights that ``others`` do not have; each operation is one of 5, or of 7 per input."""
    drawn = load_space(space).sample(5 + others, np.random.default_rng(1))
    named = [names(network_of(space, genotype)) for genotype in drawn]
    known = set().union(*named[5:])
    assert np.mean([len(own - known) / len(own) for own in named[:5]]) < new


def test_all_networks_of_nasbench201_have_no_more_than_its_supernet() -> None:
    shared = SharedWeights("cpu", {})
    for genotype in SPACE.sample(40, np.random.default_rng(0)):
        shared.lend(network_of("nasbench201", genotype))
    per_edge = 2 * 3  # two convolutions, each with its batch norm
    assert len(shared.parameters) == 3 * 6 * per_edge + 3 + 2 * 7 + 2 + 2


def test_an_operation_of_darts_is_known_by_what_it_reads() -> None:
    space = load_space("darts")
    (genotype,) = space.sample(1, np.random.default_rng(0))
    swapped = genotype.copy()
    for kind in ("input", "operation"):
        places = [list(space.variables).index(f"normal_{kind}_4_{slot}") for slot in (1, 2)]
        swapped[places] = genotype[places[::-1]]
    assert (swapped != genotype).any()
    assert names(network_of("darts", swapped)) == names(network_of("darts", genotype))


def test_the_same_input_twice_is_two_places() -> None:
    space = load_space("darts_emtnas")
    (genotype,) = space.sample(1, np.random.default_rng(0))
    for kind, value in (("input", 0), ("operation", space.operations.index("sep_conv_3x3"))):
        for slot in (1, 2):
            genotype[list(space.variables).index(f"normal_{kind}_1_{slot}")] = value
    network = network_of("darts_emtnas", genotype)
    assert len(names(network)) == len(list(network.parameters()))


@pytest.mark.parametrize("kind", ["dense", "pieces"])
def test_networks_with_another_head(kind: str) -> None:
    task = (
        NetworkTask("t", "dense", 1, 8, channels=1)
        if kind == "dense"
        else NetworkTask("t", "classification", 24, 4, channels=1, pieces=4)
    )
    first, second = (network_of("nasbench201", genotype, task) for genotype in SPACE.enumerate()[[700, 7000]])
    heads = {name for name in names(first) if name.startswith(".head.")}
    assert heads
    assert heads <= names(second)
