"""Labelled images in three parts: for training, for validation and for the test."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.tables.files import data_dir, locate

Pixels = npt.NDArray[np.uint8]
"""Images (N, H, W, C), 0 black to 255 white."""

DIGITS = "digits"
SPLIT_SEED = 0
VALID_SHARE = TEST_SHARE = 0.2
LEAST_DEVIATION = 1e-3
LEAST_IMAGES = 2


@dataclass(frozen=True, eq=False)
class Part:
    """Images (N, S, S, C) and the class (N,) of each."""

    images: Pixels
    labels: IntArray

    def of_classes(self, classes: tuple[int, ...]) -> "Part":
        """The images of some classes, which are numbered anew in the order given."""
        kept = np.isin(self.labels, classes)
        numbers = np.full(max(classes) + 1, -1)
        numbers[list(classes)] = np.arange(len(classes))
        return Part(self.images[kept], numbers[self.labels[kept]])


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """A data set.

    Attributes:
        name: as the user gave it.
        train: to learn from.
        valid: to judge architectures by.
        test: to report.
    """

    name: str
    train: Part
    valid: Part
    test: Part

    @property
    def size(self) -> int:
        """Height and width of the images."""
        return int(self.train.images.shape[1])

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.train.images.shape[3])

    @property
    def classes(self) -> int:
        """Number of classes, whose labels are 0 to ``classes`` - 1."""
        return int(self.train.labels.max()) + 1

    @cached_property
    def mean(self) -> FloatArray:
        """Mean (C,) of each channel of the training images, 1 being white."""
        return self._levels @ np.arange(256) / 255

    @cached_property
    def deviation(self) -> FloatArray:
        """Standard deviation (C,) of each channel of the training images, at least 0.001."""
        squares = self._levels @ (np.arange(256) / 255) ** 2
        return np.sqrt(np.maximum(squares - self.mean**2, LEAST_DEVIATION**2))

    @cached_property
    def _levels(self) -> FloatArray:
        """Share (C, 256) of each channel's training pixels that have each value."""
        pixels = self.train.images
        counts = [np.bincount(pixels[..., i].ravel(), minlength=256) for i in range(self.channels)]
        return np.array(counts) / pixels[..., 0].size

    def of_classes(self, classes: tuple[int, ...]) -> "LabelledImages":
        """The images of some classes, which are numbered anew in the order given."""
        parts = (part.of_classes(classes) for part in (self.train, self.valid, self.test))
        return LabelledImages(self.name, *parts)


def read_images(data: str, size: int | None = None) -> LabelledImages:
    """The data set ``data``; the last ones stay in memory.

    Args:
        data: ``digits``, the path of an ``.npz`` file or of a directory of images, or the name of a data set
            of torchvision. Paths are relative to the working directory, else to ``KTNAS_DATA``.
        size: height and width that images are brought to (bilinear); None leaves them as they are.

    Raises:
        UserError: no such data, data that cannot be read or used, or images that are not square where
            ``size`` is None.
    """
    return _read(located(data), size)


def located(data: str) -> str:
    """``data`` as ``read_images`` takes it from any working directory: paths that exist are absolute.

    Raises:
        UserError: an ``.npz`` file that is not there.
    """
    if data == DIGITS:
        return data
    if data.endswith(".npz"):
        return str(locate(data).absolute())
    places = (Path(data).expanduser(), data_dir() / data)
    return next((str(place.absolute()) for place in places if place.exists()), data)


@lru_cache(maxsize=2)
def _read(data: str, size: int | None) -> LabelledImages:
    from ktnas.train.image_files import read_directory, read_npz
    from ktnas.train.torchvision_data import read_torchvision

    path = Path(data)
    if data == DIGITS:
        images = _digits()
    elif data.endswith(".npz"):
        images = read_npz(path)
    elif path.is_dir():
        images = read_directory(path, size)
    elif path.exists():
        raise UserError(f"benchmark.data={data}: expected an .npz file or a directory of images.")
    else:
        images = read_torchvision(data, data_dir())
    images = _sized(images, size)
    _check(images)
    return images


def split(labels: IntArray, shares: tuple[float, ...], seed: int = SPLIT_SEED) -> list[npt.NDArray[np.int64]]:
    """Rows of each part, in order: ``shares`` of every class, drawn by ``seed``, and the rest last."""
    rng = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for label in np.unique(labels).tolist():
        rows = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.cumsum([round(share * len(rows)) for share in shares])
        for part, found in zip(parts, np.split(rows, cuts), strict=True):
            part += found.tolist()
    return [np.sort(np.array(part, dtype=np.int64)) for part in parts]


def split_all(name: str, images: Pixels, labels: IntArray) -> LabelledImages:
    """A data set of which a fifth each is kept for validation and for the test."""
    valid, test, train = split(labels, (VALID_SHARE, TEST_SHARE))
    return LabelledImages(name, *(Part(images[rows], labels[rows]) for rows in (train, valid, test)))


def resized(image: Pixels, size: int) -> Pixels:
    """Image (H, W, C) as (size, size, C), bilinear."""
    from PIL import Image

    bands = [Image.fromarray(image[:, :, band]) for band in range(image.shape[2])]
    scaled = [band.resize((size, size), Image.Resampling.BILINEAR) for band in bands]
    return np.stack([np.asarray(band) for band in scaled], axis=2)


def _digits() -> LabelledImages:
    """The 1,797 handwritten digits of 8 x 8 pixels in scikit-learn."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    return split_all(DIGITS, pixels, digits.target.astype(np.int64))


def _sized(images: LabelledImages, size: int | None) -> LabelledImages:
    height, width = images.train.images.shape[1:3]
    if size is None:
        if height != width:
            raise UserError(
                f"{images.name}: its images have {height} x {width} pixels, networks take square ones. Give "
                f"benchmark.training.size={min(height, width)}, say."
            )
        return images
    if (height, width) == (size, size):
        return images
    scale: Callable[[Part], Part] = lambda part: Part(  # noqa: E731 - used on three parts at once
        np.stack([resized(image, size) for image in part.images]), part.labels
    )
    return LabelledImages(images.name, *map(scale, (images.train, images.valid, images.test)))


def _check(images: LabelledImages) -> None:
    for name, part in (("training", images.train), ("validation", images.valid), ("test", images.test)):
        least = LEAST_IMAGES if part is images.train else 1
        if len(part.labels) < least:
            raise UserError(
                f"{images.name}: {len(part.labels)} of its images are for {name}, at least {least} are "
                "needed. Give more images of each class."
            )
        if len(part.labels) > 1 and (part.images == part.images[0]).all():
            raise UserError(f"{images.name}: all of its {name} images are the same.")
