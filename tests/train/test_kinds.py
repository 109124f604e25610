from itertools import permutations

import numpy as np
import pytest
import torch

from ktnas.errors import UserError
from ktnas.train.images import LabelledImages, Part
from ktnas.train.kinds import KINDS, kind_of
from tests.train.stripes import striped

GENERATOR_SEED = 3


def shown(kind: str, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(GENERATOR_SEED)
    return kind_of("t", striped(size=8), kind).samples(images, labels, generator)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(200, 2, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_and_targets_have_the_network_s_shapes(kind: str) -> None:
    data = striped(size=8, channels=3)
    task = kind_of("t", data, kind)
    batch = torch.zeros(5, 3, 8, 8)
    inputs, targets = task.samples(batch, torch.zeros(5, dtype=torch.int64), torch.Generator())
    assert inputs.shape == (5, *task.network.input_shape)
    assert targets.shape == ((5, 3, 8, 8) if task.dense else (5,))
    assert task.dense == (task.network.kind == "dense")


def test_rotation_names_the_turn(images: torch.Tensor) -> None:
    inputs, turns = shown("rotation", images, torch.zeros(200))
    assert set(turns.tolist()) == {0, 1, 2, 3}
    for image, turned, turn in zip(images, inputs, turns.tolist(), strict=True):
        assert torch.equal(torch.rot90(image, turn, (1, 2)), turned)


def test_jigsaw_names_the_order_of_the_quarters(images: torch.Tensor) -> None:
    inputs, chosen = shown("jigsaw", images, torch.zeros(200))
    orders = list(permutations(range(4)))
    assert len(set(chosen.tolist())) == 24
    for image, pieces, order in zip(images, inputs, chosen.tolist(), strict=True):
        quarters = [None] * 4
        for piece, quarter in zip(pieces, orders[order], strict=True):
            quarters[quarter] = piece
        rows = [torch.cat(quarters[:2], dim=2), torch.cat(quarters[2:], dim=2)]
        assert torch.equal(torch.cat(rows, dim=1), image)


def test_autoencoding_asks_for_the_image_and_classification_for_its_class(images: torch.Tensor) -> None:
    labels = torch.arange(200)
    assert [x is y for x, y in [shown("autoencoding", images, labels)]] == [True]
    assert shown("classification", images, labels)[1] is labels


def test_chance_is_what_an_answer_without_looking_errs() -> None:
    assert kind_of("t", striped(), "rotation").chance == 75
    assert kind_of("t", striped(), "jigsaw").chance == pytest.approx(100 * 23 / 24)
    part = Part(np.zeros((4, 4, 4, 1), dtype=np.uint8), np.array([0, 1, 1, 1]))
    assert kind_of("t", LabelledImages("x", part, part, part), "classification").chance == 25


def test_an_error_that_is_chance() -> None:
    turns, pixels = kind_of("t", striped(), "rotation"), kind_of("t", striped(), "autoencoding")
    assert [turns.is_chance(error, 300) for error in (75, 74, 72.6, 72.4, float("nan"))] == [
        True, True, True, False, True,
    ]  # fmt: skip
    assert [pixels.is_chance(error, 300) for error in (101, 100, 99.9, float("nan"))] == [
        True, True, False, True,
    ]  # fmt: skip


def test_errors_of_a_batch() -> None:
    classes, pixels = kind_of("t", striped(), "classification"), kind_of("t", striped(), "autoencoding")
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert classes.errors(logits, torch.tensor([0, 0, 1])) == 1
    assert pixels.errors(torch.ones(2, 1, 2, 2), torch.full((2, 1, 2, 2), 3.0)) == 32


def test_one_class_can_only_be_used_without_classes() -> None:
    part = Part(np.zeros((4, 4, 4, 1), dtype=np.uint8), np.zeros(4, dtype=np.int64))
    images = LabelledImages("photos.npz", part, part, part)
    with pytest.raises(
        UserError, match=r"photos.npz: task t needs images of two classes or more, its training"
    ):
        kind_of("t", images, "classification")
    assert kind_of("t", images, "rotation").network.outputs == 4
    mixed = Part(part.images, np.array([0, 1, 0, 1]))
    with pytest.raises(UserError, match="its validation images have 1"):
        kind_of("t", LabelledImages("photos.npz", mixed, part, mixed), "classification")


def test_images_too_small_to_cut() -> None:
    with pytest.raises(UserError, match="images of 3 pixels are too small for jigsaw"):
        kind_of("t", striped(size=3), "jigsaw")
