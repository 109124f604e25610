import pytest
import torch
from torch import nn

from ktnas.network.adapted import adapted_network
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.task.isolation import AnswerError
from ktnas.train.images import LabelledImages
from ktnas.train.kinds import KINDS, kind_of
from ktnas.train.settings import TrainingSettings
from ktnas.train.training import Trained, train
from tests.train.stripes import striped

SPACE = load_space("nasbench201")
TEXT = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
EPOCHS = 4


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network_of(kind: str, images: LabelledImages, seed: int = 0) -> nn.Module:
    builder = build("network", {"name": "nasbench201", "channels": 4, "cells": 1})
    task = kind_of("t", images, kind).network
    return adapted_network(builder, SPACE, SPACE.parse([TEXT])[0], task, seed)


def trained(kind: str, images: LabelledImages, size: int | None = None, **settings: float) -> Trained:
    task = kind_of("t", images, kind)
    chosen = TrainingSettings(**({"epochs": EPOCHS, "batch": 8} | settings))
    network = network_of(kind, images, chosen.seed)
    return train(network, size or task.network.size, task, images, chosen, "cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_learned(kind: str) -> None:
    """What can be seen in the images: classes, turns, and the pieces' places but for left and right."""
    images = striped(train=96)
    found = trained(kind, images, epochs=6 if kind == "autoencoding" else EPOCHS)
    chance = kind_of("t", images, kind).chance
    bound = {"classification": 0.1, "rotation": 0.5, "jigsaw": 0.9, "autoencoding": 0.6}[kind]
    assert found.valid_error < bound * chance
    assert found.test_error < bound * chance * 1.1
    assert found.curve[-1].train_loss < found.curve[0].train_loss


def test_the_curve_and_the_best_epoch() -> None:
    found = trained("rotation", striped())
    assert [point.epoch for point in found.curve] == [1, 2, 3, 4]
    assert found.valid_error == min(point.valid_error for point in found.curve)
    assert found.curve[found.best_epoch - 1].valid_error == found.valid_error
    seconds = [point.seconds for point in found.curve]
    assert seconds == sorted(seconds)
    assert list(found.rows()[0]) == ["epoch", "train_loss", "valid_error", "seconds"]


def test_the_weights_are_those_of_the_best_epoch() -> None:
    images = striped()
    found = trained("rotation", images, learning_rate=0.3)
    again = trained("rotation", images, learning_rate=0.3)
    assert [point.valid_error for point in found.curve] == [point.valid_error for point in again.curve]
    assert all(torch.equal(found.weights[name], again.weights[name]) for name in found.weights)
    network = network_of("rotation", images)
    network.load_state_dict(found.weights)
    task = kind_of("t", images, "rotation")
    pixels = torch.from_numpy(images.test.images).permute(0, 3, 1, 2).float() / 255
    normal = (pixels - float(images.mean[0])) / float(images.deviation[0])
    inputs, turns = task.samples(normal, torch.zeros(40), torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wrong = network.eval()(inputs).argmax(1) != turns
    assert 100 * float(wrong.float().mean()) == pytest.approx(found.test_error)


def test_another_seed_is_another_training() -> None:
    first, other = (trained("rotation", striped(), seed=seed, epochs=1).curve[0] for seed in (0, 1))
    assert first.train_loss != other.train_loss


def test_hopeless_training_is_given_up() -> None:
    """A network that always gives the same answer."""
    images = striped()
    network, kind = network_of("classification", images), kind_of("t", images, "classification")
    for weights in network.head.parameters():
        weights.requires_grad_(False).zero_()
    found = train(network, 8, kind, images, TrainingSettings(epochs=12), "cpu")
    assert len(found.curve) == 4
    assert found.valid_error == 50


def test_divergence_is_named() -> None:
    with pytest.raises(AnswerError, match=r"training diverged: the loss is (nan|inf) in epoch 1"):
        trained("classification", striped(), learning_rate=1e38, weight_decay=1e3)


def test_networks_that_choose_another_size_get_it() -> None:
    found = trained("classification", striped(), size=6, epochs=1)
    assert found.curve[0].valid_error <= 100


def test_fewer_images_than_a_batch() -> None:
    assert len(trained("classification", striped(train=6), epochs=1, batch=64).curve) == 1
