"""Data sets of torchvision by name."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ktnas.errors import UserError, unknown
from ktnas.train.images import VALID_SHARE, LabelledImages, Part, split

NAMES = ("CIFAR10", "CIFAR100", "FashionMNIST", "KMNIST", "MNIST")


def read_torchvision(name: str, directory: Path) -> LabelledImages:
    """A data set of torchvision, downloaded to ``directory`` where it is not there; a fifth of its training
    images is used for validation.

    Raises:
        UserError: an unknown name, no torchvision, or a download that fails.
    """
    if name not in NAMES:
        raise unknown(
            "data: there is no such file or directory, nor a data set of that name,", name, ("digits", *NAMES)
        )
    try:
        datasets = import_module("torchvision.datasets")
    except ImportError:
        raise UserError(
            f"benchmark.data={name} is read by torchvision, which is not installed: pip install "
            "'ktnas[torchvision]'. benchmark.data=digits, an .npz file or a directory of images need nothing."
        ) from None
    try:
        train, test = (
            _part(getattr(datasets, name)(str(directory), train=train, download=True))
            for train in (True, False)
        )
    except (OSError, RuntimeError) as problem:
        raise UserError(f"benchmark.data={name} cannot be loaded into {directory}: {problem}") from None
    valid_rows, rows = split(train.labels, (VALID_SHARE,))
    valid = Part(train.images[valid_rows], train.labels[valid_rows])
    return LabelledImages(name, Part(train.images[rows], train.labels[rows]), valid, test)


def _part(found: Any) -> Part:
    images = np.asarray(found.data, dtype=np.uint8)
    return Part(images[..., None] if images.ndim == 3 else images, np.asarray(found.targets, dtype=np.int64))
