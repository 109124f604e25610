"""Each proxy keeps the contract; those that read no activations, by their formula."""

import numpy as np
import pytest
import torch
from torch import nn

from ktnas.network.count import count_flops
from ktnas.proxy.base import Subject
from ktnas.proxy.batch import Batch
from ktnas.proxy.passes import evaluate
from ktnas.registry import PLUGINS, build
from tests.proxy.contract import TEXTS, ProxyContract, subject

HERE = ("params", "flops", "l2_norm", "grad_norm", "snip", "plain", "fisher", "grasp", "synflow", "nwot")
ELSEWHERE = ("jacov", "epe_nas", "zen")


def test_every_proxy_is_tested():
    assert sorted(HERE + ELSEWHERE) == sorted(PLUGINS["proxy"])


class TestParams(ProxyContract):
    name = "params"


class TestFlops(ProxyContract):
    name = "flops"


class TestL2Norm(ProxyContract):
    name = "l2_norm"


class TestGradNorm(ProxyContract):
    name = "grad_norm"


class TestSnip(ProxyContract):
    name = "snip"


class TestPlain(ProxyContract):
    name = "plain"


class TestFisher(ProxyContract):
    name = "fisher"


class TestGrasp(ProxyContract):
    name = "grasp"


class TestSynFlow(ProxyContract):
    name = "synflow"


class TestNwot(ProxyContract):
    name = "nwot"


class TestJacov(ProxyContract):
    name = "jacov"


class TestEpeNas(ProxyContract):
    name = "epe_nas"


class TestZen(ProxyContract):
    name = "zen"


def value(name, shown):
    return evaluate(shown, [build("proxy", {"name": name})])[0]


class Chain(nn.Module):
    """Two linear layers with a rectifier between, and one that takes no part."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.dead = nn.Linear(4, 5), nn.Linear(5, 3), nn.Linear(2, 2)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.second(self.relu(self.first(x)))


@pytest.fixture
def chain():
    batch = subject().batch
    generator = torch.Generator().manual_seed(1)
    return Subject(Chain(), Batch(batch.task, torch.randn(8, 4, generator=generator), batch.labels), 0)


def test_sizes():
    shown = subject()
    assert value("params", shown) == sum(parameter.numel() for parameter in shown.network.parameters())
    assert value("flops", shown) == count_flops(shown.network, shown.batch.inputs[:1], "suite_zero")


def test_what_reads_weights_and_gradients(chain):
    network = chain.network
    chain.batch.loss(network(chain.batch.inputs)).backward()
    pairs = [(layer.weight.detach(), layer.weight.grad) for layer in (network.first, network.second)]

    assert value("grad_norm", chain) == pytest.approx(sum(float(g.norm()) for _, g in pairs))
    assert value("snip", chain) == pytest.approx(sum(float((w * g).abs().sum()) for w, g in pairs))
    assert value("plain", chain) == pytest.approx(sum(float((w * g).sum()) for w, g in pairs), abs=1e-6)
    every = [layer.weight.detach() for layer in (network.first, network.second, network.dead)]
    assert value("l2_norm", chain) == pytest.approx(sum(float(w.norm()) for w in every))


def test_fisher(chain):
    hidden = chain.network.first(chain.batch.inputs)
    hidden.retain_grad()
    outputs = chain.network.second(chain.network.relu(hidden))
    outputs.retain_grad()
    chain.batch.loss(outputs).backward()

    def of_layer(activations, fan_in):
        return float((activations.detach() * activations.grad).square().mean(0).sum()) * fan_in / 2

    assert value("fisher", chain) == pytest.approx(of_layer(hidden, 4) + of_layer(outputs, 5), rel=1e-5)


def test_grasp_is_a_derivative_along_the_gradient(chain):
    shown = Subject(
        chain.network.double(), Batch(chain.batch.task, chain.batch.inputs.double(), chain.batch.labels), 0
    )
    weights = [chain.network.first.weight, chain.network.second.weight]

    def gradients():
        return torch.autograd.grad(shown.batch.loss(chain.network(shown.batch.inputs)), weights)

    first, step = gradients(), 1e-6
    with torch.no_grad():
        for weight, gradient in zip(weights, first, strict=True):
            weight += step * gradient
    moved = gradients()
    with torch.no_grad():
        for weight, gradient in zip(weights, first, strict=True):
            weight -= step * gradient
    products = [(after - before) / step for after, before in zip(moved, first, strict=True)]
    expected = -sum(float((w.detach() * p).sum()) for w, p in zip(weights, products, strict=True))
    assert value("grasp", shown) == pytest.approx(expected, rel=1e-4)


def test_synflow_counts_paths(chain):
    weights = {name: weight.detach().abs() for name, weight in chain.network.named_parameters()}
    paths = weights["second.weight"] @ weights["first.weight"] @ torch.ones(4)
    through_bias = weights["second.weight"] @ weights["first.bias"]
    expected = float((2 * paths + through_bias).sum())
    assert value("synflow", chain) == pytest.approx(np.log1p(expected), rel=1e-5)


def test_synflow_of_what_is_cut_off_is_zero():
    assert value("synflow", subject("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")) == 0


def test_nwot_is_the_determinant_of_the_agreements(chain):
    active = (chain.network.first(chain.batch.inputs) > 0).numpy()
    agreements = (active[:, None] == active).sum(axis=2)
    expected = np.linalg.slogdet(agreements).logabsdet
    found = value("nwot", chain)
    assert found == pytest.approx(expected, rel=1e-6) or (np.isinf(expected) and np.isinf(found))


def test_one_pass_serves_all_who_share_it(monkeypatch):
    shown = subject(TEXTS[2])
    calls = []
    forward = shown.forward
    monkeypatch.setattr(shown, "forward", lambda *arguments: calls.append(1) or forward(*arguments))
    evaluate(
        shown, [build("proxy", {"name": name}) for name in ("grad_norm", "snip", "plain", "fisher", "nwot")]
    )
    assert len(calls) == 1
