import numpy as np
import pytest
import torch
from torch.nn import functional

from ktnas.errors import UserError
from ktnas.network.task import NetworkTask
from ktnas.proxy.batch import Batch, own_batch, random_batch, random_images

CLASSES = NetworkTask("classes", "classification", 5, 8)
JIGSAW = NetworkTask("jigsaw", "classification", 5, 4, pieces=9)
VALUES = NetworkTask("values", "regression", 2, 8)
MAPS = NetworkTask("maps", "dense", 2, 8)
PIXELS = NetworkTask("pixels", "dense", 4, 8, pixels="logits")


@pytest.mark.parametrize(
    ("task", "outputs"),
    [(CLASSES, (6, 5)), (JIGSAW, (6, 5)), (VALUES, (6, 2)), (MAPS, (6, 2, 8, 8)), (PIXELS, (6, 4, 8, 8))],
)
def test_random_batches_fit_their_task(task, outputs):
    batch = random_batch(task, 6, 3, "cpu")
    assert batch.inputs.shape == (6, *task.input_shape)
    assert batch.inputs.std() == pytest.approx(1, abs=1e-3)
    assert torch.isfinite(batch.loss(torch.randn(outputs)))
    assert (batch.classes is not None) == (task.kind == "classification")
    again, other = random_batch(task, 6, 3, "cpu"), random_batch(task, 6, 4, "cpu")
    assert torch.equal(batch.inputs, again.inputs)
    assert torch.equal(batch.labels, again.labels)
    assert not torch.equal(batch.inputs, other.inputs)
    assert not torch.equal(batch.labels, other.labels)


def test_random_images_have_the_spectrum_of_natural_ones():
    images = random_images(400, 3, 16, torch.Generator().manual_seed(0))
    power = torch.fft.fft2(images).abs().square().mean((0, 1))[0, 1:9]
    slope = np.polyfit(np.log(np.arange(1, 9)), np.log(power.numpy()), 1)[0]
    assert slope == pytest.approx(-2, abs=0.1)
    channels = torch.corrcoef(images.transpose(0, 1).flatten(1))
    assert channels[0, 1].item() == pytest.approx(0.9, abs=0.02)


def test_losses():
    logits = torch.randn(4, 5)
    classes, shares = torch.tensor([0, 4, 2, 2]), torch.softmax(torch.randn(4, 5), 1)
    inputs = torch.zeros(4, 3, 8, 8)
    assert torch.equal(
        Batch(CLASSES, inputs, classes).loss(logits), functional.cross_entropy(logits, classes)
    )
    assert torch.equal(Batch(CLASSES, inputs, shares).loss(logits), functional.cross_entropy(logits, shares))
    values = torch.randn(4, 2)
    assert torch.equal(Batch(VALUES, inputs, values).loss(values + 2), torch.tensor(4.0))
    maps = torch.randn(4, 2, 8, 8)
    assert Batch(MAPS, inputs, maps).loss(maps + 2).item() == pytest.approx(2)


def test_own_arrays_are_taken_as_they_are():
    inputs, labels = np.ones((4, 3, 8, 8)), np.array([0, 1, 4, 2])
    batch = own_batch(CLASSES, inputs, labels, "cpu")
    assert batch.inputs.dtype == torch.float32
    assert batch.classes.tolist() == labels.tolist()
    assert own_batch(CLASSES, torch.ones(4, 3, 8, 8), np.full((4, 5), 0.2), "cpu").classes is None


@pytest.mark.parametrize(
    ("task", "inputs", "labels", "message"),
    [
        (CLASSES, (4, 3, 9, 8), np.zeros(4, int), r"\(batch, 3, 8, 8\)"),
        (CLASSES, (4, 3, 8, 8), np.zeros(3, int), r"integers from 0 to 4 of shape \(4,\)"),
        (CLASSES, (4, 3, 8, 8), np.full(4, 5), "integers from 0 to 4"),
        (CLASSES, (4, 3, 8, 8), np.zeros(4), r"float64 of shape \(4,\)"),
        (VALUES, (4, 3, 8, 8), np.zeros(4, int), r"takes floats of shape \(4, 2\)"),
        (MAPS, (4, 3, 8, 8), np.zeros((4, 2)), r"\(4, 2, 8, 8\)"),
    ],
)
def test_own_arrays_that_do_not_fit_are_refused(task, inputs, labels, message):
    with pytest.raises(UserError, match=message):
        own_batch(task, np.zeros(inputs), labels, "cpu")
