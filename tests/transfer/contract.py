"""What every transfer strategy promises. A test class inherits this and names its strategy."""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import pytest
from omegaconf import OmegaConf

from ktnas.encoding.onehot import OneHot
from ktnas.registry import build, resolve
from ktnas.resources import resource_dir
from ktnas.space import load_space
from ktnas.transfer.base import Candidates, Transfer

N_TASKS = 4


def prepared(transfer: Transfer, n_tasks: int = N_TASKS) -> Transfer:
    transfer.prepare(OneHot().fit(load_space("nasbench201"), seed=0), n_tasks)
    return transfer


def parents(rng: np.random.Generator, target: int = 0, per_task: int = 5) -> Candidates:
    """Random parents of every task but ``target``."""
    others = np.array([task for task in range(N_TASKS) if task != target], dtype=np.int64)
    return Candidates(
        genotypes=load_space("nasbench201").sample(len(others) * per_task, rng),
        tasks=np.repeat(others, per_task),
        ranks=np.tile(np.arange(per_task), len(others)),
    )


class TransferContract:
    name: ClassVar[str]
    parameters: ClassVar[dict[str, Any]] = {}

    def build(self) -> Transfer:
        return prepared(build("transfer", {"name": self.name, **self.parameters}))

    def history(self, seed: int, generations: int) -> list[list[int]]:
        """Selections of a search of that many generations, whose transfers succeed at random."""
        rng, transfer, selections = np.random.default_rng(seed), self.build(), []
        for generation in range(generations):
            for target in range(N_TASKS):
                candidates = parents(rng, target)
                chosen = transfer.select(target, generation, candidates, rng)
                assert chosen.dtype == np.int64
                selections.append(chosen.tolist())
                if len(chosen):
                    success = rng.random(len(chosen)) < 0.4
                    transfer.feedback(target, generation, candidates.take(chosen), success)
        return selections

    @pytest.mark.parametrize("seed", range(10))
    def test_selects_few_unique_candidates(self, seed):
        limit = getattr(self.build(), "n", 0)
        for chosen in self.history(seed, generations=8):
            assert len(set(chosen)) == len(chosen) <= limit
            assert set(chosen) <= set(range(5 * (N_TASKS - 1)))

    def test_same_seed_same_choices(self):
        assert self.history(7, generations=12) == self.history(7, generations=12)

    def test_nothing_to_choose_from(self):
        nobody = parents(np.random.default_rng(0), per_task=0)
        assert len(self.build().select(0, 0, nobody, np.random.default_rng(0))) == 0

    def test_fewer_candidates_than_places(self):
        few = parents(np.random.default_rng(0), per_task=1)
        transfer = self.build()
        for generation in range(20):
            assert len(transfer.select(0, generation, few, np.random.default_rng(generation))) <= 3

    def test_leaves_the_candidates_alone(self):
        candidates = parents(np.random.default_rng(0))
        before = candidates.take(np.arange(len(candidates)))
        transfer = self.build()
        moved = candidates.take(transfer.select(0, 0, candidates, np.random.default_rng(0)))
        transfer.feedback(0, 0, moved, np.ones(len(moved), dtype=bool))
        np.testing.assert_array_equal(candidates.genotypes, before.genotypes)
        np.testing.assert_array_equal(candidates.tasks, before.tasks)
        np.testing.assert_array_equal(candidates.ranks, before.ranks)

    def test_one_target_learns_nothing_from_another(self):
        informed, ignorant = self.build(), self.build()
        rng = np.random.default_rng(0)
        for generation in range(5):
            moved = parents(rng, target=1).take(np.arange(4))
            informed.feedback(1, generation, moved, rng.random(4) < 0.5)
        candidates = parents(rng, target=0)
        for seed in range(10):
            chosen = [t.select(0, 5, candidates, np.random.default_rng(seed)) for t in (informed, ignorant)]
            np.testing.assert_array_equal(*chosen)

    def test_prepare_starts_afresh(self):
        transfer, rng = self.build(), np.random.default_rng(0)
        moved = parents(rng).take(np.arange(4))
        transfer.feedback(0, 0, moved, np.zeros(4, dtype=bool))
        prepared(transfer)
        candidates = parents(rng)
        for seed in range(10):
            chosen = [
                t.select(0, 1, candidates, np.random.default_rng(seed)) for t in (transfer, self.build())
            ]
            np.testing.assert_array_equal(*chosen)

    def test_success_share_is_a_share(self):
        assert 0 < self.build().top <= 1

    def test_config_spells_out_every_parameter(self):
        config = OmegaConf.to_container(
            OmegaConf.load(resource_dir("conf") / "transfer" / f"{self.name}.yaml")
        )
        plugin = resolve("transfer", self.name)
        assert set(config) == {"name"} | {field.name for field in fields(plugin) if field.init}
        assert build("transfer", config) == plugin()
