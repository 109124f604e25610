from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ktnas.errors import UserError
from ktnas.train.images import read_images
from tests.train.stripes import Arrays, write


def test_npz_as_medmnist_publishes_them(npz: Path, arrays: Arrays) -> None:
    images = read_images(str(npz))
    assert (images.size, images.channels, images.classes) == (8, 1, 2)
    np.testing.assert_array_equal(images.valid.images, arrays["val_images"])
    np.testing.assert_array_equal(images.test.labels, arrays["test_labels"][:, 0])


def test_npz_of_grey_images_without_a_channel(tmp_path: Path, arrays: Arrays) -> None:
    flat = {name: array[..., 0] for name, array in arrays.items()}
    images = read_images(str(write(tmp_path / "grey.npz", flat)))
    assert images.train.images.shape == (64, 8, 8, 1)
    np.testing.assert_array_equal(images.train.labels, arrays["train_labels"][:, 0])


Change = Callable[[Arrays], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("val_labels"), r"bad.npz lacks val_labels; it holds train_images, .*Expected train"),
        (lambda a: a.clear(), "it holds nothing"),
        (lambda a: a.update(train_images=a["train_images"] / 255), "train_images is float64, expected uint8"),
        (
            lambda a: a.update(val_images=a["val_images"][:, 0, 0, 0]),
            r"val_images has the shape \(40,\), expected \(N, H, W\)",
        ),
        (
            lambda a: a.update(val_images=a["val_images"].repeat(9, axis=3)),
            r"val_images has the shape \(40, 8, 8, 9\), expected .* up to 4 channels",
        ),
        (
            lambda a: a.update(test_images=a["test_images"][:0]),
            r"test_images has the shape \(0,.*nothing in it",
        ),
        (
            lambda a: a.update(test_labels=a["test_labels"][:-1]),
            r"test_labels has the shape \(39,\), expected \(40,\)",
        ),
        (
            lambda a: a.update(train_labels=a["train_labels"].repeat(3, axis=1)),
            r"train_labels has the shape \(64, 3\).* One class per image is expected",
        ),
        (
            lambda a: a.update(train_labels=a["train_labels"] / 2),
            "train_labels is float64, expected whole numbers",
        ),
        (lambda a: a.update(val_labels=a["val_labels"] - 1), "val_labels holds -1, expected classes from 0"),
        (lambda a: a.update(val_labels=a["val_labels"] + 1), "val_labels holds 2, train_labels only 0 to 1"),
        (lambda a: a.update(train_labels=a["train_labels"] * 2), "train_labels goes up to 2 and lacks 1"),
        (
            lambda a: a.update(test_images=a["test_images"][:, :6]),
            r"test_images have the shape \(6, 8, 1\), those of train_images \(8, 8, 1\)",
        ),
        (
            lambda a: a.update({name: a[name][:, :6] for name in list(a) if "images" in name}),
            "its images have 6 x 8 pixels, networks take square ones. Give benchmark.training.size=6",
        ),
        (
            lambda a: a.update(train_images=np.zeros_like(a["train_images"])),
            "all of its training images are the same",
        ),
        (
            lambda a: a.update({name: a[name][:1] for name in list(a)}),
            "1 of its images are for training, at least 2 are needed",
        ),
    ],
)
def test_bad_npz(change: Change, message: str, tmp_path: Path, arrays: Arrays) -> None:
    change(arrays)
    path = write(tmp_path / "bad.npz", arrays)
    with pytest.raises(UserError, match=message) as caught:
        read_images(str(path))
    assert str(path) in str(caught.value)


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("arch,score\n")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    np.savez(tmp_path / "objects.npz", **dict.fromkeys(("train_images", "train_labels"), np.array([{}])))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "objects.npz").read_bytes()[:200])
    for name, message in (
        ("text", "text.npz is not a readable .npz file"),
        ("one", "one.npz is not a readable .npz file: it holds a single array"),
        ("cut", "cut.npz is not a readable .npz file"),
        ("objects", "objects.npz lacks val_images"),
    ):
        with pytest.raises(UserError, match=message):
            read_images(str(tmp_path / f"{name}.npz"))


def test_pickled_arrays_are_refused(tmp_path: Path, arrays: Arrays) -> None:
    path = write(tmp_path / "pickle.npz", arrays | {"test_labels": np.array([{}] * 40)})
    with pytest.raises(UserError, match=r"pickle.npz is not a readable .npz file: Object arrays"):
        read_images(str(path))


def draw(path: Path, shade: int, mode: str = "L", size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = shade if mode in ("L", "I;16") else (shade,) * len(mode)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, shade in (("cats", 50), ("dogs", 200)):
        for i in range(10):
            draw(tmp_path / "pets" / name / f"{i}.png", shade + i)
    return tmp_path / "pets"


def test_directory_with_one_per_class(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "cats" / "notes.txt").write_text("not an image")
    images = read_images(str(folder))
    assert (images.size, images.channels, images.classes) == (8, 1, 2)
    assert [len(part.labels) for part in (images.train, images.valid, images.test)] == [12, 4, 4]
    for part in (images.train, images.valid, images.test):
        np.testing.assert_array_equal(part.labels == 1, part.images[:, 0, 0, 0] >= 200)


def test_directory_that_is_split_already(folder: Path, tmp_path: Path) -> None:
    split = tmp_path / "split"
    split.mkdir()
    folder.rename(split / "train")
    for name, shade in (("cats", 50), ("dogs", 200)):
        draw(split / "test" / name / "deep" / "a.jpg", shade, "RGB")
    images = read_images(str(split))
    assert [len(part.labels) for part in (images.train, images.valid, images.test)] == [16, 4, 2]
    assert images.channels == 3

    draw(split / "val" / "cats" / "a.png", 1)
    images = read_images(str(split), 4)
    assert [len(part.labels) for part in (images.train, images.valid, images.test)] == [20, 1, 2]
    assert images.size == 4


def test_images_of_other_sizes_are_brought_to_one(folder: Path) -> None:
    draw(folder / "dogs" / "wide.png", 9, size=(20, 10))
    with pytest.raises(
        UserError, match=r"wide.png has 10 x 20 pixels and .*0.png 8 x 8; .*\.training\.size=32"
    ):
        read_images(str(folder))
    assert read_images(str(folder), 6).train.images.shape[1:] == (6, 6, 1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "cats" / "bad.png").write_text("x"), "bad.png cannot be used: cannot identify image"),
        (
            lambda f: draw(f / "cats" / "deep.png", 9, "I;16"),
            "deep.png cannot be used: it has more than 8 bits",
        ),
        (lambda f: (f / "birds").mkdir(), r"birds has no images; it is taken for a class. Known: \*.png"),
        (lambda f: draw(f / "train" / "cats" / "a.png", 1), "has a directory train but none called test"),
        (
            lambda f: [draw(f / part / "cats" / "a.png", 1) for part in ("train", "test")],
            "pets/cats: beside train, only val and test are expected",
        ),
        (lambda f: [file.unlink() for file in f.rglob("[1-9].png")], "0 of its images are for validation"),
    ],
)
def test_bad_directories(spoil: Callable[[Path], Any], message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message):
        read_images(str(folder))


def test_class_that_training_lacks(tmp_path: Path) -> None:
    for place in ("train/cats", "test/cats", "test/dogs"):
        draw(tmp_path / place / "a.png", 3)
    with pytest.raises(UserError, match="test/dogs is a class that train does not have"):
        read_images(str(tmp_path))
    with pytest.raises(UserError, match=r"expected a directory per class with images in it"):
        read_images(str(tmp_path / "train" / "cats"))
