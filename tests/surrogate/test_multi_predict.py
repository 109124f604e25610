"""A surrogate that starts from what another learned."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from ktnas.encoding.cell import CellFeatures
from ktnas.encoding.zero_cost import ZeroCost
from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.surrogate.multi_predict import MultiPredict
from ktnas.surrogate.multi_predict_network import EMBEDDING, Training, consult, predict, train
from ktnas.surrogate.predictor import Predictor
from tests.surrogate.contract import ENCODING, SPACE, SurrogateContract, draw, truth

QUICK = {"members": 2, "hidden": 32, "steps": 150}
EVERYTHING = SPACE.architectures()[::5]


class TestMultiPredict(SurrogateContract):
    name = "multi_predict"
    parameters: ClassVar = {"members": 2, "hidden": 16, "steps": 10}


def build(encoding=ENCODING, n_tasks=1, **parameters):
    return MultiPredict(**(QUICK | parameters)).prepare(encoding, n_tasks, seed=0)


def one_task(surrogate, genotypes, values):
    return surrogate.fit(genotypes, np.zeros(len(genotypes), dtype=np.int64), values)


@pytest.fixture(scope="module")
def lender():
    """Has learned ``truth`` of 300 architectures, in other units."""
    return one_task(build(), draw(300, seed=7), 40 + 3 * truth(draw(300, seed=7)))


def missed(surrogate, values, genotypes=EVERYTHING):
    return np.sqrt(((surrogate.predict(genotypes, 0) - values) ** 2).mean())


def test_what_was_learned_elsewhere_helps_where_it_fits_and_does_no_harm_where_not(lender):
    errors = []
    for seed in range(5):
        seen = draw(20, seed=seed)
        row = []
        for sign, of in ((1, 0), (-1, 0), (1, 50 + seed)):
            for start in (None, lender):
                surrogate = build() if start is None else build().start_from(start)
                one_task(surrogate, seen, sign * truth(seen, of))
                row.append(missed(surrogate, sign * truth(EVERYTHING, of)))
        errors.append(row)
    alone, helped, alone_opposed, opposed, alone_other, other = np.mean(errors, axis=0)
    assert helped < 0.7 * alone
    assert opposed < 1.05 * alone_opposed
    assert other < 1.1 * alone_other


def test_ranks_before_any_observation(lender):
    surrogate = build().start_from(lender)
    mean, std = surrogate.predict(EVERYTHING, 0, return_std=True)
    assert np.corrcoef(mean, truth(EVERYTHING))[0, 1] > 0.8
    assert (std >= 1).all()


def test_several_tasks_are_lent_together():
    genotypes = np.vstack([draw(150), draw(150, seed=1)])
    tasks = np.repeat([0, 1], 150)
    values = np.where(tasks == 0, truth(genotypes), truth(genotypes, 9))
    several = build(n_tasks=2, steps=300, masking=0.2).fit(genotypes, tasks, values)
    said, described = consult(several.network, ENCODING.features.get(EVERYTHING))
    assert said.shape == (len(EVERYTHING), 2)
    assert described.shape == (len(EVERYTHING), 2 * 32)
    own = [np.corrcoef(said[:, task], truth(EVERYTHING, of))[0, 1] for task, of in ((0, 0), (1, 9))]
    swapped = [np.corrcoef(said[:, task], truth(EVERYTHING, of))[0, 1] for task, of in ((0, 9), (1, 0))]
    assert min(own) > max(swapped)
    borrower = one_task(build().start_from(several), draw(10, 3), truth(draw(10, 3), 9))
    alone = one_task(build(), draw(10, 3), truth(draw(10, 3), 9))
    assert missed(borrower, truth(EVERYTHING, 9)) < missed(alone, truth(EVERYTHING, 9))


def test_state_holds_what_was_lent(lender):
    surrogate = one_task(build().start_from(lender), draw(15), truth(draw(15)))
    expected = surrogate.predict(EVERYTHING, 0, return_std=True)
    restored = build().restore(surrogate.state())
    np.testing.assert_array_equal(restored.predict(EVERYTHING, 0, return_std=True), expected)
    np.testing.assert_array_equal(restored.network["first"], surrogate.network["first"])
    assert (build().predict(EVERYTHING[:3], 0) == 0).all()


def test_another_space_by_the_same_proxies(tmp_path):
    """Saved on one space, read on another."""
    files, encodings = [], []
    for name in ("nasbench201", "transnas_macro"):
        space = load_space(name)
        genotypes = np.unique(space.sample(200, np.random.default_rng(0)), axis=0)
        rng = np.random.default_rng(len(name))
        scores = pd.DataFrame({"arch": space.format(genotypes), "params": rng.lognormal(size=len(genotypes))})
        scores["nwot"] = rng.normal(size=len(genotypes))
        files.append(str(tmp_path / f"{name}.csv"))
        scores.to_csv(files[-1], index=False)
        encodings.append({"name": "zero_cost", "proxies": "params,nwot", "table": files[-1]})
    source, target = (pd.read_csv(file) for file in files)
    learned = [np.abs(np.log(table["params"])) - np.tanh(table["nwot"]) for table in (source, target)]
    surrogate = {"name": "multi_predict"} | QUICK | {"steps": 400, "masking": 0.0}
    predictor = Predictor("nasbench201", surrogate, encodings[0]).fit(source["arch"], learned[0])
    path = str(predictor.save(tmp_path / "nasbench201.safetensors"))
    errors = []
    for pretrained in ("", path):
        other = Predictor("transnas_macro", surrogate | {"pretrained": pretrained}, encodings[1])
        other.fit(target["arch"][:12], learned[1][:12])
        errors.append(np.abs(other.predict(target["arch"]) - learned[1]).mean())
    assert errors[1] < 0.8 * errors[0]


def test_fine_tuned_goes_on_from_what_was_lent(lender):
    seen = draw(20, seed=1)
    alone = one_task(build(adaptation="fine_tuned"), seen, truth(seen))
    tuned = one_task(build(adaptation="fine_tuned").start_from(lender), seen, truth(seen))
    assert missed(tuned, truth(EVERYTHING)) < missed(alone, truth(EVERYTHING))
    mean, std = tuned.predict(EVERYTHING, 0, return_std=True)
    assert (std > 0).all()
    restored = build(adaptation="fine_tuned").restore(tuned.state())
    np.testing.assert_array_equal(restored.predict(EVERYTHING, 0, return_std=True), (mean, std))
    constant = one_task(build(adaptation="fine_tuned"), seen, np.full(20, 3.0))
    assert (constant.predict(seen, 0) == 3).all()


def test_training_tells_how_it_goes_and_leaves_torch_alone():
    told = []
    before = torch.get_rng_state()
    surrogate = build(steps=5).report_to(lambda done, total: told.append((done, total)))
    one_task(surrogate, draw(20), truth(draw(20))).state()
    assert told == [(step, 5) for step in range(1, 6)]
    assert (torch.get_rng_state() == before).all()


def test_weights_are_the_same_for_the_same_seed():
    training = Training(members=2, hidden=8, steps=5, batch=16, learning_rate=0.01, masking=0.3)
    vectors, values = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30.0)
    tasks = np.arange(30) % 3
    first, again, other = (train(vectors, tasks, values, 3, training, seed) for seed in (1, 1, 2))
    assert first["first"].shape == (2, 4 + EMBEDDING, 8)
    assert predict(first, vectors).shape == (2, 30, 3)
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["last"] != other["last"]).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"adaptation": "frozen"}, "Unknown adaptation 'frozen'.*fine_tuned"),
        ({"members": 0}, "surrogate.members=0: expected 1 or more"),
        ({"masking": 1.0}, "surrogate.masking=1.0"),
        ({"pretrained": "nowhere.safetensors"}, "nowhere.safetensors: no such file"),
        ({"pretrained": __file__}, "is not a predictor"),
    ],
)
def test_mistakes_are_explained(wrong, message):
    with pytest.raises(UserError, match=message):
        build(**wrong)


def test_only_a_fitted_one_on_the_same_vectors_lends(lender, tmp_path):
    with pytest.raises(UserError, match="fitted to 2 observations"):
        build().start_from(one_task(build(), draw(1), truth(draw(1))))
    with pytest.raises(UserError, match="vectors of 24 numbers, not the"):
        build(encoding=CellFeatures().fit(SPACE, 0)).start_from(lender)
    other = Predictor("transnas_micro", encoding="onehot").fit(SPACE.format(draw(5)), truth(draw(5)))
    with pytest.raises(UserError, match="found multitask_gp"):
        build(pretrained=str(other.save(tmp_path / "other.safetensors")))


def test_a_hundred_observations_are_learned_from_proxies_in_a_table(data_dir):
    space = load_space("nasbench201")
    table = pd.read_csv(data_dir / "nasbench201_accuracy.csv.gz").set_index("arch")["cifar10_val"]
    scores = str(data_dir / "nasbench201_zero_cost.csv.gz")
    known = pd.read_csv(scores).query("task == 'cifar100'")["arch"]
    error = np.log(100 - table[known].to_numpy())
    genotypes = space.parse(known.tolist())
    encoding = ZeroCost(table=scores, task="cifar100").fit(space, 0)
    surrogate = one_task(build(encoding), genotypes[:100], error[:100])
    ranks = pd.Series(surrogate.predict(genotypes[100:], 0)).corr(pd.Series(error[100:]), method="spearman")
    assert ranks > 0.88
