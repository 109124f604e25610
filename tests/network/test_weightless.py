import numpy as np
import pytest
import torch

from ktnas.network.count import count_flops, count_parameters
from ktnas.network.weightless import weightless
from ktnas.space import load_space


@pytest.mark.parametrize("name", ["nasbench201", "fbnet", "transnas_macro"])
def test_shapes_are_those_of_a_network_with_weights(name):
    space = load_space(name)
    [genotype] = space.sample(1, np.random.default_rng(0))
    whole = space.build(genotype, "cifar10")
    image = torch.zeros(1, 3, 32, 32)
    with weightless():
        bare, bare_image = space.build(genotype, "cifar10"), torch.zeros(1, 3, 32, 32)

    assert all(parameter.is_meta for parameter in bare.parameters())
    assert count_parameters(bare) == count_parameters(whole)
    assert count_flops(bare, bare_image) == count_flops(whole, image)


def test_what_is_made_afterwards_has_values():
    with weightless():
        torch.nn.Conv2d(3, 4, 1)
    assert torch.nn.Conv2d(3, 4, 1).weight.abs().sum() > 0
    assert torch.ones(3).fill_(2.0).tolist() == [2.0, 2.0, 2.0]
