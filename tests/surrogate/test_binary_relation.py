from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.engine.run import run_search
from ktnas.errors import UserError
from ktnas.presets import compose
from ktnas.space import load_space
from ktnas.surrogate.binary_relation import HEADS, BinaryRelation
from tests.engine.scene import write_tables
from tests.surrogate.contract import ENCODING, N_TASKS, SPACE, SurrogateContract, draw, truth

SMALL = {"epochs": 50, "learning_rate": 0.01}
EVERYTHING = SPACE.architectures()
ROWS = st.integers(0, len(EVERYTHING) - 1)


class TestBinaryRelation(SurrogateContract):
    name = "binary_relation"
    parameters: ClassVar = SMALL

    def test_task_that_agrees_lends_and_one_that_does_not_is_left_alone(self):
        """As in the contract for one draw; a shared network lends less than a process does."""
        sources = (None, 50 + truth(EVERYTHING), truth(EVERYTHING, 100), -truth(EVERYTHING))
        alone, agreeing, unrelated, opposed = (self.missed(0, source) for source in sources)
        assert agreeing < 0.75 * alone
        assert unrelated < 1.15 * alone
        assert opposed < 1.15 * alone

    def test_learns_on_from_fit_to_fit(self):
        """As in the contract with a fit every sixth observation."""
        surrogate = self.build()
        genotypes, tasks = draw(60), np.arange(60) % N_TASKS
        for n in range(6, 61, 6):
            surrogate.fit(genotypes[:n], tasks[:n], truth(genotypes[:n]))
        held_out = truth(draw(200, seed=1))
        missed = surrogate.predict(draw(200, seed=1), 0) - held_out
        assert np.sqrt((missed**2).mean()) < 0.6 * held_out.std()


def fitted(n: int = 40, **parameters: object) -> BinaryRelation:
    surrogate = BinaryRelation(**(SMALL | parameters)).prepare(ENCODING, 1, seed=0)
    genotypes = draw(n)
    return surrogate.fit(genotypes, np.zeros(n, dtype=np.int64), truth(genotypes))


@pytest.fixture(scope="module", params=HEADS)
def surrogate(request: pytest.FixtureRequest) -> BinaryRelation:
    return fitted(head=request.param, dropout=0.2, batch=8, epochs=10)


@given(rows=st.lists(st.tuples(ROWS, ROWS, ROWS), min_size=1, max_size=30))
@settings(max_examples=10, deadline=None)
def test_preferences_contradict_neither_each_other_nor_the_ranking(surrogate, rows):
    a, b, c = (EVERYTHING[list(column)] for column in zip(*rows, strict=True))
    a_b, b_c, a_c = (surrogate.prefer(*pair, 0) for pair in ((a, b), (b, c), (a, c)))

    np.testing.assert_allclose(surrogate.prefer(b, a, 0), -a_b, atol=1e-12)
    agreed = (a_b > 1e-9) & (b_c > 1e-9)
    assert (a_c[agreed] > 0).all()
    sure = np.abs(a_b) > 1e-9
    better = surrogate.predict(b, 0) - surrogate.predict(a, 0)
    np.testing.assert_array_equal(np.sign(a_b)[sure], np.sign(better)[sure])


def test_transitive_head_says_the_same_in_both_orders():
    surrogate, first, second = fitted(epochs=10), draw(300, seed=1), draw(300, seed=2)

    there, back = surrogate.compare(first, second, 0), surrogate.compare(second, first, 0)

    np.testing.assert_allclose(there + back, 1, atol=1e-12)


def test_published_head_may_contradict_itself():
    surrogate = fitted(head="published", dropout=0.2, batch=8, epochs=3)
    first, second = draw(300, seed=1), draw(300, seed=2)

    there, back = surrogate.compare(first, second, 0), surrogate.compare(second, first, 0)

    assert ((there > 0.5) == (back > 0.5)).any()
    np.testing.assert_allclose(surrogate.prefer(first, second, 0), there - back)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("head", HEADS)
def test_prefers_nothing_before_it_could_compare(n, head):
    surrogate = fitted(n, head=head)

    np.testing.assert_array_equal(surrogate.prefer(draw(20, seed=1), draw(20, seed=2), 0), 0)


def test_isomorphic_architectures_are_equal_without_the_encoding():
    genotypes = draw(500, seed=3)
    surrogate = fitted(encoded=False, epochs=5)

    mean, std = surrogate.predict(genotypes, 0, return_std=True)

    keys = SPACE.keys(genotypes)
    assert len(np.unique(keys)) < len(keys)
    for key in np.unique(keys):
        for values in (mean, std):
            np.testing.assert_allclose(values[keys == key], values[keys == key][0], rtol=1e-12)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("members", [1, 3])
def test_every_head_and_number_of_members_orders(head, members):
    surrogate = fitted(80, head=head, members=members)
    others = draw(200, seed=1)

    mean, std = surrogate.predict(others, 0, return_std=True)

    assert np.corrcoef(mean, truth(others))[0, 1] > 0.7
    assert (std > 0).all()
    assert np.ptp(std) > 0 if members > 1 else np.ptp(std) < 1e-12


@pytest.mark.parametrize(("unit", "temperature"), [("median", 0.0), ("median", 5.0), ("range", 0.1)])
def test_labels_of_every_kind(unit, temperature):
    surrogate = fitted(80, unit=unit, temperature=temperature)
    others = draw(200, seed=1)

    assert np.corrcoef(surrogate.predict(others, 0), truth(others))[0, 1] > 0.6


def test_order_alone_decides_with_hard_labels():
    genotypes, tasks = draw(30), np.zeros(30, dtype=np.int64)
    one, other = (
        BinaryRelation(temperature=0, epochs=5).prepare(ENCODING, 1, 0).fit(genotypes, tasks, values)
        for values in (truth(genotypes), np.exp(truth(genotypes)))
    )

    np.testing.assert_array_equal(one.rank(draw(50, seed=1), 0), other.rank(draw(50, seed=1), 0))


def test_later_fits_take_the_epochs_of_what_is_new():
    told: list[tuple[int, int]] = []
    genotypes, tasks = draw(40), np.zeros(40, dtype=np.int64)
    surrogate = BinaryRelation(width=8, epochs=40, batch=32).prepare(ENCODING, 1, 0)
    surrogate.report_to(lambda done, total: told.append((done, total)))

    surrogate.fit(genotypes[:20], tasks[:20], truth(genotypes[:20]))
    assert told == [(step, 40) for step in range(1, 41)]
    told.clear()
    surrogate.fit(genotypes, tasks, truth(genotypes))
    assert told[-1] == (40, 40)  # half of the epochs, two batches each
    told.clear()
    surrogate.fit(genotypes, tasks, truth(genotypes))
    assert told[-1] == (8, 8)


def test_leaves_the_random_state_of_torch_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fitted(dropout=0.2, epochs=2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("space", ["darts", "fbnet", "nasbench101"])
def test_any_space(space):
    loaded = load_space(space)
    encoding = type(ENCODING)().fit(loaded, 0)
    genotypes = loaded.sample(12, np.random.default_rng(0))
    surrogate = BinaryRelation(width=8, epochs=3).prepare(encoding, 1, 0)

    surrogate.fit(genotypes, np.zeros(12, dtype=np.int64), np.arange(12.0))

    assert np.isfinite(surrogate.predict(genotypes, 0, return_std=True)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("head", "concatenated"),
        ("unit", "mean"),
        ("width", 0),
        ("layers", 0),
        ("members", 0),
        ("epochs", -1),
        ("learning_rate", 0.0),
        ("batch", 1),
        ("dropout", 1.0),
        ("weight_decay", -0.1),
        ("temperature", -1.0),
    ],
)
def test_wrong_parameter(name, value):
    with pytest.raises(UserError, match=f"{name}.*{value}"):
        BinaryRelation(**{name: value})


def test_search(tmp_path):
    benchmark = write_tables(tmp_path, n=None)
    surrogate = {"name": "binary_relation", "width": 8, "epochs": 4, "members": 2}
    goal = {"source": [], "target": ["a", "b"], "objectives": ["error"], "budget": 4}

    found = run_search(compose("ktnas", benchmark, {**goal, "surrogate": surrogate}))

    assert [record.status for record in found.records] == ["ok"] * 8
