"""Training images as they might have been: shifted, and mirrored where that changes nothing."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

SHARE_OF_SIZE = 8


def augmented(images: Tensor, flip: bool, generator: Generator) -> Tensor:
    """Images (B, C, S, S), each shifted by up to an eighth of its size, at least a pixel, in both directions,
    the uncovered part filled with zeros; with ``flip`` half of them mirrored.

    The generator is one of the CPU, so that the same is drawn wherever the images are.
    """
    batch, channels, size, _ = images.shape
    most = max(1, size // SHARE_OF_SIZE)
    if flip:
        mirrored = (torch.rand(batch, generator=generator) < 0.5).to(images.device)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    shifts = torch.randint(2 * most + 1, (2, batch), generator=generator).to(images.device)
    steps = torch.arange(size, device=images.device)
    rows = (shifts[0, :, None] + steps)[:, None, :, None]
    columns = (shifts[1, :, None] + steps)[:, None, None, :]
    sample = torch.arange(batch, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return pad(images, (most, most, most, most))[sample, channel, rows, columns]
