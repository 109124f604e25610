import math

import pytest
import torch
from torch import nn

from ktnas.network.task import NetworkTask
from ktnas.proxy.base import Subject
from ktnas.proxy.batch import random_batch
from ktnas.proxy.passes import evaluate
from ktnas.registry import build

TASK = NetworkTask("t", "classification", 3, 6, channels=2)


def value(network, seed=0):
    return evaluate(
        Subject(network, random_batch(TASK, 64, 0, "cpu"), seed), [build("proxy", {"name": "zen"})]
    )[0]


def layers(*inner, width=2):
    return nn.Sequential(*inner, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))


def test_of_the_identity_is_the_size_of_the_noise():
    distance = 0.01 * math.sqrt(2 / math.pi) * 2 * 6 * 6
    assert value(layers(nn.Identity())) == pytest.approx(math.log(distance), abs=0.02)


def test_is_the_same_with_and_without_batch_norm():
    """What a batch norm divides by is added again, in the limit of its running variance."""
    plain = value(layers(nn.Conv2d(2, 64, 3, bias=False), width=64))
    norm = nn.BatchNorm2d(64, momentum=None)
    assert value(layers(nn.Conv2d(2, 64, 3, bias=False), norm, width=64)) == pytest.approx(plain, abs=0.1)


def test_own_weights_do_not_matter():
    network = layers(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), width=8)
    before = value(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3).add_(1)
    assert value(network) == before
    assert value(network, seed=1) != before


def test_of_features_that_ignore_the_input_is_infinite():
    class Nothing(nn.Module):
        def forward(self, x):
            return x * 0

    assert value(layers(Nothing())) == -math.inf
