"""Decoders of TransNAS-Bench-101: from a small map to one of the size of the image.

Both are chains of 3x3 convolutions, some of them transposed ones that double the map's height and width, each
with batch norm and a leaky rectifier of slope 0.2 (the code of Duan et al., CVPR 2021).
"""

from torch import nn

from ktnas.errors import UserError

MOST_DOUBLINGS = 6
SLOPE = 0.2

IMAGE_LAYERS = (
    (1, None),
    (1, None),
    (2, 6),
    (2, None),
    (4, 5),
    (8, None),
    (16, 4),
    (16, None),
    (32, 3),
    (32, None),
    (64, 2),
    (32, None),
    (64, 1),
)
"""Of each layer the part of the decoder's width that it has, and the least number of doublings with which it
doubles."""

NARROWEST = max(part for part, _ in IMAGE_LAYERS)


def image_decoder(taken: int, doublings: int, outputs: int, width: int = 1024) -> nn.Sequential:
    """Decoder of the tasks autoencoder and normal: maps (B, taken, H, W) to values in [-1, 1].

    Args:
        taken: channels of the map.
        doublings: 1 to 6; the result is (B, outputs, H * 2 ** doublings, W * 2 ** doublings).
        outputs: channels of the result.
        width: channels of the widest layers, a multiple of 64; the authors' are 1,024.

    Raises:
        UserError: ``doublings`` or ``width`` of another value.
    """
    _check(doublings, width)
    layers: list[nn.Module] = []
    for part, least in IMAGE_LAYERS:
        double = least is not None and doublings >= least
        layers += _layer(taken, width // part, double)
        taken = width // part
    return nn.Sequential(*layers, nn.Conv2d(taken, outputs, 3, padding=1), nn.Tanh())


def segmentation_decoder(taken: int, doublings: int, outputs: int, width: int = 1024) -> nn.Sequential:
    """Decoder of the task segmentsemantic: maps (B, taken, H, W) to logits of ``outputs`` classes.

    Arguments, shapes and errors are those of ``image_decoder``.
    """
    _check(doublings, width)
    layers = _layer(taken, width, double=False)
    for doubles in [False] * (MOST_DOUBLINGS - doublings) + [True] * (doublings - 1):
        layers += _layer(width, width // 2, doubles)
        width //= 2
    layers += _layer(width, width, double=True)
    return nn.Sequential(*layers, nn.Conv2d(width, outputs, 3, padding=1))


def _check(doublings: int, width: int) -> None:
    if not 1 <= doublings <= MOST_DOUBLINGS:
        raise UserError(
            f"The head of a dense task doubles a map 1 to {MOST_DOUBLINGS} times, not {doublings} times. "
            "Use an architecture that halves its maps less often."
        )
    if width < NARROWEST or width % NARROWEST:
        raise UserError(f"decoder_channels={width}: must be a multiple of {NARROWEST}.")


def _layer(taken: int, given: int, double: bool) -> list[nn.Module]:
    if double:
        convolution: nn.Module = nn.ConvTranspose2d(taken, given, 3, 2, padding=1, output_padding=1)
    else:
        convolution = nn.Conv2d(taken, given, 3, padding=1)
    return [convolution, nn.BatchNorm2d(given), nn.LeakyReLU(SLOPE)]
