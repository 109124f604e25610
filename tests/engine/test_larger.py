import numpy as np
import pytest

from ktnas.engine.larger import Larger, in_step
from ktnas.space import load_space
from ktnas.surrogate.size_prior import size_scale
from tests.engine.scene import SPACE


def test_lets_in_the_networks_with_the_most_parameters():
    larger = Larger.of(SPACE, "a", 0.25)
    everything = SPACE.architectures()
    sizes = size_scale(SPACE, "cifar10").parameters(everything)

    admitted = larger.admits(everything)

    assert 0.2 < admitted.mean() < 0.35
    assert sizes[admitted].min() > sizes[~admitted].max()


@pytest.mark.parametrize(("space", "task"), [("nasbench_graph", "cora"), ("nasbench_graph", "mine")])
def test_says_nothing_of_networks_for_graphs(space, task):
    assert Larger.of(load_space(space), task, 0.25) is None


def test_agrees_as_long_as_errors_fall_with_the_size():
    larger = Larger.of(SPACE, "a", 0.25)
    genotypes = SPACE.sample(20, np.random.default_rng(0))
    sizes = larger.scale.parameters(genotypes)
    assert larger.agrees(genotypes, -sizes)
    assert not larger.agrees(genotypes, sizes)
    assert not larger.agrees(genotypes[:2], np.zeros(2))
    assert larger.agrees(genotypes[:1], sizes[:1])


def test_in_step_is_a_positive_rank_correlation():
    assert in_step(np.array([1.0, 2.0, 3.0]), np.array([0.1, 9.0, 8.0]))
    assert not in_step(np.array([1.0, 2.0, 3.0]), np.array([2.0, 9.0, 1.0]))
