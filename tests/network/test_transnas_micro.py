"""Networks of TransNAS-Bench-101: the micro space, and what both spaces share."""

import pytest
import torch

from ktnas.errors import UserError
from ktnas.network.count import count_parameters
from ktnas.network.task import NetworkTask
from ktnas.space import load_space
from tests.network.contract import CLASSES, GREY_DIGITS, MAP, VALUES, NetworkContract
from tests.network.table import check_counts

SUITE_ZERO_OUTPUTS = {"class_object": 100, "class_scene": 63}
PUZZLE = NetworkTask("puzzle", "classification", 4, 16, pieces=3)
LABELS = NetworkTask("labels", "dense", 5, 16, channels=1, pixels="logits")
SMALL = {"channels": 4, "modules": "4", "blocks": 1, "decoder_channels": 64}
CELL = "64-41414-3_12_021"


class TestTransNASMicro(NetworkContract):
    name = "transnas_micro"
    space_name = "transnas_micro"
    small = SMALL
    tasks = (CLASSES, GREY_DIGITS, VALUES, PUZZLE, MAP, LABELS)
    exported = (PUZZLE, MAP, LABELS)
    refused = (NetworkTask("maps", "dense", 2, 16, pieces=2),)

    def test_published_counts(self, data_dir):
        check_counts(self.space, data_dir / "transnas_micro_zero_cost.csv.gz", 4, SUITE_ZERO_OUTPUTS)


def build(task, text=CELL, **settings):
    return load_space("transnas_micro").build(text, task, **SMALL | settings)


def test_the_authors_networks_have_fewer_classes_than_those_of_the_table():
    with torch.device("meta"):
        network = load_space("transnas_micro").build(CELL, "class_object")
    assert network.head.weight.shape == (75, 512)


@pytest.mark.parametrize("text", ["64-41414-0_00_000", "64-41414-1_11_111"])
def test_modules_of_every_type(text):
    network = build(CLASSES, text, modules="12341")
    assert network.features(CLASSES.inputs(2)).shape == (2, 16)
    assert network.encoder(CLASSES.inputs(2)).shape == (2, 16, 1, 1)


def test_the_pieces_share_one_encoder():
    network = build(PUZZLE).eval()
    pieces = PUZZLE.inputs(1)
    features = network.features(pieces).reshape(3, 8)
    swapped = network.features(pieces[:, [1, 0, 2]]).reshape(3, 8)
    torch.testing.assert_close(swapped, features[[1, 0, 2]])
    one_piece = build(NetworkTask("piece", "classification", 4, 16))
    assert count_parameters(network) - count_parameters(one_piece) == 2 * 8 * 4


def test_a_batch_norm_sees_one_piece_at_a_time():
    network = build(PUZZLE, text="64-41414-3_33_333").train()
    pieces = PUZZLE.inputs(4)
    together = network.features(pieces)
    alone = build(NetworkTask("piece", "classification", 4, 16), text="64-41414-3_33_333").train()
    torch.testing.assert_close(alone.features(pieces[:, 1]), together[:, 8:16])


def test_convolutions_are_drawn_by_their_outputs():
    network = load_space("transnas_micro").build("64-41414-3_33_333", CLASSES, modules="1", channels=64)
    weight = network.blocks[0][0].operations["0_1"][1].weight
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)


def test_images_that_a_decoder_cannot_restore_are_refused():
    with pytest.raises(UserError, match=r"12 pixels.*multiple of 8"):
        build(NetworkTask("map", "dense", 2, 12))
    with pytest.raises(UserError, match="1 to 6 times, not 7"):
        build(NetworkTask("map", "dense", 2, 128), modules="33333")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modules": ""}, "one or more digits from 1, 2, 3, 4"),
        ({"modules": "150"}, "modules='150'"),
        ({"channels": 1}, "channels=1"),
        ({"blocks": 0}, "blocks=0"),
    ],
)
def test_settings_of_no_network_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        build(CLASSES, **settings)
