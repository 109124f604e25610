"""A surrogate as an estimator of scikit-learn, and its file."""

import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from ktnas.errors import UserError
from ktnas.surrogate.predictor import Predictor
from tests.surrogate.contract import SPACE, draw, truth

TEXTS = SPACE.format(draw(60))
VALUES = truth(draw(60))


def fitted(**arguments):
    return Predictor("transnas_micro", **arguments).fit(TEXTS, VALUES)


def test_texts_and_genotypes_are_the_same_architectures():
    predictor = fitted()
    np.testing.assert_array_equal(predictor.predict(TEXTS), predictor.predict(draw(60)))


def test_it_is_an_estimator_of_scikit_learn():
    predictor = Predictor("transnas_micro", encoding={"name": "onehot"}, seed=3)
    assert clone(predictor).get_params() == predictor.get_params()
    assert cross_val_score(predictor, TEXTS, VALUES, cv=3).mean() > 0.5
    search = GridSearchCV(predictor, {"encoding": ["onehot", "cell"]}, cv=2).fit(TEXTS, VALUES)
    assert search.best_score_ > 0.5


def test_tasks_have_names():
    predictor = Predictor("transnas_micro", tasks=["scene", "layout", "jigsaw"])
    predictor.fit(TEXTS, VALUES, task=["scene", "layout"] * 30)
    np.testing.assert_array_equal(predictor.predict(TEXTS), predictor.predict(TEXTS, "scene"))
    unseen, std = predictor.predict(TEXTS, "jigsaw", return_std=True)
    assert np.corrcoef(unseen, VALUES)[0, 1] > 0.5
    assert (std > 0).all()


def test_order_and_preference():
    predictor = fitted()
    best = np.argmin(predictor.predict(TEXTS))
    assert predictor.rank(TEXTS)[best] == 0
    assert (predictor.prefer([TEXTS[best]] * 60, TEXTS) >= 0).all()


def test_saved_and_loaded_predictions_are_equal_to_the_digit(tmp_path):
    predictor = Predictor("transnas_micro", {"name": "multitask_gp", "trust": 4}, tasks=["a", "b"], seed=2)
    predictor.fit(TEXTS, VALUES, task=["a", "b"] * 30)
    expected = predictor.predict(TEXTS, "b", return_std=True)
    loaded = Predictor.load(predictor.save(tmp_path / "below" / "one.safetensors"))
    assert loaded.get_params() == predictor.get_params()
    np.testing.assert_array_equal(loaded.predict(TEXTS, "b", return_std=True), expected)


def test_a_file_can_be_read_by_others(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    path = fitted().save(tmp_path / "one.safetensors")
    with safetensors.safe_open(path, framework="numpy") as content:
        assert json.loads(content.metadata()["predictor"])["space"] == "transnas_micro"
        np.testing.assert_array_equal(content.get_tensor("genotypes"), draw(60))


def test_training_shows_how_far_it_is(capsys, monkeypatch):
    surrogate = {"name": "joint_ranking", "steps": 6, "members": 2, "width": 8}
    told = []
    Predictor("transnas_micro", surrogate, progress=lambda *steps: told.append(steps)).fit(TEXTS, VALUES)
    assert told[-1] == (6, 6)
    assert capsys.readouterr().err == ""
    Predictor("transnas_micro", surrogate, progress=True).fit(TEXTS, VALUES)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    Predictor("transnas_micro", surrogate, progress=True).fit(TEXTS, VALUES)
    assert "Training joint_ranking" in capsys.readouterr().err


def test_one_observation_is_the_prediction():
    predictor = Predictor("transnas_micro").fit(TEXTS[:1], [4.5])
    np.testing.assert_allclose(predictor.predict(TEXTS), 4.5)


def test_equal_values_are_predicted():
    predictor = Predictor("transnas_micro").fit(TEXTS, np.full(60, 7.0))
    np.testing.assert_allclose(predictor.predict(TEXTS), 7.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Predictor("transnas_micro").fit(TEXTS[:2], [1, np.nan]), r"y\[1\] is nan"),
        (lambda: Predictor("transnas_micro").fit(TEXTS[:2], [1]), r"shape \(1,\): expected \(2,\)"),
        (lambda: Predictor("transnas_micro").fit(["64-41414-1"], [1]), "transnas_micro"),
        (lambda: Predictor("transnas_macro_x").fit(TEXTS, VALUES), "transnas_macro"),
        (lambda: Predictor("transnas_micro", tasks=["a", "a"]).fit(TEXTS, VALUES), "different names"),
        (lambda: Predictor("transnas_micro").fit(TEXTS[:2], [1, 2], task=["task"]), "1 names"),
        (lambda: Predictor("transnas_micro", "multitask_gq").fit(TEXTS, VALUES), "multitask_gp"),
        (lambda: Predictor("transnas_micro").predict(TEXTS), "call fit"),
        (lambda: fitted().predict(TEXTS, "scene"), "Unknown task 'scene'.*task"),
        (lambda: fitted().prefer(TEXTS, TEXTS[:1]), "60 architectures.*1"),
        (lambda: Predictor.load("missing.safetensors"), "no such file"),
        (lambda: Predictor.load(__file__), "is not a predictor"),
    ],
)
def test_mistakes_are_explained(wrong, message):
    with pytest.raises(UserError, match=message):
        wrong()
