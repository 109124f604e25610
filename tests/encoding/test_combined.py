from typing import Any, ClassVar

import numpy as np
import pytest

from ktnas.cli import composition
from ktnas.encoding.cell import CellFeatures
from ktnas.encoding.combined import DISTANCE, Combined
from ktnas.errors import UserError
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.surrogate.predictor import Predictor
from tests.encoding.contract import EncodingContract

QUICK = {"name": "node2vec", "architectures": 60, "walks": 3, "width": 16}


class TestCombinedContract(EncodingContract):
    name = "combined"
    parameters: ClassVar[dict[str, Any]] = {"parts": ["cell", QUICK]}


@pytest.fixture
def space():
    return load_space("nasbench201")


def test_parts_stand_side_by_side(space):
    encoding = Combined(["onehot", "cell"]).fit(space, 0)
    genotypes = space.sample(30, np.random.default_rng(0))
    assert list(encoding.groups) == ["onehot.all", "cell.shape", "cell.pairs", "cell.places"]
    assert encoding.dim == 30 + CellFeatures().fit(space, 0).dim
    cell = encoding.transform(genotypes)[:, 30:]
    alone = CellFeatures().fit(space, 0).transform(genotypes)
    factor = cell.std() / alone.std()
    np.testing.assert_allclose(cell, factor * alone)
    assert factor == pytest.approx(1, abs=0.2)


def test_relevance_is_shared_between_the_parts(space):
    relevance = Combined(["onehot", "cell"]).fit(space, 0).relevance
    assert relevance == pytest.approx(
        {"onehot.all": 0.5, "cell.shape": 0.4, "cell.pairs": 0.05, "cell.places": 0.05}
    )


def test_distances_of_the_parts_are_comparable(space):
    encoding = Combined(["onehot", "cell", QUICK]).fit(space, 0)
    vectors = encoding.transform(space.sample(2000, np.random.default_rng(1)))
    squared = {name: 2 * vectors[:, part].var(axis=0).sum() for name, part in encoding.groups.items()}
    for part in ("onehot", "cell", "node2vec"):
        widest = max(distance for name, distance in squared.items() if name.startswith(part))
        assert widest == pytest.approx(DISTANCE, rel=0.25)


def test_parts_of_one_name_are_numbered(space):
    encoding = Combined(["onehot", "onehot", "onehot"]).fit(space, 0)
    assert list(encoding.groups) == ["onehot.all", "onehot_2.all", "onehot_3.all"]


def test_a_combination_can_be_a_part(space):
    encoding = Combined([{"name": "combined", "parts": ["onehot", "cell"]}, "onehot"]).fit(space, 0)
    assert "combined.cell.shape" in encoding.groups
    assert sum(encoding.relevance.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "one or more encodings"),
        (["onehot", 3], "3 is no encoding"),
        ([{"width": 3}], "is no encoding"),
        (["cels"], "Did you mean cell"),
        ([{"name": "onehot", "width": 3}], "Unknown parameter of encoding 'onehot'"),
        ([{"name": "node2vec", "width": "wide"}], "width"),
    ],
)
def test_mistakes_are_named(parts, message):
    with pytest.raises(UserError, match=message):
        build("encoding", {"name": "combined", "parts": parts})


@pytest.mark.parametrize(
    ("override", "groups"),
    [
        ("encoding.parts=[onehot,cell]", ["onehot.all", "cell.shape", "cell.pairs", "cell.places"]),
        ("encoding.parts=[{name:node2vec,width:4,walks:1,architectures:5}]", ["node2vec.operations"]),
    ],
)
def test_parts_can_be_written_on_the_command_line(space, override, groups):
    with composition.hydra_session():
        config = composition.compose(["encoding=combined", override]).config
    encoding = build("encoding", config.encoding)
    assert list(encoding.fit(space, 0).groups)[: len(groups)] == groups


def test_a_surrogate_learns_from_it(space):
    genotypes = space.sample(40, np.random.default_rng(0))
    values = (genotypes == 3).sum(axis=1).astype(float)
    predictor = Predictor("nasbench201", encoding={"name": "combined", "parts": ["onehot", "cell"]})
    predicted = predictor.fit(genotypes[:30], values[:30]).predict(genotypes[30:])
    assert np.corrcoef(predicted, values[30:])[0, 1] > 0.8
