import numpy as np
import pytest
import torch

from ktnas.surrogate.gcn import GlobalGraphs, embed, initial_layers
from ktnas.surrogate.pairwise import Inputs, Lessons, Training, initial_heads, opinions, train
from tests.surrogate.contract import SPACE, draw, truth

N = 24
GENOTYPES = draw(N)
VALUES = torch.from_numpy(truth(GENOTYPES)).float()
PLAN = Training(epochs=30, batch=N, learning_rate=1e-2, weight_decay=0.0, dropout=0.0)


def start(published: bool = False, n_tasks: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    layers = initial_layers(2, 2, 8, len(SPACE.vocabulary), generator)
    return layers | initial_heads(2, 8, n_tasks, published, generator)


def lessons(
    values: torch.Tensor = VALUES,
    tasks: torch.Tensor | None = None,
    taught: torch.Tensor | None = None,
    hard: bool = False,
) -> Lessons:
    graphs = GlobalGraphs.of(SPACE.pruned(GENOTYPES), torch.float32)
    return Lessons(
        Inputs(graphs, torch.arange(N), torch.zeros(N, 0)),
        torch.zeros(N, dtype=torch.int64) if tasks is None else tasks,
        values,
        torch.ones(2, N, dtype=torch.bool) if taught is None else taught,
        hard,
    )


def learned(known: Lessons, plan: Training = PLAN, **heads: object) -> dict[str, torch.Tensor]:
    return train(start(**heads), known, plan, torch.Generator().manual_seed(1), None)


def said(weights: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = lessons().inputs
    return opinions(weights, embed(weights, inputs.graphs), inputs.extra)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("published", [False, True])
def test_smaller_values_are_preferred(published, hard):
    first, second = said(learned(lessons(hard=hard), published=published))

    scores = (first - second)[:, :, 0].mean(dim=0)
    assert np.corrcoef(scores.numpy(), VALUES.numpy())[0, 1] < -0.7


def test_soft_labels_make_differences_of_scores_those_of_values():
    first, _ = said(learned(lessons(), Training(400, N, 2e-2, 0.0, 0.0)))

    values, scores = VALUES.numpy(), -first[0, :, 0].numpy()
    slope = np.polyfit(scores, values, 1)[0]
    assert slope == pytest.approx(1, abs=0.1)


def test_what_a_member_is_not_taught_does_not_move_it():
    taught = torch.ones(2, N, dtype=torch.bool)
    taught[0, :6] = False
    other = VALUES.clone()
    other[:6] = -other[:6]

    one, two = (learned(lessons(values, taught=taught)) for values in (VALUES, other))

    assert all(torch.equal(one[name][0], two[name][0]) for name in one)
    assert not torch.equal(one["map.0"][1], two["map.0"][1])


def test_levels_of_tasks_do_not_matter():
    tasks = torch.arange(N) % 2
    one, two = (learned(lessons(values, tasks), n_tasks=2) for values in (VALUES, VALUES + 64 * tasks))

    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-2, atol=1e-2)


def test_task_without_a_pair_keeps_the_common_head():
    tasks = torch.zeros(N, dtype=torch.int64)
    tasks[0] = 1

    weights = learned(lessons(tasks=tasks), n_tasks=3)

    assert (weights["first.own"][:, :, 0] != 0).any()
    assert (weights["first.own"][:, :, 1:] == 0).all()


def test_batches_may_be_smaller_than_what_is_known():
    told: list[tuple[int, int]] = []
    plan = Training(3, 10, 1e-2, 0.0, 0.1)
    train(start(), lessons(), plan, torch.Generator(), lambda *step: told.append(step))

    assert told == [(step, 9) for step in range(1, 10)]


def test_members_learn_nothing_from_each_other():
    both = start()
    alone = {name: weight[:1] for name, weight in both.items()}
    known = lessons()
    together = train(both, known, PLAN, torch.Generator().manual_seed(1), None)
    single = Lessons(known.inputs, known.tasks, known.values, known.taught[:1], known.hard)
    apart = train(alone, single, PLAN, torch.Generator().manual_seed(1), None)

    for name, weight in apart.items():
        torch.testing.assert_close(weight, together[name][:1], rtol=1e-3, atol=1e-3)
