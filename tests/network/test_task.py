"""What networks are built for."""

import pytest
import torch

from ktnas.errors import UserError
from ktnas.network.task import NETWORK_TASKS, NetworkTask, check_task, network_task


@pytest.mark.parametrize(
    ("name", "kind", "outputs", "shape"),
    [
        ("cifar10", "classification", 10, (3, 32, 32)),
        ("ImageNet16-120", "classification", 120, (3, 16, 16)),
        ("class_object", "classification", 75, (3, 256, 256)),
        ("class_scene", "classification", 47, (3, 256, 256)),
        ("room_layout", "regression", 9, (3, 256, 256)),
        ("jigsaw", "classification", 1000, (9, 3, 64, 64)),
        ("segmentsemantic", "dense", 17, (3, 256, 256)),
    ],
)
def test_the_benchmarks_tasks(name, kind, outputs, shape):
    task = network_task(name)
    assert (task.kind, task.outputs, task.input_shape) == (kind, outputs, shape)


def test_only_the_segmentation_has_logits_for_pixels():
    assert [name for name, task in NETWORK_TASKS.items() if task.pixels == "logits"] == ["segmentsemantic"]


def test_inputs_depend_on_the_seed_alone():
    task = NetworkTask("pieces", "classification", 4, 8, channels=1, pieces=2)
    assert task.inputs(3).shape == (3, 2, 1, 8, 8)
    assert torch.equal(task.inputs(3), task.inputs(3))
    assert not torch.equal(task.inputs(3), task.inputs(3, seed=1))


def test_a_task_is_changed_in_a_copy():
    assert network_task("class_object", outputs=100).outputs == 100
    assert network_task("class_object").outputs == 75


def test_unknown_words_are_refused():
    with pytest.raises(UserError, match="cifar100"):
        network_task("cifar1000")
    with pytest.raises(UserError, match="classification"):
        NetworkTask("mine", "classify", 10, 32)
    with pytest.raises(UserError, match="logits"):
        NetworkTask("mine", "dense", 10, 32, pixels="logit")


@pytest.mark.parametrize(
    "task", [NetworkTask("maps", "dense", 2, 16), NetworkTask("jigsaw", "classification", 9, 16, pieces=9)]
)
def test_a_task_without_a_vector_per_image_is_refused(task):
    with pytest.raises(UserError, match=f"{task.name}.*MobileNetV3.*{task.kind}.*{task.pieces} image"):
        check_task(task, "MobileNetV3")
