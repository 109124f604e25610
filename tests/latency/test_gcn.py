from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from ktnas.errors import UserError
from ktnas.latency.gcn import GCNRegression
from ktnas.space import load_space
from tests.latency.contract import SPACE, LatencyModelContract, draw, truth

SMALL: dict[str, Any] = {"width": 16, "layers": 2, "members": 2}


class TestGCN(LatencyModelContract):
    name = "gcn"
    parameters: ClassVar[dict[str, Any]] = {**SMALL, "epochs": 60}


def test_one_member_with_dropout_learns() -> None:
    model = GCNRegression(members=1, width=24, layers=2, batch=10, dropout=0.1).prepare(SPACE, "cifar10", 0)
    missed = model.fit(draw(99)[:60], truth(draw(99)[:60])).predict(draw(99)) - truth(draw(99))
    assert np.abs(missed[60:]).mean() < 0.5 * truth(draw(99)).std()


def test_pruned_reads_what_is_computed() -> None:
    [first] = SPACE.parse(
        ["|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"],
    )
    second = first.copy()
    second[0] = SPACE.operations.index("avg_pool_3x3")  # leads nowhere
    for pruned in (True, False):
        model = GCNRegression(pruned=pruned, **SMALL, epochs=5).prepare(SPACE, "cifar10", 0)
        said = model.fit(draw(20), truth(draw(20))).predict(np.array([first, second]))
        assert (said[0] == said[1]) == pruned


def test_any_space_and_the_state_of_torch_stays() -> None:
    space = load_space("fbnet")
    rows = space.sample(20, np.random.default_rng(0))
    before = torch.random.get_rng_state()
    model = GCNRegression(**SMALL, epochs=3).prepare(space, "imagenet", 0).fit(rows, np.linspace(1, 20, 20))
    assert (model.predict(rows) > 0).all()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"dropout": 1.0}, {"weight_decay": -1.0}])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        GCNRegression(**wrong)
