"""Networks of every space for every kind of task on images."""

import numpy as np
import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.adapted import AdaptedNetwork, ImageHead, adapted_network
from ktnas.network.base import NetworkBuilder
from ktnas.network.task import NetworkTask
from ktnas.registry import build
from ktnas.space import list_spaces, load_space
from ktnas.train.settings import SMALL_NETWORKS

SPACES = [name for name in list_spaces() if load_space(name).network.get("name") in SMALL_NETWORKS]
TASKS = (
    NetworkTask("classes", "classification", 3, 8, channels=1),
    NetworkTask("pieces", "classification", 24, 4, channels=1, pieces=4),
    NetworkTask("image", "dense", 1, 8, channels=1),
)


def network_of(space_name: str, task: NetworkTask, seed: int = 0) -> tuple[nn.Module, NetworkTask]:
    space = load_space(space_name)
    builder = build("network", space.network | SMALL_NETWORKS[str(space.network["name"])])
    genotype = space.sample(1, np.random.default_rng(0))[0]
    return adapted_network(builder, space, genotype, task, seed), builder.task_of(space, genotype, task)


@pytest.mark.parametrize("space", SPACES)
def test_every_space_has_a_network_for_every_kind(space: str) -> None:
    for task in TASKS:
        network, taken = network_of(space, task)
        outputs = network.train()(taken.inputs(3))
        assert outputs.shape == (3, task.outputs, *([8, 8] if task.kind == "dense" else []))
        outputs.square().mean().backward()
        assert all(weight.grad is not None for weight in network.head.parameters())


def test_pieces_are_seen_by_one_network_and_told_apart_by_their_place() -> None:
    network, task = network_of("nasbench201", TASKS[1])
    assert isinstance(network.eval(), AdaptedNetwork)
    inputs = task.inputs(2)
    with torch.no_grad():
        features = network.features(inputs)
        alone = [network.features(inputs[:, piece]) for piece in range(4)]
    torch.testing.assert_close(features, torch.cat(alone, dim=1))


@pytest.mark.parametrize("size", [3, 4, 7, 8, 28])
def test_images_of_any_size(size: int) -> None:
    assert ImageHead(5, 2, size)(torch.zeros(2, 5)).shape == (2, 2, size, size)


def test_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    first, again, other = (network_of("nasbench201", TASKS[2], seed)[0].state_dict() for seed in (3, 3, 4))
    assert torch.rand(1) == expected
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.layers.0.weight"], other["head.layers.0.weight"])


class Headless(NetworkBuilder):
    def _build(self, space, genotype, task):
        return nn.Flatten()


def test_networks_without_a_head_to_exchange() -> None:
    space = load_space("nasbench201")
    with pytest.raises(UserError, match="Task image: the networks of nasbench201 end in no linear layer"):
        adapted_network(Headless(), space, space.enumerate()[0], TASKS[2], 0)
