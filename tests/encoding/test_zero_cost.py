"""Zero-cost proxies as vectors: computed, from a table, or both."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from ktnas.encoding.score_store import ScoreStore
from ktnas.encoding.zero_cost import ZeroCost
from ktnas.encoding.zero_cost_scale import UNIT, MinMax, Quantile
from ktnas.errors import UserError
from ktnas.registry import PLUGINS
from ktnas.space import load_space
from tests.encoding.contract import EncodingContract

SPACE = load_space("nasbench201")
DRAWN = np.unique(SPACE.sample(60, np.random.default_rng(5)), axis=0)


class TestZeroCost(EncodingContract):
    name = "zero_cost"
    parameters: ClassVar = {"proxies": "l2_norm,synflow", "size": 8, "batch": 2, "sample": 10}

    @pytest.fixture(scope="class", params=("nasbench201", "nasbench_macro"))
    def space(self, request):
        """Spaces whose networks see images; that of graphs has none of the proxies."""
        return load_space(request.param)

    @pytest.fixture
    def genotypes(self, space):
        return space.sample(12, np.random.default_rng(0))

    def test_tells_architectures_apart(self, encoding, space, genotypes):
        distinct = len(np.unique(space.keys(genotypes)))
        assert len(np.unique(encoding.transform(genotypes), axis=0)) >= 0.9 * distinct


@pytest.fixture
def scored(monkeypatch, tmp_path):
    """Scores made up from genotypes in place of networks; gives the list of the batches asked for."""
    asked = []

    def score(space, genotypes, task, proxies, **settings):
        asked.append(space.format(genotypes))
        return pd.DataFrame(made_up(genotypes)[:, : len(proxies)], columns=proxies)

    monkeypatch.setattr("ktnas.proxy.score", score)
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path / "cache"))
    return asked


def made_up(genotypes):
    """Two scores: of heavy tails, and NaN for some architectures."""
    worth = genotypes @ 5.0 ** np.arange(genotypes.shape[1])
    return np.column_stack([np.exp(worth / 500), np.where(genotypes[:, 0] == 0, np.nan, worth)])


def write(path, genotypes, unit=1.0, **columns):
    scores = unit * made_up(genotypes)
    frame = pd.DataFrame({"arch": SPACE.format(genotypes), "params": scores[:, 0], "flops": scores[:, 1]})
    frame.assign(**columns).to_csv(path, index=False)
    return str(path)


def encoding(**parameters):
    return ZeroCost(**{"proxies": "params,flops", "sample": 40, **parameters})


def test_computed_once_and_kept(scored):
    first = encoding().fit(SPACE, 0).transform(DRAWN)
    calls = sum(map(len, scored))
    again = encoding().fit(SPACE, 1).transform(DRAWN)
    assert calls >= len(DRAWN)
    assert sum(map(len, scored)) == calls
    np.testing.assert_array_equal(again, first)


def test_kept_scores_belong_to_their_settings(scored):
    encoding().fit(SPACE, 0)
    calls = len(scored)
    encoding(seed=1).fit(SPACE, 0)
    encoding(batch=4).fit(SPACE, 0)
    assert len(scored) > calls + 1


def test_fewer_proxies_are_there_already(scored):
    both = encoding().fit(SPACE, 0).transform(DRAWN)
    calls = len(scored)
    one = encoding(proxies="flops").fit(SPACE, 0).transform(DRAWN)
    assert len(scored) == calls
    np.testing.assert_array_equal(one[:, 0], both[:, 1])


def test_score_that_is_not_defined_is_typical(scored):
    vectors = encoding().fit(SPACE, 0).transform(DRAWN)
    undefined = DRAWN[:, 0] == 0
    assert undefined.any()
    assert (vectors[undefined, 1] == 0).all()
    assert np.abs(np.median(vectors[:, 1])) < 0.5 * UNIT


def test_table_stands_for_computing(scored, tmp_path):
    path = write(tmp_path / "scores.csv", DRAWN)
    vectors = encoding(table=path).fit(SPACE, 0).transform(DRAWN)
    assert not scored
    order = np.argsort(made_up(DRAWN)[:, 0])
    assert (np.diff(vectors[order, 0]) >= 0).all()
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=0.1 * UNIT)


def test_what_a_table_lacks_is_computed_and_scaled_by_itself(scored, tmp_path):
    """Whatever the units of the table are."""
    half = DRAWN[::2]
    path = write(tmp_path / "scores.csv", half, unit=1e6)
    vectors = encoding(table=path).fit(SPACE, 0).transform(DRAWN)
    assert not set(SPACE.format(DRAWN[1::2])) - {text for batch in scored for text in batch}
    order = np.argsort(made_up(DRAWN)[:, 0])
    assert (np.diff(vectors[order, 0]) >= -1e-12).all()


def test_rows_of_the_task_alone(tmp_path):
    path = tmp_path / "scores.csv"
    write(path, DRAWN[:10], task="cifar10")
    write(tmp_path / "other.csv", DRAWN, unit=-1.0, task="cifar100")
    pd.concat([pd.read_csv(path), pd.read_csv(tmp_path / "other.csv")]).to_csv(path, index=False)
    ten = encoding(table=str(path)).fit(SPACE, 0).transform(DRAWN[:10])
    hundred = encoding(table=str(path), task="cifar100").fit(SPACE, 0).transform(DRAWN[:10])
    assert np.corrcoef(ten[:, 0], hundred[:, 0])[0, 1] < -0.8
    with pytest.raises(UserError, match=r"task of .*'cifar11'.*cifar10"):
        encoding(table=str(path), task="cifar11").fit(SPACE, 0)


def test_proxy_that_a_table_lacks_is_typical(scored, tmp_path):
    path = write(tmp_path / "scores.csv", DRAWN)
    vectors = encoding(table=path, proxies="zen,params").fit(SPACE, 0).transform(DRAWN)
    assert (vectors[:, 0] == 0).all()
    assert vectors[:, 1].std() == pytest.approx(UNIT, rel=0.1)


def test_published_table(data_dir):
    path = data_dir / "nasbench201_zero_cost.csv.gz"
    fitted = ZeroCost(table=str(path), task="cifar100").fit(SPACE, 0)
    published = pd.read_csv(path).query("task == 'cifar100'").head(200)
    vectors = fitted.transform(SPACE.parse(published["arch"].tolist()))
    assert fitted.dim == len(PLUGINS["proxy"]) == 13
    by_params = np.argsort(published["params"].to_numpy(), kind="stable")
    assert (np.diff(vectors[by_params, 0]) >= 0).all()


def test_networks_of_graphs_have_no_scores(tmp_path):
    space = load_space("nasbench_graph")
    with pytest.raises(UserError, match=r"zero_cost.*graphs"):
        encoding().fit(space, 0)
    few = space.sample(5, np.random.default_rng(0))
    path = tmp_path / "scores.csv"
    pd.DataFrame({"arch": space.format(few), "params": np.arange(5.0)}).to_csv(path, index=False)
    fitted = encoding(table=str(path), task="cora").fit(space, 0)
    assert fitted.transform(few).shape == (5, 2)
    with pytest.raises(UserError, match=r"scores\.csv lacks .*cora"):
        fitted.transform(space.sample(60, np.random.default_rng(1)))


def test_file_of_kept_scores_may_be_damaged(scored, tmp_path):
    expected = encoding().fit(SPACE, 0).transform(DRAWN)
    (stored,) = (tmp_path / "cache" / "zero_cost").glob("*.sqlite")
    stored.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.warns(RuntimeWarning, match="Delete that file"):
        vectors = encoding().fit(SPACE, 0).transform(DRAWN)
    np.testing.assert_array_equal(vectors, expected)


def test_store_keeps_what_was_first(tmp_path):
    store = ScoreStore(tmp_path / "scores.sqlite")
    store.put(["a", "b"], ["params"], np.array([[1.5], [np.nan]]))
    store.put(["a"], ["params", "zen"], np.array([[2.5, 3.0]]))
    assert store.get(["a"], ["zen", "params"])["a"].tolist() == [3.0, 1.5]
    assert np.isnan(store.get(["b", "c"], ["params"])["b"]).all()
    assert store.get(["b"], ["params", "zen"]) == {}


def test_quantiles_are_normal_scores():
    sample = np.array([[1.0], [2.0], [2.0], [1e9], [np.nan]])
    scale = Quantile.of(sample)
    scores = scale(np.array([[1.0], [2.0], [1e9], [1e12], [-5.0], [1.5], [np.nan]]))[:, 0]
    assert scores[1] == pytest.approx(0)
    assert scores[0] == -scores[2]
    assert scores[2] < scores[3] < scores[2] + UNIT
    assert scores[0] - UNIT < scores[4] < scores[0]
    assert scores[5] == pytest.approx(scores[0] / 2)
    assert scores[6] == 0


def test_minimum_and_maximum():
    scale = MinMax.of(np.array([[2.0, 7.0], [4.0, 7.0], [12.0, 7.0]]))
    np.testing.assert_allclose(
        scale(np.array([[2.0, 7.0], [12.0, 9.0], [np.nan, np.nan], [22.0, 0.0]])),
        [[0, 0], [1, 0], [0.2, 0], [2, 0]],
    )


@pytest.mark.parametrize("scale", [Quantile, MinMax])
def test_columns_that_say_nothing(scale):
    sample = np.array([[np.nan, 3.0], [np.nan, 3.0]])
    np.testing.assert_array_equal(scale.of(sample)(np.array([[1.0, 5.0], [np.nan, 3.0]])), 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"proxies": "params,zem"}, "Unknown proxy 'zem'.*zen"),
        ({"scale": "rank"}, "Unknown scale 'rank'.*minmax"),
        ({"sample": 1}, "encoding.sample=1: expected 2 or more"),
        ({"batch": 1}, "encoding.batch=1"),
        ({"table": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_mistakes_are_explained(wrong, message):
    with pytest.raises(UserError, match=message):
        encoding(**wrong).fit(SPACE, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("model,params\nx,1\n", "'arch'"),
        ("arch,accuracy\nx,1\n", "no column of a proxy"),
        ("arch,params\n|none~0|,1\n", "line 2"),
        ("arch,params\n{arch},many\n", "column 'params' is not of numbers"),
        ("arch,params\n", "'arch' is empty"),
    ],
)
def test_tables_are_checked(tmp_path, text, message):
    path = tmp_path / "scores.csv"
    path.write_text(text.format(arch=SPACE.format(DRAWN[:1])[0]))
    with pytest.raises(UserError, match=message):
        encoding(table=str(path)).fit(SPACE, 0)
