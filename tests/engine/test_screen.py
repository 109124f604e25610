import numpy as np

from ktnas.engine.config import LimitsConfig
from tests.engine.contract import ScreenContract
from tests.engine.scene import Scene, write_tables


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

        gains = self.build(scene)._learn(state, scene.states).acquisition(everything)

        slow = device.latency(everything, "a") > seen.max() + np.ptp(seen)
        assert (gains[slow] > 0).mean() > 0.1
