from pathlib import Path

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.train.images import LabelledImages, Part, located, read_images, split
from tests.train.stripes import striped


def test_digits_are_split_class_by_class() -> None:
    digits = read_images("digits")
    assert (digits.size, digits.channels, digits.classes) == (8, 1, 10)
    parts = (digits.train, digits.valid, digits.test)
    assert sum(len(part.labels) for part in parts) == 1797
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert part.images.dtype == np.uint8
        assert part.images.max() == 255
        counts = np.bincount(part.labels) / np.bincount(np.concatenate([p.labels for p in parts]))
        assert np.abs(counts - share).max() < 0.01
    assert read_images("digits") is digits


def test_split_gives_each_row_to_one_part() -> None:
    labels = np.array([0] * 10 + [1] * 20)
    first, second, rest = split(labels, (0.2, 0.3))
    assert sorted([*first, *second, *rest]) == list(range(30))
    assert np.bincount(labels[first]).tolist() == [2, 4]
    assert np.bincount(labels[second]).tolist() == [3, 6]
    assert all(
        a.tolist() == b.tolist()
        for a, b in zip(split(labels, (0.2, 0.3)), (first, second, rest), strict=True)
    )


def test_mean_and_deviation_are_those_of_the_training_pixels() -> None:
    images = striped(channels=3)
    pixels = images.train.images / 255
    np.testing.assert_allclose(images.mean, pixels.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(images.deviation, pixels.std(axis=(0, 1, 2)))


def test_classes_are_numbered_in_the_order_given() -> None:
    part = Part(np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1), np.array([0, 1, 2, 2, 1]))
    chosen = part.of_classes((2, 0))
    assert chosen.images.ravel().tolist() == [0, 2, 3]
    assert chosen.labels.tolist() == [1, 0, 0]
    digits = read_images("digits").of_classes((7, 3, 1))
    assert digits.classes == 3
    assert {len(np.unique(part.labels)) for part in (digits.train, digits.valid, digits.test)} == {3}


def test_images_are_brought_to_a_size() -> None:
    small, digits = read_images("digits", 4), read_images("digits")
    assert small.valid.images.shape == (*digits.valid.images.shape[:1], 4, 4, 1)
    assert abs(small.train.images.mean() - digits.train.images.mean()) < 5


def test_paths_are_of_the_working_directory_then_of_the_data(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "data", "other"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path / "data"))
    npz.rename(tmp_path / "data" / "stripes.npz")
    found = located("stripes.npz")
    assert found == str(tmp_path / "data" / "stripes.npz")
    monkeypatch.chdir(tmp_path / "other")
    assert read_images(found) is read_images("stripes.npz")
    assert located("digits") == "digits"
    assert located("../data") == str(tmp_path / "other" / ".." / "data")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere.npz", "There is no file 'nowhere.npz' in"),
        ("digit", "Did you mean digits"),
        ("notes.txt", r"benchmark.data=.*notes.txt: expected an .npz file or a directory of images"),
    ],
)
def test_data_that_is_not_there(
    data: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("none")
    with pytest.raises(UserError, match=message):
        read_images(data)


def test_labelled_images_keep_their_name() -> None:
    images: LabelledImages = striped()
    assert images.of_classes((1, 0)).name == "stripes"
