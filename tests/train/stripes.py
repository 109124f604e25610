"""Images that are told apart by which of their halves is bright."""

from pathlib import Path
from typing import Any

import numpy as np

from ktnas.train.images import LabelledImages, Part

Arrays = dict[str, np.ndarray]


def stripes(n: int, size: int, rng: np.random.Generator, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, size, size, channels), bright on the left or right half by turns, white above."""
    labels = np.arange(n) % 2
    images = rng.integers(0, 60, size=(n, size, size, channels))
    for image, label in zip(images, labels, strict=True):
        image[:, label * (size // 2) :][:, : size // 2] += 150
        image[: size // 4] = 255
    return images.astype(np.uint8), labels


def striped(size: int = 8, channels: int = 1, train: int = 64) -> LabelledImages:
    rng = np.random.default_rng(0)
    return LabelledImages("stripes", *(Part(*stripes(n, size, rng, channels)) for n in (train, 40, 40)))


def arrays_of(images: LabelledImages) -> Arrays:
    """What an ``.npz`` file in MedMNIST's layout holds of them."""
    parts = {"train": images.train, "val": images.valid, "test": images.test}
    return {f"{name}_images": part.images for name, part in parts.items()} | {
        f"{name}_labels": part.labels[:, None] for name, part in parts.items()
    }


def write(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path
