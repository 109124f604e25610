"""At the border of torchvision, of which data sets need no more than ``data`` and ``targets``."""

import sys
from types import ModuleType

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.train.torchvision_data import read_torchvision


class Known:
    """As torchvision's CIFAR10: colours as an array, labels as a list."""

    def __init__(self, root, train=True, download=False):
        n = 50 if train else 20
        self.root, self.download = root, download
        self.data = np.arange(n, dtype=np.uint8)[:, None, None, None].repeat(3, 3).repeat(4, 1).repeat(4, 2)
        self.targets = [i % 5 for i in range(n)]


class Unreachable:
    def __init__(self, root, train=True, download=False):
        raise RuntimeError("Error downloading it")


@pytest.fixture
def torchvision(monkeypatch):
    package, datasets = ModuleType("torchvision"), ModuleType("torchvision.datasets")
    package.datasets = datasets
    datasets.CIFAR10, datasets.MNIST = Known, Unreachable
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)


def test_a_fifth_of_the_training_images_validates(torchvision, tmp_path):
    images = read_torchvision("CIFAR10", tmp_path)
    assert [len(part.labels) for part in (images.train, images.valid, images.test)] == [40, 10, 20]
    assert (images.size, images.channels, images.classes) == (4, 3, 5)
    for part in (images.train, images.valid):
        np.testing.assert_array_equal(part.images[:, 0, 0, 0] % 5, part.labels)


def test_download_that_fails(torchvision, tmp_path):
    with pytest.raises(UserError, match=r"MNIST cannot be loaded into .*: Error downloading it"):
        read_torchvision("MNIST", tmp_path)


def test_torchvision_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match="read by torchvision, which is not installed: pip install 'ktnas"):
        read_torchvision("CIFAR10", tmp_path)


def test_name_that_it_does_not_have(tmp_path):
    with pytest.raises(UserError, match="Did you mean CIFAR10"):
        read_torchvision("CIFAR1O", tmp_path)
