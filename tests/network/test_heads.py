"""Decoders of dense tasks."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.count import count_parameters
from ktnas.network.heads import image_decoder, segmentation_decoder


@pytest.mark.parametrize("decoder", [image_decoder, segmentation_decoder])
@pytest.mark.parametrize("doublings", [1, 2, 3, 4, 5, 6])
def test_a_map_is_doubled_as_often_as_asked(decoder, doublings):
    size = 2**doublings
    assert decoder(5, doublings, 7, 64)(torch.randn(2, 5, 1, 1)).shape == (2, 7, size, size)


@pytest.mark.parametrize(("decoder", "convolutions"), [(image_decoder, 14), (segmentation_decoder, 8)])
@pytest.mark.parametrize("doublings", [2, 5])
def test_the_depth_does_not_depend_on_the_size(decoder, convolutions, doublings):
    layers = list(decoder(5, doublings, 7, 64))
    doubling = [layer for layer in layers if isinstance(layer, nn.ConvTranspose2d)]
    same = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert (len(doubling), len(same)) == (doublings, convolutions - doublings)


def test_images_are_bounded_and_logits_are_not():
    maps = 100 * torch.randn(4, 5, 2, 2)
    assert image_decoder(5, 2, 3, 64)(maps).abs().max() <= 1
    assert isinstance(segmentation_decoder(5, 2, 3, 64)[-1], nn.Conv2d)


def test_the_authors_decoders_have_their_sizes():
    def weights(*widths):
        convolutions = sum(9 * taken * given + given for taken, given in pairwise(widths))
        return convolutions + 2 * sum(widths[1:-1])

    with torch.device("meta"):
        image, segmentation = image_decoder(512, 5, 3), segmentation_decoder(512, 5, 17)
    assert count_parameters(image) == weights(
        512, 1024, 1024, 512, 512, 256, 128, 64, 64, 32, 32, 16, 32, 16, 3
    )
    assert count_parameters(segmentation) == weights(512, 1024, 512, 256, 128, 64, 32, 32, 17)


@pytest.mark.parametrize("decoder", [image_decoder, segmentation_decoder])
def test_what_has_no_decoder_is_refused(decoder):
    for doublings in (0, 7):
        with pytest.raises(UserError, match=f"1 to 6 times, not {doublings}"):
            decoder(5, doublings, 3, 64)
    for width in (0, 32, 100):
        with pytest.raises(UserError, match=f"decoder_channels={width}.*multiple of 64"):
            decoder(5, 2, 3, width)
