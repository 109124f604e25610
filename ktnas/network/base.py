"""What every builder of networks offers."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ktnas.arrays import IntArray
from ktnas.network.task import NetworkTask, network_task
from ktnas.space.base import SearchSpace

if TYPE_CHECKING:
    from torch import nn


class NetworkBuilder(ABC):
    """From a genotype to a network. A plug-in: a dataclass whose fields are its parameters (width, depth, …).

    Their defaults, or what the space's YAML file says under ``network``, give the network of the space's
    authors. Modules import torch where they define layers; the registry imports them when one is built.

    The network of a chain has ``blocks``: modules, the last of which stand at the positions that are there.
    So what networks come to can be added up (``network_totals``); without, each is built to be counted.

    Attributes:
        blocks_alike: whether, of a chain, a block's layers follow from its operation and the shape of what it
            takes, wherever it stands.
    """

    blocks_alike: ClassVar[bool] = False

    def build(
        self, space: SearchSpace, genotype: IntArray, task: NetworkTask | str, seed: int
    ) -> "nn.Module":
        """Network of ``genotype`` (V,) for ``task``, its weights initialised from ``seed``.

        It maps a batch of ``task_of(...).inputs`` to the outputs that ``task.kind`` names, and holds every
        operation of the genotype, also those that do not reach the output: parameters are counted as the
        authors do.

        Raises:
            UserError: an unknown task, or a kind of task that the space's networks have no head for.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._build(space, genotype, self.task_of(space, genotype, network_task(task)))

    def task_of(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> NetworkTask:
        """``task`` as the network of ``genotype`` takes it: another size where the genotype chooses it."""
        return task

    @abstractmethod
    def _build(self, space: SearchSpace, genotype: IntArray, task: NetworkTask) -> "nn.Module":
        """Network of ``genotype`` (V,) for ``task``, which ``task_of`` has seen, from torch's generator."""
