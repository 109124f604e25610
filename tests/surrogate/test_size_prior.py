from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from ktnas.encoding.totals import TOTALS, network_totals
from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.surrogate.size_prior import size_scale

SPACE = load_space("transnas_micro")


def test_counts_the_convolutions_that_reach_the_output():
    scale = size_scale(SPACE, "cifar10")
    both, one, small, dead_end, none = SPACE.parse(
        [
            "64-41414-3_01_003",
            "64-41414-3_01_001",
            "64-41414-2_01_001",
            "64-41414-3_00_001",
            "64-41414-0_00_001",
        ]
    )
    sizes = scale.sizes(np.array([both, one, small, dead_end, none]))
    assert sizes[0] > sizes[1] > sizes[2] > sizes[3] == sizes[4] == 0
    assert 6 < sizes[1] / sizes[2] < 10


def test_scores_are_standard_normal_over_the_space():
    scores = size_scale(SPACE, "cifar10")(SPACE.architectures())
    assert abs(scores.mean()) < 0.1
    assert scores.std() == pytest.approx(1, abs=0.1)
    assert np.isfinite(scores).all()


def test_chain_counts_what_it_computes():
    macro = load_space("transnas_macro")
    genotypes = macro.sample(200, np.random.default_rng(0))
    scores, totals = size_scale(macro, "cifar10")(genotypes), network_totals(macro, genotypes, "cifar10")
    assert spearmanr(scores, totals[:, TOTALS.index("macs")]).statistic > 0.999
    assert spearmanr(scores, totals[:, TOTALS.index("params")]).statistic < 0.8


def test_space_without_networks_has_no_sizes():
    with pytest.raises(UserError, match="no networks"):
        size_scale(replace(SPACE, network={}), "cifar10")
