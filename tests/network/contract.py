"""What every builder of networks must do; the test class of a builder inherits it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.count import count_parameters
from ktnas.network.task import NetworkTask
from ktnas.registry import build
from ktnas.space import SearchSpace, load_space

CLASSES = NetworkTask("classes", "classification", 5, 16)
GREY_DIGITS = NetworkTask("grey digits", "classification", 10, 8, channels=1)
VALUES = NetworkTask("values", "regression", 3, 16)
MAP = NetworkTask("map", "dense", 2, 16)


class NetworkContract:
    """Tests on a few random architectures of a space, as small networks.

    Attributes:
        name: the builder's name in the registry.
        space_name: the space.
        small: settings of the builder that give a network to test quickly.
        tasks: tasks it has a head for.
        exported: those of ``tasks`` whose network is exported to ONNX, by default the first.
        refused: tasks it has none for.
        sample_seed: the architectures that are tested.
    """

    name: str
    space_name: str
    small: Mapping[str, Any]
    tasks: tuple[NetworkTask, ...] = (CLASSES, GREY_DIGITS)
    exported: tuple[NetworkTask, ...] = ()
    refused: tuple[NetworkTask, ...] = (MAP,)
    sample_seed = 0

    @cached_property
    def space(self) -> SearchSpace:
        return load_space(self.space_name)

    @cached_property
    def genotypes(self) -> np.ndarray:
        return self.space.sample(3, np.random.default_rng(self.sample_seed))

    @cached_property
    def builder(self) -> NetworkBuilder:
        return build("network", {"name": self.name, **self.small})

    def network(self, task: NetworkTask | str, architecture: int = 0, seed: int = 0) -> nn.Module:
        return self.builder.build(self.space, self.genotypes[architecture], task, seed)

    def inputs(self, task: NetworkTask, batch: int = 2, architecture: int = 0) -> Tensor:
        return self.builder.task_of(self.space, self.genotypes[architecture], task).inputs(batch)

    def output_shape(self, task: NetworkTask, batch: int = 2) -> tuple[int, ...]:
        return (batch, task.outputs, *([task.size, task.size] if task.kind == "dense" else []))

    def test_every_task_is_run_forward_and_backward(self):
        for task in self.tasks:
            for architecture in range(len(self.genotypes)):
                network = self.network(task, architecture).train()
                outputs = network(self.inputs(task, architecture=architecture))
                assert outputs.shape == self.output_shape(task)
                outputs.square().mean().backward()
                gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
                assert all(gradient.isfinite().all() for gradient in gradients)
                assert any(gradient.abs().sum() > 0 for gradient in gradients)
                assert all(weight.grad is not None for weight in network.head.parameters())

    def test_the_head_takes_the_features(self):
        for task in self.tasks:
            network = self.network(task).eval()
            inputs = self.inputs(task)
            with torch.no_grad():
                torch.testing.assert_close(network.head(network.features(inputs)), network(inputs))

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec:FutureWarning")  # torch's own, in its exporter
    def test_onnx_runs_as_torch_does(self, tmp_path):
        for position, task in enumerate(self.exported or self.tasks[:1]):
            network, inputs = self.network(task).eval(), self.inputs(task)
            path = tmp_path / f"{position}.onnx"
            torch.onnx.export(network, (inputs,), path, dynamo=True, verbose=False)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            (answer,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
            with torch.no_grad():
                np.testing.assert_allclose(answer, network(inputs).numpy(), rtol=1e-4, atol=1e-4)

    def test_weights_depend_on_the_seed_alone(self):
        task = self.tasks[0]
        torch.manual_seed(7)
        expected = torch.rand(1)
        torch.manual_seed(7)
        first, again, other = (self.network(task, seed=seed).state_dict() for seed in (3, 3, 4))
        assert torch.rand(1) == expected
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)

    def test_nothing_is_computed_on_the_meta_device(self):
        for task in self.tasks:
            with torch.device("meta"):
                network = self.network(task)
            assert all(weight.is_meta for weight in network.parameters())
            assert count_parameters(network) == count_parameters(self.network(task))
            assert network(self.inputs(task).to("meta")).shape == self.output_shape(task)

    def test_proxies_find_what_they_need(self):
        network = self.network(self.tasks[0])
        layers = list(network.modules())
        assert any(isinstance(layer, nn.Conv2d) for layer in layers)
        assert not any(getattr(layer, "inplace", False) for layer in layers)
        assert isinstance(network.head, nn.Module)

    def test_a_task_without_a_head_is_refused(self):
        for task in self.refused:
            with pytest.raises(UserError, match=task.kind):
                self.network(task)
        with pytest.raises(UserError, match="cifar10"):
            self.network("cifar11")
