"""Networks of Once-for-All's MobileNetV3."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ktnas.errors import UserError
from ktnas.network.count import count_flops, count_parameters
from ktnas.network.mobile_layers import SqueezeExcitation
from ktnas.network.mobilenetv3 import MobileNetV3
from ktnas.network.task import NetworkTask, network_task
from ktnas.registry import build
from ktnas.space import load_space
from tests.network.contract import CLASSES, GREY_DIGITS, MAP, NetworkContract

JIGSAW = NetworkTask("jigsaw", "classification", 9, 16, pieces=4)
IMAGENET = network_task("imagenet")
KERNELS, EXPANSIONS = [3, 5, 7, 3] * 5, [3, 4, 6, 6] * 5


class TestMobileNetV3(NetworkContract):
    name = "mobilenetv3"
    space_name = "mobilenetv3"
    small: ClassVar = {"width": 0.25}
    tasks = (GREY_DIGITS,)
    refused = (MAP, JIGSAW)


def network(kernels=KERNELS, expansions=EXPANSIONS, depths=(2, 3, 4, 2, 3), task=CLASSES, width=0.25):
    return MobileNetV3(width).network(kernels, expansions, depths, task)


def test_counts_are_those_of_the_table(data_dir):
    tables = [pd.read_csv(data_dir / f"mobilenetv3_mtlp_jr_{part}.csv") for part in ("train", "valid")]
    space = load_space("mobilenetv3")
    builder = MobileNetV3()
    for row in pd.concat(tables).sample(15, random_state=0).itertuples():
        task = builder.task_of(space, space.parse([row.arch_config])[0], IMAGENET)
        with torch.device("meta"):
            built = space.build(row.arch_config, IMAGENET)
        inputs = torch.empty(1, *task.input_shape, device="meta")
        assert (count_parameters(built), count_flops(built, inputs, "once_for_all")) == (
            row.params,
            row.flops,
        )


@pytest.mark.parametrize(
    ("native", "resolution", "size"), [(224, 160, 160), (224, 208, 208), (32, 160, 23), (1, 160, 1)]
)
def test_the_genotype_chooses_the_resolution(native, resolution, size):
    space = load_space("mobilenetv3")
    genotype = np.zeros(space.n_variables, dtype=np.int64)
    genotype[-1] = space.variables["r"].index(str(resolution))
    task = NetworkTask("images", "classification", 5, native)
    assert MobileNetV3().task_of(space, genotype, task).size == size


def test_blocks_beyond_the_depth_do_not_count():
    other = [5 if position % 4 == 3 else kernel for position, kernel in enumerate(KERNELS)]
    with torch.device("meta"):
        first, same, different = (
            network(KERNELS, depths=[3] * 5),
            network(other, depths=[3] * 5),
            network(other, depths=[4] * 5),
        )
    shapes = [[weight.shape for weight in built.parameters()] for built in (first, same, different)]
    assert shapes[0] == shapes[1]
    assert len(shapes[2]) > len(shapes[1])


def test_stages_have_their_own_activations_and_squeezes():
    blocks = network(depths=[2] * 5).blocks[1:]
    squeezed = [any(isinstance(part, SqueezeExcitation) for part in block.layers) for block in blocks]
    swish = [any(isinstance(part, nn.Hardswish) for part in block.layers) for block in blocks]
    assert squeezed == [False] * 2 + [True] * 2 + [False] * 2 + [True] * 4
    assert swish == [False] * 4 + [True] * 6
    assert [block.residual for block in blocks] == [False, True] * 5


def test_kernels_and_expansions_are_those_chosen():
    built = network(depths=[4] * 5, width=1.0)
    depthwise = [block.layers[3] for block in built.blocks[1:]]
    assert [layer.kernel_size[0] for layer in depthwise] == KERNELS
    assert [layer.out_channels for layer in depthwise[:8]] == [48, 96, 144, 144, 72, 160, 240, 240]


def test_widths_follow_the_factor():
    with torch.device("meta"):
        wide = network(width=1.2)
    assert [block.layers[-2].out_channels for block in wide.blocks[::3]] == [24, 48, 96, 96, 192]
    assert wide.head.in_features == 1536
    with pytest.raises(UserError, match="width=0"):
        build("network", {"name": "mobilenetv3", "width": 0})


def test_the_head_is_uniform():
    built = network(width=1.0)
    assert built.head.weight.abs().max().item() == pytest.approx(1280**-0.5, rel=0.01)
    assert not built.head.bias.any()


def test_a_space_without_a_resolution_is_refused():
    space = load_space("nasbench_macro")
    with pytest.raises(UserError, match="'r'"):
        MobileNetV3().build(space, np.zeros(8, dtype=np.int64), "imagenet", seed=0)
