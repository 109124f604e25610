"""Timing networks, each in a process of its own: what hangs, crashes or runs out of memory is an outcome."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch  # here, that it is imported once, before the processes that need it are forked
from torch import Tensor, nn

from ktnas.errors import UserError
from ktnas.measure.command_runner import CommandError
from ktnas.measure.operations import layer_calls, task_of
from ktnas.measure.runner import Runner
from ktnas.measure.timing import Limits, time_runs
from ktnas.network.task import NetworkTask
from ktnas.space.base import SearchSpace
from ktnas.task.function_task import FunctionTask
from ktnas.task.isolation import AnswerError

METRIC = "latency_ms"


@dataclass(frozen=True)
class NetworkTimer:
    """From an architecture's text to the figures of ``timing.Timing``; called in the process it may ruin.

    Attributes:
        space: of the architectures.
        task: what networks are built for.
        runner: runs them.
        limits: when a measurement ends.
        scratch: directory for the runner's files.
        layer: which call of a layer is timed alone, counted from 0; None to time the network.
    """

    space: SearchSpace
    task: NetworkTask
    runner: Runner
    limits: Limits
    scratch: Path
    layer: int | None = None

    def __call__(self, text: str) -> dict[str, float]:
        """Time the network of ``text``, or the layer of it."""
        network, inputs = build_network(self.space, text, self.task, self.runner.batch)
        timed = (network, (inputs,)) if self.layer is None else _layer(network, inputs, self.layer)
        try:
            run = self.runner.prepare(*timed, self.scratch)
            return asdict(time_runs(run, self.limits, self.runner.warms_up))
        except (UserError, CommandError) as problem:
            raise AnswerError(str(problem)) from None

    def isolated(self, timeout: float | None) -> FunctionTask:
        """The task whose evaluations are calls of this, killed after ``timeout`` seconds.

        None stands for the runner's ``patience``.
        """
        timer = replace(self, space=self.space.without_memory())
        return FunctionTask(
            "latency",
            self.space,
            timer,
            searched=METRIC,
            better="lower",
            unit="ms",
            timeout=self.runner.patience if timeout is None else timeout,
        )


def build_network(space: SearchSpace, text: str, task: NetworkTask, batch: int) -> tuple[nn.Module, Tensor]:
    """Network of ``text`` in evaluation mode, its weights those of seed 0, and a batch of inputs."""
    genotype = space.parse([text])[0]
    inputs = task_of(space, genotype, task).inputs(batch)
    return space.build(genotype, task).eval(), inputs


def _layer(network: nn.Module, inputs: Tensor, position: int) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A layer of the network and random inputs of the shapes it is called with."""
    call = layer_calls(network, inputs)[position]
    generator = torch.Generator().manual_seed(0)
    drawn = (torch.randn(tensor.shape, generator=generator).to(tensor.dtype) for tensor in call.inputs)
    return call.layer, tuple(drawn)
