import io
import math

import pytest
from rich.console import Console

from ktnas.cli.progress import LINES_PER_TASK, LiveProgress, PlainProgress, make_progress, standing
from ktnas.engine.progress import ProgressEvent

BUDGETS = {"cora": 100, "citeseer": 7}


def watched(progress):
    progress.start(BUDGETS)
    for task, budget in BUDGETS.items():
        role = "source" if task == "cora" else "target"
        for done in range(1, budget + 1):
            progress.update(
                ProgressEvent(task, role, done, budget, 30 - done / 10, done / budget, done // 50)
            )
    progress.finish()


@pytest.fixture
def text():
    return io.StringIO()


def test_display_follows_the_console(text):
    assert isinstance(make_progress(Console(file=text)), PlainProgress)
    assert isinstance(make_progress(Console(file=text, force_terminal=True)), LiveProgress)


def test_plain_lines_are_few_and_say_it_all(text):
    watched(PlainProgress(Console(file=text, width=40)))

    lines = text.getvalue().splitlines()
    assert lines[0] == "Evaluations to make: cora (100), citeseer (7)"
    assert len(lines) == 1 + LINES_PER_TASK + BUDGETS["citeseer"]
    assert lines[5] == "source cora: 50/100 evaluations, best error 25, hypervolume 0.500, 1 failed, 0 s left"
    assert lines[-1].startswith("target citeseer: 7/7 evaluations")


def test_live_display_ends_with_every_task_done(text):
    watched(LiveProgress(Console(file=text, force_terminal=True, width=120, no_color=True)))

    last = text.getvalue().split("source cora")[-1]
    assert "100/100" in last
    assert "target citeseer" in last
    assert "7/7" in last
    assert "hypervolume 1.000" in last


def test_live_display_lets_go_of_the_terminal_when_a_search_fails_at_once(text):
    progress = LiveProgress(Console(file=text, force_terminal=True))
    progress.start(BUDGETS)
    progress.finish()

    assert text.getvalue().count("waiting") >= len(BUDGETS)


def test_standing_before_anything_has_succeeded():
    event = ProgressEvent("cora", "target", done=3, budget=9, best_error=math.nan, failed=3)
    assert standing(event) == "nothing succeeded yet, 3 failed"
