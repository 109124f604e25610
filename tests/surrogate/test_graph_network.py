import numpy as np
import pytest
import torch

from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.surrogate.gated_graph import GatedGraphNetwork, Graphs, score
from ktnas.surrogate.graph_network import GraphNetwork
from tests.surrogate.contract import ENCODING, SPACE, draw, truth


def test_an_order_is_learned_and_values_have_their_units():
    genotypes, held_out = draw(100), draw(200, seed=1)

    def worth(rows):
        operations = SPACE.pruned(rows).operations
        return 500 + 10 * ((operations == 4).sum(axis=1) + 2 * (operations == 5).sum(axis=1))

    surrogate = GraphNetwork(members=2, width=24, layers=2, epochs=60).prepare(ENCODING, 1, 0)
    surrogate.fit(genotypes, np.zeros(100, dtype=np.int64), worth(genotypes).astype(float))
    mean, std = surrogate.predict(held_out, 0, return_std=True)
    missed = mean - worth(held_out)
    assert np.sqrt((missed**2).mean()) < 0.3 * worth(held_out).std()
    assert (np.abs(missed) < 2 * std).mean() > 0.8
    known = surrogate.held_out() * worth(genotypes).std() + worth(genotypes).mean()
    assert np.sqrt(((known - worth(genotypes)) ** 2).mean()) < 0.5 * worth(genotypes).std()


def test_tasks_share_what_they_have_in_common():
    genotypes = draw(88)
    tasks = np.repeat([0, 1], [80, 8])
    order = (SPACE.pruned(genotypes).operations == 5).sum(axis=1).astype(float)
    surrogate = GraphNetwork(members=2, width=24, layers=2, epochs=60).prepare(ENCODING, 2, 0)
    surrogate.fit(genotypes, tasks, order + 100 * tasks)
    asked = draw(200, seed=1)
    expected = (SPACE.pruned(asked).operations == 5).sum(axis=1)
    mean = surrogate.predict(asked, 1)
    assert np.corrcoef(mean, expected)[0, 1] > 0.9
    assert abs(mean.mean() - 100 - expected.mean()) < 0.5


def network():
    torch.manual_seed(0)
    return GatedGraphNetwork(len(SPACE.vocabulary), 8, 2, width=8, layers=2)


def test_isomorphic_graphs_have_equal_scores_before_training():
    genotypes = SPACE.architectures()
    keys, first = np.unique(SPACE.keys(genotypes), return_index=True)
    scores = score(network(), SPACE.pruned(genotypes))
    same = np.searchsorted(keys, SPACE.keys(genotypes))
    np.testing.assert_allclose(scores, scores[first][same], atol=1e-9)
    assert len(np.unique(scores[:, 0].round(9))) > 0.9 * len(keys)


def test_node_places_without_a_node_do_not_matter():
    graphs = SPACE.pruned(draw(20))
    arrays = Graphs.of(graphs, torch.float32)
    before = network()
    after = network()
    with torch.no_grad():
        after.operation.weight[0] = 7.0
        expected, found = before(arrays), after(arrays)
    torch.testing.assert_close(found, expected)


def test_progress_counts_to_the_end():
    told = []
    surrogate = GraphNetwork(members=2, epochs=3).prepare(ENCODING, 1, 0)
    surrogate.report_to(lambda done, total: told.append((done, total)))
    surrogate.fit(draw(10), np.zeros(10, dtype=np.int64), truth(draw(10)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_predictions_stand_still_until_there_is_enough_that_is_new():
    surrogate = GraphNetwork(members=2, epochs=3, refit=5).prepare(ENCODING, 1, 0)
    genotypes, tasks, asked = draw(20), np.zeros(20, dtype=np.int64), draw(10, seed=1)
    values = truth(genotypes)
    first = surrogate.fit(genotypes[:10], tasks[:10], values[:10]).predict(asked, 0)
    np.testing.assert_array_equal(
        surrogate.fit(genotypes[:14], tasks[:14], values[:14]).predict(asked, 0), first
    )
    assert (surrogate.fit(genotypes[:15], tasks[:15], values[:15]).predict(asked, 0) != first).all()


@pytest.mark.parametrize("name", ["darts", "nasbench101", "fbnet", "mobilenetv3"])
def test_graphs_of_any_space_are_read(name):
    space = load_space(name)
    encoding = type(ENCODING)().fit(space, 0)
    genotypes = space.sample(12, np.random.default_rng(0))
    surrogate = GraphNetwork(members=2, epochs=2).prepare(encoding, 1, 0)
    surrogate.fit(genotypes, np.zeros(12, dtype=np.int64), np.arange(12.0))
    assert np.isfinite(surrogate.predict(genotypes, 0)).all()


@pytest.mark.parametrize(("name", "value"), [("members", 1), ("width", 0), ("epochs", -1), ("refit", 0)])
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(UserError, match=f"surrogate.{name}={value}"):
        GraphNetwork(**{name: value})
