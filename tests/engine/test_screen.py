import numpy as np
import pandas as pd
import pytest

from ktnas import registry
from ktnas.engine.config import LimitsConfig
from ktnas.engine.guides import Guide, Guided
from ktnas.engine.larger import Larger
from ktnas.errors import UserError
from tests.engine.contract import ScreenContract
from tests.engine.scene import SPACE, Scene, write_tables


class Opposite(Guide):
    """Expects the opposite of another guide."""

    def __init__(self, other):
        self.other = other

    def scores(self, genotypes):
        return -self.other.scores(genotypes)


class TestNoScreen(ScreenContract):
    name = "none"

    def check_number(self, chosen, candidates, n):
        assert chosen == candidates

    def test_is_never_informed(self, config):
        scene = Scene.of(config).evaluate(0, 30)
        assert not self.build(scene).informed(scene.states[0], scene.states)


class TestSurrogateScreen(ScreenContract):
    name = "surrogate"
    parameters = {"random": 32, "rounds": 2}  # noqa: RUF012

    def test_is_informed_by_any_task_with_two_successes(self, config):
        scene = Scene.of(config).evaluate(0, 1).evaluate(0, 9, fail=True)
        screen = self.build(scene)
        assert not screen.informed(scene.states[1], scene.states)
        scene.evaluate(0, 1)
        assert screen.informed(scene.states[1], scene.states)

    def test_believes_that_what_is_pending_turns_out_as_predicted(self, tmp_path):
        """So two choices, one after the other, are those of one choice of two."""
        self.parameters = {"random": 256, "rounds": 2}  # all there are
        config = write_tables(tmp_path, 250, seed=1)
        together, in_turn = (Scene.of(config, tasks=("a",)).evaluate(0, 6) for _ in range(2))
        nothing = together.states[0].genotypes[:0]
        picked = self.choose(together, 0, nothing, 2)
        for _ in range(2):
            in_turn.states[0].expect(self.choose(in_turn, 0, nothing))
        np.testing.assert_array_equal(in_turn.states[0].pending, picked)

    def test_chooses_better_than_chance(self, tmp_path):
        config = write_tables(tmp_path, None)
        better = 0
        for seed in range(4):
            scene = Scene.of(config, seed=seed).evaluate(0, 25).evaluate(1, 10)
            state = scene.states[1]
            chosen, chance = self.choose(scene, 1, state.draw(5)), state.draw(1)
            chosen_error, chance_error = state.task.error(
                state.task.look_up(np.vstack([chosen, chance]), ["score"])[:, 0]
            )
            better += chosen_error < chance_error
        assert better >= 3

    def test_keeps_a_limit_that_is_known_beforehand(self, tmp_path):
        config = write_tables(tmp_path, None)
        for seed in range(3):
            scene = Scene.of(config, devices=["phone"], limits=LimitsConfig(latency=5.0), seed=seed)
            scene.evaluate(0, 10)
            (device,) = scene.objectives.devices
            chosen = self.choose(scene, 0, scene.states[0].draw(5), 3)
            assert (device.latency(chosen, "a") <= 5).all()

    def test_slow_architectures_are_worth_something_where_only_fast_ones_were_seen(self, tmp_path):
        scene = Scene.of(write_tables(tmp_path, None), objectives=["error", "latency"], devices=["phone"])
        state, (device,) = scene.states[0], scene.objectives.devices
        everything = state.left()
        order = np.argsort(device.latency(everything, "a"))
        scene.tell(0, everything[order[:20]])
        seen = device.latency(everything[order[:20]], "a")

        gains = self.build(scene)._learn(state, scene.states)[0].acquisition(everything)

        slow = device.latency(everything, "a") > seen.max() + np.ptp(seen)
        assert (gains[slow] > 0).mean() > 0.1

    def test_known_source_says_where_a_target_looks_first(self, tmp_path):
        """Among its best, after the first evaluation and before the eighth."""
        scene = Scene.of(write_tables(tmp_path, None)).evaluate(0, 60)
        source, target = scene.states
        source.role = "source"
        everything = SPACE.architectures()
        scores = pd.read_csv(tmp_path / "scores.csv").set_index("arch")["b"]
        for led in (False, True, True, False):
            screen = self.build(scene)
            _, narrowing = screen._learn(target, scene.states)
            assert (narrowing is not None) == led
            if narrowing is not None:
                assert 0.05 < narrowing.admits(everything).mean() < 0.2
                chosen = screen.choose(target, scene.states, target.draw(5), 3)
                assert narrowing.admits(chosen).all()
                assert (scores[SPACE.format(chosen)] > scores.median()).all(), "the tasks agree"
            scene.evaluate(1, 4 if len(target) else 1)

    def test_only_a_source_leads_and_only_a_target_is_led(self, config):
        scene = Scene.of(config, tasks=("a", "b", "c")).evaluate(0, 20).evaluate(1, 20).evaluate(2, 3)
        screen = self.build(scene)
        assert [screen._leading(state, scene.states) for state in scene.states] == [[], [], []]
        scene.states[0].role = "source"
        assert [screen._leading(state, scene.states) for state in scene.states] == [[], [], scene.states[:1]]
        scene.states[2].role = "source"
        assert screen._leading(scene.states[2], scene.states) == []

    def test_fronts_of_two_objectives_are_not_narrowed(self, config):
        scene = Scene.of(config, objectives=["error", "latency"], devices=["phone"])
        scene.evaluate(0, 20).evaluate(1, 3).states[0].role = "source"
        assert self.build(scene)._leading(scene.states[1], scene.states) == []

    @pytest.mark.parametrize("sign", [1, -1], ids=["larger is better", "larger is worse"])
    def test_without_a_source_a_task_looks_among_the_larger_networks_while_they_are_better(
        self, tmp_path, sign
    ):
        guide = Larger.of(SPACE, "a")
        larger = Guided.of([guide], SPACE, 0.05)
        everything = SPACE.architectures()
        order = np.argsort(guide.scale.sizes(everything), kind="stable")
        scores = pd.DataFrame({"arch": SPACE.format(everything[order]), "a": sign * np.arange(len(order))})
        scores.to_csv(tmp_path / "scores.csv", index=False)
        config = {"name": "table", "space": SPACE.name, "scores": str(tmp_path / "scores.csv"), "unit": "%"}
        scene = Scene.of(config, tasks=("a",))
        (state,) = scene.states
        guided = []
        for _ in range(5):
            screen = self.build(scene)
            guided.append(screen._learn(state, scene.states)[1] is not None)
            chosen = (
                screen.choose(state, scene.states, everything[:0], 1)
                if len(state)
                else everything[order[[9]]]
            )
            assert not guided[-1] or larger.admits(chosen).all()
            scene.tell(0, chosen)
        assert guided == [False, True, sign == 1, sign == 1, False]

    def test_another_guide_is_heard_as_long_as_it_knows_better_than_the_size(self, config):
        larger = Larger.of(SPACE, "a")
        everything = SPACE.architectures()
        sizes = larger.scale.sizes(everything)
        by_size = everything[np.argsort(sizes, kind="stable")]
        small, middle, large = by_size[[10, 2000, -10]]

        def heard(guide, tried, errors):
            scene = Scene.of(config, tasks=("a",))
            screen, state = self.build(scene), scene.states[0]
            screen.follow([guide])
            scene.tell(0, np.array(tried))
            state.values[:, state.columns.index("error")] = errors
            return [guide is found or "size" for found in screen._heard(state, scene.states)]

        smaller, same = Opposite(larger), Larger(larger.scale)
        assert heard(smaller, [small], [9.0]) == [True, "size"]
        assert heard(smaller, [small, large], [9.0, 5.0]) == ["size"]
        assert heard(smaller, [small, large], [5.0, 9.0]) == [True]
        assert heard(same, [small, large], [9.0, 5.0]) == ["size"], "it knows no more than the size"
        assert heard(same, [small, large, middle], [5.0, 9.0, 7.0]) == []

    def test_guides_are_passed_over_where_a_table_has_nothing_that_they_expect_to_be_good(self, tmp_path):
        larger = Larger.of(SPACE, "a")
        everything = SPACE.architectures()
        smallest = everything[np.argsort(larger.scale.sizes(everything), kind="stable")[:60]]
        table = pd.DataFrame({"arch": SPACE.format(smallest), "a": np.arange(60.0)})
        table.to_csv(tmp_path / "scores.csv", index=False)
        config = {"name": "table", "space": SPACE.name, "scores": str(tmp_path / "scores.csv"), "unit": "%"}
        scene = Scene.of(config, tasks=("a",)).evaluate(0, 1)
        screen, state = self.build(scene), scene.states[0]
        assert not screen._learn(state, scene.states)[1].admits(smallest).any()
        assert len(screen.choose(state, scene.states, state.draw(5), 2)) == 2

    @pytest.mark.parametrize(
        ("better", "unit", "preferred"),
        [("higher", "", True), ("higher", "%", True), ("lower", "%", True), ("lower", "", False)],
    )
    def test_larger_networks_are_preferred_for_accuracies_alone(self, config, better, unit, preferred):
        scene = Scene.of(config | {"better": better, "unit": unit}, tasks=("a",)).evaluate(0, 1)
        assert (self.build(scene)._learn(scene.states[0], scene.states)[1] is not None) == preferred

    def test_what_is_known_of_another_task_is_enough(self, config):
        scene = Scene.of(config).evaluate(0, 1).evaluate(1, 1)
        screen, (state, other) = self.build(scene), scene.states
        assert isinstance(screen._learn(state, scene.states)[1], Guided)
        scene.evaluate(other.index, 2)
        assert screen._learn(state, scene.states)[1] is None

    @pytest.mark.parametrize(
        "given",
        [
            {"objectives": ["error", "latency"], "devices": ["phone"]},
            {"devices": ["phone"], "limits": LimitsConfig(latency=5.0)},
        ],
        ids=["two objectives", "a limit"],
    )
    def test_larger_networks_are_not_preferred_where_size_costs(self, config, given):
        scene = Scene.of(config, tasks=("a",), **given).evaluate(0, 1)
        assert self.build(scene)._learn(scene.states[0], scene.states)[1] is None

    @pytest.mark.parametrize("name", ["share", "guided"])
    @pytest.mark.parametrize("share", [0, -0.1, 1.5])
    def test_share_lies_between_0_and_1(self, name, share):
        with pytest.raises(UserError, match=rf"screen\.{name}="):
            registry.build("screen", {"name": "surrogate", name: share})
