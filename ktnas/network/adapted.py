"""Networks of any space for any task: where a space has no head for it, its features are given one."""

from math import ceil, log2

import torch
from torch import Tensor, nn

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.network.base import NetworkBuilder
from ktnas.network.task import NetworkTask
from ktnas.space.base import SearchSpace

MAP_SIZE = 4
MAP_CHANNELS = 16


class AdaptedNetwork(nn.Module):
    """A space's network for classification, whose pooled features go to another head.

    Several pieces of a sample are shown to the same network; the head takes their features one after another.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """Features (B, F) of images (B, C, H, W), (B, P F) of pieces (B, P, C, H, W)."""
        features: Tensor = self.backbone(x if x.ndim == 4 else x.flatten(0, 1))
        return features if x.ndim == 4 else features.reshape(len(x), -1)

    def forward(self, x: Tensor) -> Tensor:
        """What the head makes of the features."""
        outputs: Tensor = self.head(self.features(x))
        return outputs


class ImageHead(nn.Module):
    """From features (B, F) to images (B, outputs, size, size): a linear layer to a small map, which is
    doubled (nearest neighbour) and convolved until it is large enough, and cut.
    """

    def __init__(self, features: int, outputs: int, size: int) -> None:
        doublings = max(0, ceil(log2(size / MAP_SIZE)))
        layers: list[nn.Module] = [
            nn.Linear(features, MAP_CHANNELS * MAP_SIZE**2),
            nn.Unflatten(1, (MAP_CHANNELS, MAP_SIZE, MAP_SIZE)),
        ]
        for _ in range(doublings):
            layers += [nn.BatchNorm2d(MAP_CHANNELS), nn.ReLU(), nn.Upsample(scale_factor=2)]
            layers += [nn.Conv2d(MAP_CHANNELS, MAP_CHANNELS, 3, padding=1)]
        layers += [nn.BatchNorm2d(MAP_CHANNELS), nn.ReLU(), nn.Conv2d(MAP_CHANNELS, outputs, 3, padding=1)]
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, outputs, size, size)."""
        images: Tensor = self.layers(x)
        return images[:, :, : self.size, : self.size]


def adapted_network(
    builder: NetworkBuilder, space: SearchSpace, genotype: IntArray, task: NetworkTask, seed: int
) -> nn.Module:
    """Network of ``genotype`` (V,) for ``task``, of any kind and number of pieces, initialised from ``seed``.

    One vector per image is the space's own network. Otherwise it is an ``AdaptedNetwork``, of which every
    space has the same head, so that architectures of different spaces are compared by their features. A dense
    task gets its outputs in the size of ``task``, also where the genotype chooses another size of the inputs.

    Raises:
        UserError: a network without ``features`` and a linear ``head``, where it needs another.
    """
    if task.kind != "dense" and task.pieces == 1:
        return builder.build(space, genotype, task, seed)
    image = NetworkTask(task.name, "classification", 1, task.size, task.channels)
    backbone = builder.build(space, genotype, image, seed)
    head = getattr(backbone, "head", None)
    if not isinstance(head, nn.Linear):
        raise UserError(
            f"Task {task.name}: the networks of {space.name} end in no linear layer 'head' that could be "
            "exchanged for this task's. Use a classification."
        )
    features = head.in_features
    backbone.head = nn.Identity()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if task.kind == "dense":
            return AdaptedNetwork(backbone, ImageHead(features, task.outputs, task.size))
        return AdaptedNetwork(backbone, nn.Linear(features * task.pieces, task.outputs))
