"""Networks of NAS-Bench-201."""

from types import MappingProxyType

import pytest
import torch

from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.task import NetworkTask
from ktnas.space import load_space
from tests.network.contract import CLASSES, GREY_DIGITS, MAP, VALUES, NetworkContract
from tests.network.table import check_counts

EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
DEAD_END = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|none~2|"
POOLED = "|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"


class TestNASBench201(NetworkContract):
    name = "nasbench201"
    space_name = "nasbench201"
    small = MappingProxyType({"channels": 4, "cells": 1})
    tasks = (CLASSES, GREY_DIGITS, VALUES)
    refused = (MAP, NetworkTask("puzzle", "classification", 4, 16, pieces=2))

    def test_published_counts(self, data_dir):
        check_counts(self.space, data_dir / "nasbench201_zero_cost.csv.gz", rows=6)


def build(text, task="cifar10", **settings):
    return load_space("nasbench201").build(text, task, **settings)


def test_dead_operations_count():
    assert count_parameters(build(DEAD_END)) - count_parameters(build(EMPTY)) == 243_040


def test_a_network_without_operations_answers():
    assert build(EMPTY, channels=4, cells=1)(torch.randn(2, 3, 8, 8)).shape == (2, 10)


def test_the_macs_of_an_empty_network():
    stem = 32 * 32 * 16 * 27
    reductions = 256 * 32 * (9 * 16 + 9 * 32 + 16) + 64 * 64 * (9 * 32 + 9 * 64 + 32)
    assert count_flops(build(EMPTY), torch.zeros(1, 3, 32, 32)) == stem + reductions + 640


@pytest.mark.parametrize("size", [1, 7, 9, 28])
def test_images_of_any_size(size):
    task = NetworkTask("digits", "classification", 10, size, channels=1)
    assert build(POOLED, task, channels=4, cells=1)(task.inputs(2)).shape == (2, 10)


def test_the_pooling_does_not_count_the_border():
    cell = build(POOLED, channels=4, cells=1).blocks[0]
    pooled = cell.operations["0_1"](torch.ones(1, 4, 3, 3))
    torch.testing.assert_close(pooled, torch.ones(1, 4, 3, 3))


@pytest.mark.parametrize("settings", [{"channels": 0}, {"cells": 0}])
def test_a_network_of_nothing_is_refused(settings):
    with pytest.raises(UserError, match="must be 1 or more"):
        build(POOLED, **settings)
