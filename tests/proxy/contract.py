"""What every zero-cost proxy promises. A test class inherits this and names its proxy."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from ktnas.network.task import NetworkTask
from ktnas.proxy import score
from ktnas.proxy.base import Proxy, Subject
from ktnas.proxy.batch import random_batch
from ktnas.proxy.passes import evaluate
from ktnas.registry import PLUGINS, build
from ktnas.space import load_space

SPACE = load_space("nasbench201")
TASK = NetworkTask("small", "classification", 3, 8)
NETWORK = {"channels": 4, "cells": 1}
TEXTS = (
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|skip_connect~1|none~2|",
)
GENOTYPES = SPACE.parse(list(TEXTS))


def subject(text: str = TEXTS[0], task: NetworkTask = TASK, seed: int = 0, batch: int = 8) -> Subject:
    return Subject(SPACE.build(text, task, seed, **NETWORK), random_batch(task, batch, seed, "cpu"), seed)


def small_scores(*names: str, task: NetworkTask = TASK, **settings) -> np.ndarray:
    return score(SPACE, GENOTYPES, task, names, network=NETWORK, **settings).to_numpy()


class ProxyContract:
    name: ClassVar[str]

    @pytest.fixture
    def proxy(self) -> Proxy:
        return build("proxy", {"name": self.name})

    def test_scores_are_finite_and_tell_networks_apart(self):
        column = small_scores(self.name)[:, 0]
        assert column.dtype == np.float64
        assert np.isfinite(column).all()
        assert len(np.unique(column)) == len(column)

    def test_same_seed_same_scores(self):
        np.testing.assert_array_equal(small_scores(self.name), small_scores(self.name))

    def test_does_not_depend_on_the_other_proxies(self):
        everyone = list(PLUGINS["proxy"])
        together = small_scores(*everyone)[:, everyone.index(self.name)]
        np.testing.assert_array_equal(together, small_scores(self.name)[:, 0])

    def test_leaves_the_network_alone(self, proxy):
        shown = subject()
        network = shown.network
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        modes = [module.training for module in network.modules()]
        first = evaluate(shown, [proxy])
        assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
        assert [module.training for module in network.modules()] == modes
        assert not any(module._forward_hooks or "forward" in vars(module) for module in network.modules())
        assert all(parameter.grad is None for parameter in network.parameters())
        assert evaluate(shown, [proxy]) == first

    def test_hooks_go_even_if_the_pass_fails(self, proxy):
        shown = subject()
        shown.batch = random_batch(NetworkTask("other", "classification", 3, 8, channels=5), 8, 0, "cpu")
        with pytest.raises(RuntimeError):
            evaluate(shown, [proxy, build("proxy", {"name": "grad_norm"})])
        assert not any(module._forward_hooks for module in shown.network.modules())

    def test_leaves_torch_alone(self):
        torch.manual_seed(5)
        before, threads = torch.get_rng_state(), torch.get_num_threads()
        small_scores(self.name)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == threads

    @pytest.mark.parametrize("kind", ["regression", "dense"])
    def test_other_kinds_of_task(self, kind):
        space = load_space("transnas_micro")
        task = NetworkTask("other", kind, 3, 16)
        found = score(
            space,
            space.parse(["64-41414-3_22_123"]),
            task,
            [self.name],
            batch=4,
            network={"channels": 4, "blocks": 1, "decoder_channels": 64, "modules": "31"},
        )
        assert np.isfinite(found[self.name]).all() == (self.name != "epe_nas")
