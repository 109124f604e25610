import numpy as np
import pytest

from ktnas.encoding.layers import LayerFeatures
from ktnas.errors import UserError
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.surrogate.base import Surrogate
from tests.surrogate.contract import ENCODING, SPACE, SurrogateContract, draw, truth

SMALL = {"width": 32, "members": 2, "steps": 25, "learning_rate": 0.03, "weight_decay": 0.5}


class TestJointRankingContract(SurrogateContract):
    name = "joint_ranking"
    parameters = SMALL

    def test_task_that_agrees_lends_and_one_that_does_not_is_left_alone(self):
        """A shared trunk gains from a task that agrees; it has no way to leave one alone that does not."""
        everything = SPACE.architectures()
        alone, agreeing, unrelated = np.mean(
            [
                [
                    self.missed(seed, None),
                    self.missed(seed, 50 + truth(everything, seed)),
                    self.missed(seed, truth(everything, seed + 100)),
                ]
                for seed in range(3)
            ],
            axis=0,
        )
        assert agreeing < 0.6 * alone
        assert unrelated < 1.6 * alone


class TestPublishedTrunk:
    """The LSTM reads the layers of a chain, and the nodes of any other graph."""

    parameters = SMALL | {"trunk": "lstm", "width": 16, "layers": 1, "steps": 60}

    @pytest.mark.parametrize("name", ["nasbench_macro", "nasbench201"])
    def test_learns_which_has_more_of_an_operation(self, name):
        space = load_space(name)
        encoding = build("encoding", {"name": "onehot"}).fit(space, 0)
        genotypes = space.sample(120, np.random.default_rng(0))
        values = (genotypes == 1).sum(axis=1).astype(np.float64)
        surrogate = build("surrogate", {"name": "joint_ranking"} | self.parameters).prepare(encoding, 1, 0)
        surrogate.fit(genotypes[:80], np.zeros(80, dtype=np.int64), values[:80])
        assert np.corrcoef(surrogate.predict(genotypes[80:], 0), values[80:])[0, 1] > 0.8


def joint(weights: list[float], n_values: int = 20) -> Surrogate:
    """One that has seen ``n_values`` of task 1 and 100 of its opposite, task 0."""
    surrogate = build("surrogate", {"name": "joint_ranking", "weights": weights} | SMALL)
    surrogate.prepare(ENCODING, 2, 0)
    genotypes = draw(100 + n_values)
    tasks = np.repeat([0, 1], [100, n_values])
    values = truth(genotypes) * np.where(tasks == 0, -1, 1)
    fitted: Surrogate = surrogate.fit(genotypes, tasks, values)
    return fitted


def test_weights_decide_whom_the_trunk_serves() -> None:
    held_out = draw(300, seed=3)

    def right(weights: list[float], task: int) -> float:
        predicted = joint(weights).predict(held_out, task)
        return float(np.corrcoef(predicted, truth(held_out) * (1 if task else -1))[0, 1])

    assert right([0.9, 0.1], 0) > right([0.001, 0.999], 0)


def test_preference_is_transitive() -> None:
    surrogate, some = joint([]), draw(30, seed=2)
    first, second = np.repeat(some, 30, axis=0), np.tile(some, (30, 1))
    ahead = surrogate.prefer(first, second, 0).reshape(30, 30) > 0
    beaten = np.sort(ahead.sum(axis=1))
    np.testing.assert_array_equal(beaten, np.arange(30))


def test_free_observations_of_another_metric_help() -> None:
    """Latency follows size: sizes of 300 chains make more of 20 latencies."""
    space = load_space("nasbench_macro")
    encoding = LayerFeatures(task="").fit(space, 0)
    everything = space.architectures()
    size = (everything * np.arange(1, 9)).sum(axis=1).astype(np.float64)
    latency = size + 3 * (everything == 2).sum(axis=1)
    rng = np.random.default_rng(0)
    seen, free = rng.choice(len(everything), 12, replace=False), rng.choice(len(everything), 300)

    def right(rows: np.ndarray) -> float:
        surrogate = build("surrogate", {"name": "joint_ranking", "weights": [0.5, 0.5]} | SMALL)
        surrogate.prepare(encoding, 2, 0).fit(
            everything[np.concatenate([seen, rows])],
            np.repeat([0, 1], [len(seen), len(rows)]),
            np.concatenate([latency[seen], size[rows]]),
        )
        return float(np.corrcoef(surrogate.predict(everything, 0), latency)[0, 1])

    assert right(free) > right(free[:0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"trunk": "gru"}, "trunk of joint_ranking 'gru'"),
        ({"weights": [0.5, -1]}, "none of them negative"),
        ({"weights": ["much"]}, "much.*Float"),
        ({"steps": 0}, "steps=0: must be positive"),
        ({"batch": 1}, "at least 2"),
        ({"temperature": -1.0}, "must not be negative"),
    ],
)
def test_wrong_parameters_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        build("surrogate", {"name": "joint_ranking"} | wrong)


def test_one_weight_per_task():
    surrogate = build("surrogate", {"name": "joint_ranking", "weights": [0.4, 0.4, 0.1]})
    with pytest.raises(UserError, match="3 entries: expected one per task, 2"):
        surrogate.prepare(ENCODING, 2, 0)


def test_tells_how_training_goes():
    told: list[tuple[int, int]] = []
    surrogate = build("surrogate", {"name": "joint_ranking"} | SMALL).prepare(ENCODING, 1, 0)
    surrogate.report_to(lambda done, total: told.append((done, total)))
    surrogate.fit(draw(9), np.zeros(9, dtype=np.int64), truth(draw(9)))
    assert told == [(step, 25) for step in range(1, 26)]
