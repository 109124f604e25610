"""What every screen and every survival promises. A test class inherits one and names its plug-in."""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ktnas.arrays import IntArray
from ktnas.encoding.onehot import OneHot
from ktnas.engine.config import LimitsConfig
from ktnas.engine.screen import Screen
from ktnas.engine.state import TaskState
from ktnas.engine.survival import Survival
from ktnas.registry import build, resolve
from ktnas.resources import resource_dir
from tests.engine.scene import SPACE, Scene, state_of, write_tables

EXAMPLES = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.differing_executors]
)
SCENES: dict[str, dict[str, Any]] = {
    "error": {},
    "error and latency": {"objectives": ["error", "latency"], "devices": ["phone"]},
    "two devices": {"objectives": ["error", "latency"], "devices": ["phone", "board"]},
    "latency limit": {"devices": ["phone"], "limits": LimitsConfig(latency=5.0)},
    "error limit": {
        "objectives": ["error", "latency"],
        "devices": ["phone"],
        "limits": LimitsConfig(error=20.0),
    },
    "impossible limit": {"devices": ["phone"], "limits": LimitsConfig(latency=1e-6)},
}


def check_config(kind: str, name: str) -> None:
    """The plug-in's YAML spells out every parameter with its default."""
    config = OmegaConf.to_container(OmegaConf.load(resource_dir("conf") / kind / f"{name}.yaml"))
    plugin = resolve(kind, name)
    default = plugin()
    settable = {field.name: getattr(default, field.name) for field in fields(plugin) if field.init}
    assert config == {"name": name} | settable


class ScreenContract:
    name: ClassVar[str]
    parameters: ClassVar[dict[str, Any]] = {}
    surrogate: ClassVar[dict[str, Any]] = {"name": "multitask_gp"}

    def build(self, scene: Scene) -> Screen:
        screen: Screen = build("screen", {"name": self.name, **self.parameters})
        encoding = OneHot().fit(SPACE, seed=0)
        screen.prepare(scene.objectives, encoding, self.surrogate, len(scene.states), seed=0)
        return screen

    def choose(self, scene: Scene, index: int, candidates: IntArray, n: int = 1) -> IntArray:
        """What a new screen chooses, after a look at its form."""
        state = scene.states[index]
        chosen = self.build(scene).choose(state, scene.states, candidates, n)
        assert chosen.dtype == np.int64
        assert chosen.shape[1:] == (SPACE.n_variables,)
        assert state.fresh(chosen).all()  # distinct, of the universe and not evaluated
        self.check_number(len(chosen), len(candidates), n)
        return chosen

    def check_number(self, chosen: int, candidates: int, n: int) -> None:
        assert chosen <= n

    @pytest.fixture(scope="class", params=[40, None], ids=["sparse", "full"])
    def tables(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> dict[str, Any]:
        return write_tables(tmp_path_factory.mktemp("tables"), request.param)

    @pytest.fixture
    def config(self, tables: dict[str, Any]) -> dict[str, Any]:
        return dict(tables)

    @pytest.mark.parametrize("scene", SCENES)
    def test_chooses_few_fresh_ones(self, config, scene):
        scene = Scene.of(config, **SCENES[scene]).evaluate(0, 12).evaluate(1, 8)
        assert len(self.choose(scene, 0, scene.states[0].draw(6), 2))

    @pytest.mark.parametrize("known", [True, False])
    def test_latency_before_and_after_the_evaluation(self, config, known):
        config["latency_known"] = known
        scene = Scene.of(config, **SCENES["latency limit"]).evaluate(0, 12)
        assert len(self.choose(scene, 0, scene.states[0].draw(4)))

    @pytest.mark.parametrize("objectives", [["latency"], ["latency", "error"]])
    def test_error_need_not_come_first(self, config, objectives):
        scene = Scene.of(config, objectives=objectives, devices=["phone"]).evaluate(0, 12)
        assert len(self.choose(scene, 0, scene.states[0].draw(4)))

    def test_task_that_was_never_evaluated(self, config):
        scene = Scene.of(config, **SCENES["error and latency"]).evaluate(0, 12)
        assert len(self.choose(scene, 1, scene.states[1].draw(4)))

    def test_source_of_other_metrics(self, config):
        config["latency_known"] = False
        scene = Scene.of(config, **SCENES["error and latency"]).evaluate(0, 12)
        scene.states[0].values[:, 1] = np.nan
        self.choose(scene, 1, scene.states[1].draw(4))

    def test_everything_failed_so_far(self, config):
        scene = Scene.of(config, **SCENES["error and latency"]).evaluate(0, 12, fail=True)
        assert len(self.choose(scene, 0, scene.states[0].draw(4)))

    def test_one_success(self, config):
        scene = Scene.of(config, **SCENES["error and latency"]).evaluate(0, 1).evaluate(0, 4, fail=True)
        assert len(self.choose(scene, 0, scene.states[0].draw(4)))

    def test_no_candidates(self, config):
        scene = Scene.of(config).evaluate(0, 12)
        self.choose(scene, 0, scene.states[0].genotypes[:0], 2)

    def test_little_is_left(self, tmp_path):
        config = write_tables(tmp_path, 12)
        scene = Scene.of(config).evaluate(0, 10)
        self.choose(scene, 0, scene.states[0].draw(2), 5)
        scene.evaluate(0, 2)
        assert len(self.choose(scene, 0, scene.states[0].genotypes[:0], 5)) == 0

    def test_same_choice_again(self, config):
        chosen = []
        for _ in range(2):
            scene = Scene.of(config, **SCENES["error and latency"]).evaluate(0, 12)
            chosen.append(self.choose(scene, 0, scene.states[0].draw(4), 2))
        np.testing.assert_array_equal(*chosen)

    def test_config_spells_out_every_parameter(self):
        check_config("screen", self.name)


@st.composite
def populations(draw: st.DrawFn) -> tuple[TaskState, int]:
    """A state with ties, failures and limits, and a number of parents."""
    m = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.normal(size=(draw(st.integers(0, 25)), m)).round(draw(st.integers(0, 3)))
    values[rng.random(len(values)) < draw(st.sampled_from([0, 0.3, 1]))] = np.nan
    limits = draw(st.lists(st.sampled_from([-np.inf, -0.5, 0.0, 0.5, np.inf]), max_size=m))
    return state_of(values, [limit if limit > -np.inf else 0.1 for limit in limits]), draw(st.integers(1, 12))


class SurvivalContract:
    name: ClassVar[str]

    def build(self) -> Survival:
        survival: Survival = build("survival", {"name": self.name})
        return survival

    def select(self, state: TaskState, size: int) -> IntArray:
        """Survivors, after a look at their form."""
        rows = self.build().select(state, size)
        assert rows.dtype == np.int64
        assert len(set(rows.tolist())) == len(rows)
        return rows

    def eligible(self, state: TaskState, size: int) -> IntArray:
        """Rows among which the best survive."""
        return np.flatnonzero(np.isfinite(state.F).all(axis=1))

    @EXAMPLES
    @given(populations())
    def test_as_many_as_there_are_successes_and_never_a_failure(self, population):
        state, size = population
        rows = self.select(state, size)
        assert len(rows) == min(size, len(self.eligible(state, size)))
        assert set(rows.tolist()) <= set(self.eligible(state, size).tolist())

    @EXAMPLES
    @given(populations())
    def test_within_the_limits_first_then_by_excess(self, population):
        state, size = population
        violation = state.violation[self.select(state, size)]
        assert (np.diff(violation) >= 0).all()
        outside = np.setdiff1d(self.eligible(state, size), self.select(state, size))
        assert (state.violation[outside][:, None] >= violation).all()

    @EXAMPLES
    @given(populations())
    def test_no_row_is_dominated_by_one_that_stands_behind_it_or_was_left_out(self, population):
        state, size = population
        rows = [row for row in self.select(state, size).tolist() if state.violation[row] == 0]
        outside = np.setdiff1d(self.eligible(state, size), rows)
        others = [*rows, *outside[state.violation[outside] == 0].tolist()]
        for place, row in enumerate(rows):
            F, behind = state.F[row], state.F[others[place + 1 :]]
            assert not ((behind <= F).all(axis=1) & (behind < F).any(axis=1)).any()

    @EXAMPLES
    @given(populations())
    def test_same_again_and_nothing_touched(self, population):
        state, size = population
        before = state.values.copy()
        np.testing.assert_array_equal(self.select(state, size), self.select(state, size))
        np.testing.assert_array_equal(state.values, before)

    def test_config_spells_out_every_parameter(self):
        check_config("survival", self.name)
