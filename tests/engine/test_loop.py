from dataclasses import dataclass, field

import numpy as np
import pytest

from ktnas.arrays import BoolArray, IntArray, Rng
from ktnas.engine.config import VariationConfig
from ktnas.engine.evaluator import Evaluator
from ktnas.engine.loop import Search, Strategies
from ktnas.engine.progress import NullProgress
from ktnas.engine.screen import NoScreen
from ktnas.engine.survival import ElitistSurvival
from ktnas.record.description import RunDescription
from ktnas.record.ledger import Ledger
from ktnas.transfer.base import Candidates, Transfer
from tests.engine.scene import SPACE, Scene, write_tables

ONE_CHANGE = VariationConfig(offspring=10, tournament=2, crossover=0, mutation=1, mutation_rate=1e-12)


@dataclass
class TransferInTurn(Transfer):
    """Candidates move in turn, ``n`` at a time; what became of them is kept."""

    n: int = 3
    offered: list[Candidates] = field(default_factory=list)
    heard: list[tuple[int, int, Candidates, BoolArray]] = field(default_factory=list)

    def select(self, target: int, generation: int, candidates: Candidates, rng: Rng) -> IntArray:
        self.offered.append(candidates)
        first = (generation - 1) * self.n
        return np.arange(first, first + min(self.n, len(candidates))) % max(len(candidates), 1)

    def feedback(self, target: int, generation: int, moved: Candidates, success: BoolArray) -> None:
        self.heard.append((target, generation, moved, success))


@pytest.fixture
def config(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("tables"), None)


@pytest.fixture
def ledger():
    with Ledger.open(None, {}, RunDescription((), {})) as ledger:
        yield ledger


@pytest.fixture
def search(config, ledger):
    def make(budget=40, until=None, transfer=None, seed=0, batch=1):
        scene = Scene.of(config, tasks=("a", "b", "c"), seed=seed)
        for state in scene.states:
            state.budget = budget
        description = RunDescription(scene.objectives.columns, dict.fromkeys("abc", "target"))
        fronts = {spec.task: spec for spec in description.fronts()}
        evaluator = Evaluator(ledger, scene.objectives, fronts, NullProgress())
        parts = Strategies(
            transfer=transfer or TransferInTurn(),
            screen=NoScreen(),
            survival=ElitistSurvival(),
            variation=ONE_CHANGE,
            population=8,
            initial=10,
            batch=batch,
        )
        return Search(scene.states, parts, evaluator, until or {})

    return make


def test_budget_is_spent_to_the_last_evaluation_and_no_further(search, ledger):
    found = search(budget=37)
    found.run(found.states)
    assert [len(state) for state in found.states] == [37, 37, 37]
    assert len(ledger) == 111


def test_budget_below_the_first_population(search):
    found = search(budget=4)
    found.run(found.states)
    assert [len(state) for state in found.states] == [4, 4, 4]


def test_tasks_take_turns(search, ledger):
    found = search(budget=40)
    found.run(found.states)
    rounds = [(e.generation, e.task) for e in ledger.evaluations()]
    assert rounds == sorted(rounds)
    assert [e.order for e in ledger.evaluations()] == list(range(120))


def test_first_population_is_random_and_its_generation_is_0(search):
    found = search()
    for state in found.states:
        found.generation(state)
        assert (len(state), state.generation) == (10, 1)


def test_moved_architectures_and_all_children_are_evaluated(search, ledger):
    transfer = TransferInTurn()
    found = search(transfer=transfer)
    for state in found.states:
        found.generation(state)
    target = found.states[0]
    moved = found.states[1].genotypes[found.states[1].parents[:3]]
    assert target.fresh(moved).all()

    found.generation(target)

    np.testing.assert_array_equal(target.genotypes[10:13], moved)
    assert len(target) == 10 + 3 + 10
    asked = [e.architecture for e in ledger.evaluations()[-13:]]
    assert asked == SPACE.format(target.genotypes[10:])


def test_candidates_are_the_ranked_parents_of_every_other_task(search):
    transfer = TransferInTurn()
    found = search(transfer=transfer)
    for state in found.states:
        found.generation(state)
    found.generation(found.states[1])
    offered = transfer.offered[-1]
    assert offered.tasks.tolist() == [0] * 8 + [2] * 8
    assert offered.ranks.tolist() == [*range(8), *range(8)]
    parents = [state.genotypes[state.parents] for state in (found.states[0], found.states[2])]
    np.testing.assert_array_equal(offered.genotypes, np.vstack(parents))


def test_moved_architecture_that_is_known_is_bred_from_and_not_evaluated_again(search):
    found = search()
    for state in found.states:
        found.generation(state)
    target, lender = found.states[:2]
    found._evaluate(target, lender.genotypes[lender.parents])
    known = len(target)
    found.generation(target)
    assert len(target) == known + 10


def test_parents_are_the_best_ever(search):
    found = search(budget=60)
    found.run(found.states)
    for state in found.states:
        np.testing.assert_array_equal(state.parents, np.argsort(state.errors, kind="stable")[:8])


@pytest.mark.parametrize("seed", range(3))
def test_label_is_whether_a_child_is_in_the_top_of_the_next_parents(search, seed):
    """Children differ from their one parent in one place, so the parent can be told from the outside."""
    transfer = TransferInTurn(n=2)
    transfer.top = 0.5
    found = search(transfer=transfer, seed=seed)
    for state in found.states:
        found.generation(state)
    target = found.states[0]
    seen = {True: 0, False: 0}
    for _ in range(6):
        target.budget += 20
        pool = target.genotypes[target.parents]
        before = len(target)
        found.generation(target)
        _, generation, moved, success = transfer.heard[-1]
        assert generation == target.generation - 1
        top = [row for row in target.parents[:4].tolist() if row >= before]
        for architecture, label in zip(moved.genotypes, success.tolist(), strict=True):
            near = [row for row in top if (target.genotypes[row] != architecture).sum() == 1]
            others = np.vstack([pool, moved.genotypes[(moved.genotypes != architecture).any(axis=1)]])
            mine = [row for row in near if not ((target.genotypes[row] != others).sum(axis=1) <= 1).any()]
            if mine or not near:
                assert label == bool(mine)
                seen[label] += 1
    assert all(seen.values())


def test_until_stops_the_task_that_got_there(search):
    found = search(budget=60, until={"a": 1e9})
    found.run(found.states)
    assert [len(state) for state in found.states] == [10, 60, 60]


def test_nothing_left_ends_the_task(search, tmp_path):
    found = search(budget=500)
    few = Scene.of(write_tables(tmp_path, 21), tasks=("a", "b", "c"))
    for state, sparse in zip(found.states, few.states, strict=True):
        state.task = sparse.task
    found.run(found.states)
    assert [len(state) for state in found.states] == [21, 21, 21]
    assert all(state.exhausted for state in found.states)


def test_search_without_other_tasks(search):
    transfer = TransferInTurn()
    found = search(transfer=transfer)
    found.run(found.states[:1])
    assert len(found.states[0]) == 40
    assert all(len(offered) == 0 for offered in transfer.offered)
    assert transfer.heard == []
