"""Networks of NAS-Bench-101."""

from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import torch

from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.nasbench101 import Cell, NASBench101, vertex_channels
from ktnas.network.task import NetworkTask, network_task
from tests.network.contract import CLASSES, GREY_DIGITS, MAP, VALUES, NetworkContract

POOL, CONV1 = "maxpool3x3", "conv1x1-bn-relu"


def matrix(*edges):
    """Adjacency matrix with these edges."""
    adjacency = np.zeros((max(target for _, target in edges) + 1,) * 2, dtype=np.bool_)
    adjacency[tuple(zip(*edges, strict=True))] = True
    return adjacency


DIRECT = matrix((0, 1))
FORK = matrix((0, 1), (0, 2), (1, 3), (2, 3), (0, 3))
CHAIN = matrix((0, 1), (1, 2), (2, 3), (1, 3))

WITH_DEAD_END = "(0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 1)"
WITHOUT = "(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 3, 1)"


class TestNASBench101(NetworkContract):
    name = "nasbench101"
    space_name = "nasbench101"
    small = MappingProxyType({"channels": 4, "cells": 1})
    tasks = (GREY_DIGITS, VALUES)
    refused = (MAP, NetworkTask("puzzle", "classification", 4, 16, pieces=2))

    def test_published_counts(self, data_dir):
        task = network_task("cifar10")
        published = pd.read_csv(data_dir / "nasbench101_sample.csv.gz").sample(10, random_state=0)
        for row in published.itertuples():
            with torch.device("meta"):
                network = self.space.build(row.arch, task)
            assert count_parameters(network) == round(row.params * 1e6)
            assert count_flops(network, task.inputs(1), "suite_zero") == round(row.flops * 1e6)

    def test_nodes_off_the_path_are_left_out(self):
        counts = [count_parameters(self.space.build(text, CLASSES)) for text in (WITH_DEAD_END, WITHOUT)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("adjacency", "expected"),
    [
        (DIRECT, [8, 9]),
        (FORK, [8, 5, 4, 9]),
        (CHAIN, [8, 5, 4, 9]),
        (matrix((0, 1), (1, 2), (1, 3), (2, 4), (3, 4)), [8, 5, 5, 4, 9]),
    ],
)
def test_channels_are_shared(adjacency, expected):
    assert vertex_channels(adjacency, 8, 9) == expected


def test_a_cell_joins_its_nodes_and_adds_its_input():
    cell = Cell(FORK, [POOL, POOL], 8, 9).eval()
    x = torch.randn(2, 8, 4, 4)
    nodes = [cell.operations[node - 1](cell.projections[str(node)](x)) for node in (1, 2)]
    torch.testing.assert_close(cell(x), torch.cat(nodes, dim=1) + cell.projections["3"](x))


def test_a_node_takes_the_first_channels_of_a_wider_one():
    cell = Cell(CHAIN, [POOL, POOL], 8, 9).eval()
    x = torch.randn(2, 8, 4, 4)
    first = cell.operations[0](cell.projections["1"](x))
    torch.testing.assert_close(cell(x), torch.cat([first, cell.operations[1](first[:, :4])], dim=1))


def test_a_cell_without_nodes_projects_its_input():
    network = NASBench101(channels=4, cells=1).network(DIRECT, [], CLASSES)
    assert network(CLASSES.inputs(2)).shape == (2, 5)


@pytest.mark.parametrize("size", [4, 7, 28])
def test_images_of_any_size(size):
    task = NetworkTask("digits", "classification", 10, size, channels=1)
    network = NASBench101(channels=4, cells=1).network(FORK, [CONV1, POOL], task)
    assert network(task.inputs(2)).shape == (2, 10)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(UserError, match="cells=0"):
        NASBench101(cells=0)
    with pytest.raises(UserError, match="channels=1: the output of this cell joins 2 nodes"):
        NASBench101(channels=1).network(FORK, [POOL, POOL], CLASSES)
    with pytest.raises(UserError, match="operation of NAS-Bench-101: 'conv5x5'"):
        NASBench101(channels=4).network(FORK, [POOL, "conv5x5"], CLASSES)
