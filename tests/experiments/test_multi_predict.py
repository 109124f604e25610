import numpy as np
import pandas as pd
import pytest

from experiments import multi_predict
from experiments.multi_predict import SETS, Split, load, main
from experiments.multi_predict_report import gains

pytestmark = pytest.mark.usefixtures("data_dir")
TINY = {"members": 1, "hidden": 8, "steps": 20, "tuning": 5}


@pytest.fixture
def tiny(monkeypatch):
    """Small networks."""
    for methods in (multi_predict.TRANSFERRED, multi_predict.SCRATCH):
        for name, (surrogate, scale) in methods.items():
            if surrogate["name"] == "multi_predict":
                monkeypatch.setitem(methods, name, (dict(surrogate) | TINY, scale))


def test_runs_and_resumes(tmp_path, capsys, tiny):
    sets = ["macro scene", "micro scene"]
    arguments = ["--sets", ",".join(sets), "--seeds", "2", "--cheap-seeds", "3", "--source-samples", "100"]
    arguments += ["--out", str(tmp_path)]
    main(arguments)
    page = (tmp_path / "multi_predict.md").read_text(encoding="utf-8")
    assert page in capsys.readouterr().out
    for words in ("published recipe, after a source", "| ridge |", "Worse by more than two errors"):
        assert words in page

    main(arguments)

    assert capsys.readouterr().err == ""
    rows = pd.read_csv(tmp_path / "multi_predict.csv")
    assert len(rows) == 2 * 2 * 2 + 2 * 2 + 3 * 8
    source = rows[rows["setting"] == "macro scene"]
    assert source["macro scene"].isna().all()
    assert source["micro scene"].between(-1, 1).all()
    scratch = rows[(rows["setting"] == "from scratch") & (rows["method"] == "multi_predict")]
    assert (scratch[sets] > 0.5).all(axis=None)
    gained = gains(rows, "multi_predict", sets)
    assert len(gained) == 4
    first = source[(source["method"] == "multi_predict") & (source["seed"] == 1000)]["micro scene"].item()
    alone = scratch[scratch["seed"] == 1000]["micro scene"].item()
    assert gained["macro scene", "micro scene", 1000] == pytest.approx(first - alone)


def test_sets_are_those_with_scores_and_accuracies():
    counts = {name: len(load(name, "quantile").genotypes) for name in ("NB101", "NB301", "micro layout")}
    assert counts == {"NB101": 500, "NB301": 1218, "micro layout": 711}
    assert len(SETS) == 11
    assert np.isfinite(load("NB101", "quantile").accuracies).all()


def test_a_draw_shows_nothing_of_the_rest():
    data = load("macro jigsaw", "quantile")
    split = Split.draw(data, 20, seed=3)
    assert len(split.seen) == 20
    assert len(split.rest) == len(data.genotypes) - 20
    assert not {row.tobytes() for row in split.seen} & {row.tobytes() for row in split.rest}
    assert split.spearman(-split.truth) == pytest.approx(1)
    np.testing.assert_allclose(split.values.mean(), 0, atol=1e-9)
