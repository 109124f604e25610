"""How a running search is shown: moving bars on a terminal, a few plain lines anywhere else."""

import math
import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ktnas.engine.progress import Progress, ProgressEvent

LINES_PER_TASK = 10


def make_progress(console: Console) -> Progress:
    """The display that suits ``console``."""
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)


class LiveProgress:
    """One moving line per task: evaluations, best so far, hypervolume, failures, time left."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[standing]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
        )
        self._rows: dict[str, TaskID] = {}

    def start(self, budgets: Mapping[str, int]) -> None:
        """Draw one empty bar per task."""
        for task, budget in budgets.items():
            self._rows[task] = self._bars.add_task(task, total=budget, start=False, standing="waiting")
        self._bars.start()

    def update(self, event: ProgressEvent) -> None:
        """Move the bar of the event's task."""
        row = self._rows[event.task]
        self._bars.start_task(row)
        self._bars.update(
            row, completed=event.done, description=f"{event.role} {event.task}", standing=standing(event)
        )

    def finish(self) -> None:
        """Leave the last state on the screen."""
        self._bars.stop()

    def tell(self, message: str) -> None:
        """Print the message."""
        self._bars.console.print(message, soft_wrap=True, markup=False, highlight=False)


class PlainProgress:
    """At most ``LINES_PER_TASK`` lines per task, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, int] = {}
        self._since: dict[str, float] = {}

    def start(self, budgets: Mapping[str, int]) -> None:
        """Name the tasks and their budgets."""
        named = ", ".join(f"{task} ({budget})" for task, budget in budgets.items())
        self.tell(f"Evaluations to make: {named}")

    def update(self, event: ProgressEvent) -> None:
        """Print a line whenever another tenth of the budget is spent."""
        since = self._since.setdefault(event.task, time.monotonic())
        share = event.done * LINES_PER_TASK // event.budget
        if share == self._told.get(event.task, 0):
            return
        self._told[event.task] = share
        left = (time.monotonic() - since) / event.done * (event.budget - event.done)
        done = f"{event.done}/{event.budget} evaluations"
        self.tell(f"{event.role} {event.task}: {done}, {standing(event)}, {left:.0f} s left")

    def finish(self) -> None:
        """Nothing is left to say."""

    def tell(self, message: str) -> None:
        """Print the message."""
        self._console.print(message, soft_wrap=True, markup=False, highlight=False)


def standing(event: ProgressEvent) -> str:
    """What a task has reached, in words."""
    nothing = math.isnan(event.best_error)
    parts = ["nothing succeeded yet" if nothing else f"best error {event.best_error:.4g}"]
    if event.hypervolume is not None:
        parts.append(f"hypervolume {event.hypervolume:.3f}")
    if event.failed:
        parts.append(f"{event.failed} failed")
    return ", ".join(parts)
