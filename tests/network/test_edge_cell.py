"""Cells of the family edge cell as modules."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.edge_cell import SumCell, edge_operations
from ktnas.space import load_space


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def test_a_node_is_the_sum_of_its_edges():
    factors = {(0, 1): 2, (0, 2): 3, (1, 2): 5, (0, 3): 7, (1, 3): 11, (2, 3): 13}
    cell = SumCell({edge: Times(factor) for edge, factor in factors.items()})
    assert cell(torch.tensor(1.0)) == 7 + 11 * 2 + 13 * (3 + 5 * 2)


def test_operations_are_those_of_the_text():
    space = load_space("transnas_micro")
    genotype = space.parse(["64-41414-3_01_230"])[0]
    assert edge_operations(space, genotype, space.operations) == {
        (0, 1): "nor_conv_3x3",
        (0, 2): "none",
        (1, 2): "skip_connect",
        (0, 3): "nor_conv_1x1",
        (1, 3): "nor_conv_3x3",
        (2, 3): "none",
    }


def test_an_unknown_operation_is_refused():
    space = load_space("nasbench201")
    changed = replace(space, operations=(*space.operations[:4], "max_pool_3x3"), symbols=())
    with pytest.raises(UserError, match=r"nasbench201.*max_pool_3x3.*avg_pool_3x3"):
        edge_operations(changed, space.parse([space.example])[0], space.operations)


def test_a_space_of_another_family_is_refused():
    space = load_space("transnas_macro")
    with pytest.raises(UserError, match=r"transnas_macro.*chain.*edge_cell"):
        edge_operations(space, space.parse([space.example])[0], space.operations)
