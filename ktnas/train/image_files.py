"""Images and labels from files: an ``.npz`` in MedMNIST's layout, or a directory of images."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.train.images import VALID_SHARE, LabelledImages, Part, Pixels, resized, split, split_all

PARTS = ("train", "val", "test")
MOST_CHANNELS = 4
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def read_npz(path: Path) -> LabelledImages:
    """Images of a file in the layout of MedMNIST (Yang et al., Scientific Data 2023).

    Its arrays are ``train_images``, ``val_images`` and ``test_images``, uint8 (N, H, W) or (N, H, W, C), and
    ``train_labels``, ``val_labels`` and ``test_labels``, whole numbers from 0, (N,) or (N, 1).

    Raises:
        UserError: a file that is none of these; names the array.
    """
    arrays = _arrays(path)
    parts = {}
    for part in PARTS:
        images = _pixels(path, f"{part}_images", arrays[f"{part}_images"])
        labels = _labels(path, f"{part}_labels", arrays[f"{part}_labels"], len(images))
        parts[part] = Part(images, labels)
    shape, classes = parts["train"].images.shape[1:], np.unique(parts["train"].labels)
    if len(classes) <= classes.max():
        lacking = next(number for number in range(len(classes)) if number not in classes)
        raise UserError(
            f"{path}: train_labels goes up to {classes.max()} and lacks {lacking}. Number the classes from 0 "
            "without gaps."
        )
    for name in PARTS:
        if parts[name].images.shape[1:] != shape:
            raise UserError(
                f"{path}: images of {name}_images have the shape {parts[name].images.shape[1:]}, those of "
                f"train_images {shape}. Bring them to one shape."
            )
        if parts[name].labels.max() > classes.max():
            raise UserError(
                f"{path}: {name}_labels holds {parts[name].labels.max()}, train_labels only 0 to "
                f"{classes.max()}. Every class needs images to learn from."
            )
    return LabelledImages(str(path), *(parts[name] for name in PARTS))


def read_directory(path: Path, size: int | None = None) -> LabelledImages:
    """Images in a directory with a directory per class.

    The classes, sorted by name, lie in ``path/train``, ``path/val`` and ``path/test``; without ``val``, a
    fifth of each training class is used for validation. Or they lie in ``path`` itself, and a fifth each is
    used for validation and for the test. Images are grey where all of them are, else in colour (RGB).

    Args:
        path: of the directory.
        size: height and width that images are brought to; None wants them all square and of one size.

    Raises:
        UserError: no image, one that cannot be read, sizes that differ, or a class that is not in ``train``.
    """
    if not (path / "train").is_dir():
        files, labels = _listed(path, _class_names(path))
        return split_all(str(path), _read(files, size), labels)
    names = _class_names(path / "train")
    if not (path / "test").is_dir():
        raise UserError(f"{path} has a directory train but none called test. Add it, or leave out both.")
    if strangers := sorted(set(_class_names(path)) - set(PARTS)):
        raise UserError(f"{path / strangers[0]}: beside train, only val and test are expected. Rename it.")
    present = [part for part in PARTS if (path / part).is_dir()]
    listed = [_listed(path / part, names, complete=part != "val") for part in present]
    pixels = _read([file for files, _ in listed for file in files], size)
    counts = np.cumsum([len(files) for files, _ in listed])[:-1]
    parts = {
        part: Part(images, labels)
        for part, images, (_, labels) in zip(present, np.split(pixels, counts), listed, strict=True)
    }
    if "val" not in parts:
        whole = parts["train"]
        valid, train = split(whole.labels, (VALID_SHARE,))
        parts["train"] = Part(whole.images[train], whole.labels[train])
        parts["val"] = Part(whole.images[valid], whole.labels[valid])
    return LabelledImages(str(path), *(parts[part] for part in PARTS))


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    needed = [f"{part}_{what}" for part in PARTS for what in ("images", "labels")]
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            if missing := [name for name in needed if name not in file]:
                raise UserError(
                    f"{path} lacks {', '.join(missing)}; it holds {', '.join(file.files) or 'nothing'}. "
                    f"Expected {', '.join(needed)}."
                )
            return {name: file[name] for name in needed}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as problem:
        raise UserError(f"{path} is not a readable .npz file: {problem}") from None


def _pixels(path: Path, name: str, array: npt.NDArray[Any]) -> Pixels:
    if array.dtype != np.uint8:
        raise UserError(f"{path}: {name} is {array.dtype}, expected uint8, 0 black to 255 white.")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or not 1 <= array.shape[3] <= MOST_CHANNELS:
        raise UserError(
            f"{path}: {name} has the shape {array.shape}, expected (N, H, W) or (N, H, W, C) with up to "
            f"{MOST_CHANNELS} channels C."
        )
    if 0 in array.shape:
        raise UserError(f"{path}: {name} has the shape {array.shape}, so there is nothing in it.")
    return array


def _labels(path: Path, name: str, array: npt.NDArray[Any], images: int) -> IntArray:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (images,):
        several = " One class per image is expected, not several." if array.ndim == 2 else ""
        raise UserError(f"{path}: {name} has the shape {array.shape}, expected ({images},).{several}")
    if array.dtype.kind not in "iu":
        raise UserError(f"{path}: {name} is {array.dtype}, expected whole numbers, 0 for the first class.")
    if array.min() < 0:
        raise UserError(f"{path}: {name} holds {array.min()}, expected classes from 0.")
    return array.astype(np.int64)


def _class_names(path: Path) -> list[str]:
    names = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise UserError(f"benchmark.data={path}: expected a directory per class with images in it.")
    return names


def _listed(path: Path, classes: list[str], complete: bool = True) -> tuple[list[Path], IntArray]:
    """The image files of each class, sorted, and their labels; every class has some, where ``complete``."""
    files: list[Path] = []
    labels: list[int] = []
    for stranger in sorted(set(_class_names(path)) - set(classes)):
        raise UserError(f"{path / stranger} is a class that train does not have. Every class needs both.")
    for label, name in enumerate(classes):
        found = sorted(file for file in (path / name).rglob("*") if file.suffix.lower() in ENDINGS)
        if not found and complete:
            raise UserError(
                f"{path / name} has no images; it is taken for a class. Known: *{', *'.join(ENDINGS)}."
            )
        files += found
        labels += [label] * len(found)
    return files, np.array(labels, dtype=np.int64)


def _read(files: list[Path], size: int | None) -> Pixels:
    """All images, grey (N, S, S, 1) where each is, else (N, S, S, 3)."""
    images = [_image(file, size) for file in files]
    for file, image in zip(files, images, strict=True):
        if size is None and not image.shape[0] == image.shape[1] == images[0].shape[0]:
            raise UserError(
                f"{file} has {image.shape[0]} x {image.shape[1]} pixels and {files[0]} "
                f"{images[0].shape[0]} x {images[0].shape[1]}; networks take square images of one size. Give "
                "benchmark.training.size=32, say."
            )
    channels = max(image.shape[2] for image in images)
    return np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in images])


def _image(file: Path, size: int | None) -> Pixels:
    from PIL import Image

    try:
        with Image.open(file) as opened:
            if opened.mode[0] in "IF":
                raise ValueError("it has more than 8 bits per channel")
            grey = opened.mode in ("1", "L", "LA")
            pixels = np.array(opened.convert("L" if grey else "RGB"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise UserError(f"{file} cannot be used: {problem}. Convert it or take it away.") from None
    image = pixels[..., None] if pixels.ndim == 2 else pixels
    return image if size is None else resized(image, size)
