import numpy as np
import pytest

from ktnas.engine.guides import Guided
from ktnas.engine.larger import Larger
from ktnas.space import load_space
from ktnas.surrogate.size_prior import size_scale
from tests.engine.scene import SPACE


def test_the_networks_with_the_most_parameters_are_let_in():
    everything = SPACE.architectures()
    sizes = size_scale(SPACE, "cifar10").sizes(everything)

    admitted = Guided.of([Larger.of(SPACE, "a")], SPACE, 0.25).admits(everything)

    assert 0.2 < admitted.mean() < 0.35
    assert sizes[admitted].min() > sizes[~admitted].max()


@pytest.mark.parametrize(("space", "task"), [("nasbench_graph", "cora"), ("nasbench_graph", "mine")])
def test_says_nothing_of_networks_for_graphs(space, task):
    assert Larger.of(load_space(space), task) is None


def test_agrees_where_errors_fall_with_the_size():
    larger = Larger.of(SPACE, "a")
    genotypes = SPACE.sample(20, np.random.default_rng(0))
    sizes = larger.scale.sizes(genotypes)
    assert larger.agreement(genotypes, -sizes) == pytest.approx(1)
    assert larger.agreement(genotypes, sizes) == pytest.approx(-1)
