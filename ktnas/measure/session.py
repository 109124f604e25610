"""Measuring a device: what has no row yet, a reference network in between, nothing ever lost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ktnas.arrays import BoolArray, FloatArray, IntArray
from ktnas.errors import UserError
from ktnas.measure.files import Row, RowFile, read_description, write_description
from ktnas.measure.timer import METRIC
from ktnas.measure.timing import Limits
from ktnas.task.function_task import FunctionTask
from ktnas.task.outcome import Outcome
from ktnas.version import __version__

FIGURES = (METRIC, "low_ms", "high_ms", "spread_ms")
COLUMNS = ("arch", *FIGURES, "repeats", "looks", "reference", "block", "status", "message")
MACHINE_KEYS = ("cpu", "cores", "usable_cores", "gpu", "cuda", "python", "torch", "onnxruntime")
"""Facts of a machine that must be the same when a measurement is continued."""

USUAL = 0.25
"""Share of the reference's timings below what is usual: what disturbs a device makes it slower."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """How a device is measured.

    Attributes:
        limits: of one look at a network.
        looks: at each network, in turns with all others; the fastest counts. Those that were disturbed every
            time get as many again.
        every: architectures between two measurements of the reference network.
        tolerance: share by which the reference may be off before the architectures around are suspect.
        timeout: seconds until a measurement is killed, building and compiling included; None for the
            runner's ``patience``.
        retry: whether architectures that failed earlier are measured again.
    """

    limits: Limits = field(default_factory=Limits)
    looks: int = 3
    every: int = 20
    tolerance: float = 0.05
    timeout: float | None = None
    retry: bool = False

    def __post_init__(self) -> None:
        if self.looks < 1:
            raise UserError(f"looks={self.looks}: expected 1 or more.")
        if self.every < 1:
            raise UserError(f"every={self.every}: expected 1 architecture or more.")
        if self.timeout is not None and not self.timeout > 0:
            raise UserError(f"timeout={self.timeout:g}: expected seconds above 0.")
        if not self.tolerance > 0:
            raise UserError(f"drift={self.tolerance:g}: expected a share of the latency, 0.05 for ±5 %.")


@dataclass(frozen=True, eq=False)
class Measured:
    """A device that was measured.

    Attributes:
        name: of the device.
        csv: file of the latencies.
        json: file that describes the device.
        description: its content.
        rows: one row per architecture, by text.
        looks: that were planned.
        suspect: architectures whose fastest look was next to a reference that was off.
    """

    name: str
    csv: Path
    json: Path
    description: dict[str, Any]
    rows: dict[str, Row]
    looks: int
    suspect: tuple[str, ...]

    @property
    def again(self) -> tuple[str, ...]:
        """Architectures looked at more often than planned, as the device had drifted."""
        return tuple(text for text, row in self.rows.items() if int(row["looks"]) > self.looks)

    @property
    def references(self) -> FloatArray:
        """Latencies (R,) in ms of the reference network in the order of time, NaN where it failed."""
        return _numbers(self.description["reference"][METRIC])

    @property
    def drift(self) -> float:
        """Range of the reference's latencies as a share of their median, NaN of fewer than two."""
        known = self.references[np.isfinite(self.references)]
        return float(np.ptp(known) / np.median(known)) if len(known) > 1 else math.nan


class Session:
    """One go at measuring a device, which continues what its files hold."""

    def __init__(
        self, csv: Path, json: Path, timed: FunctionTask, plan: Plan, tell: Callable[[str], None]
    ) -> None:
        self._file = RowFile(csv, COLUMNS)
        self._json = json
        self._timed = timed
        self._plan = plan
        self._tell = tell
        self._rows: dict[str, Row] = {}
        self._description: dict[str, Any] = {}

    def open(self, settings: dict[str, Any], machine: dict[str, Any], reference: Callable[[], str]) -> None:
        """Continue the files that are there, or begin them."""
        known = read_description(self._json)
        rows = self._file.read()
        if known is None:
            if rows:
                raise UserError(
                    f"{self._file.path} has no description {self._json.name} beside it, so nobody knows what "
                    "was measured. Choose another name=, or move the file away."
                )
            known = {
                "name": self._json.stem,
                "settings": settings,
                "machine": machine,
                "dtype": "float32",
                "ktnas": __version__,
                "started": _now(),
                "finished": None,
                "reference": {"arch": reference(), METRIC: []},
            }
            write_description(self._json, known)
        else:
            _check_same(self._json, known, settings, machine)
        self._description = known
        self._rows = {row["arch"]: row for row in rows}
        if self._plan.retry:
            self._rows = {text: row for text, row in self._rows.items() if row["status"] == "ok"}
            self._file.replace(list(self._rows.values()))

    def measure_missing(self, texts: Sequence[str], progress: Progress) -> None:
        """Look at each of ``texts`` as often as planned, and then again at what was disturbed every time.

        One that failed is looked at once.
        """
        to_do = sum(self._looks_left(text) for text in texts)
        if not to_do and self._description["finished"]:
            return
        self._description["finished"] = None
        if self._measure_reference() is None:
            if not self._rows:
                self._json.unlink()
            raise UserError(
                f"The reference network {self._description['reference']['arch']} cannot be measured, so no "
                f"other was tried: {self._last_message}"
            )
        done = 0
        for look in range(1, self._plan.looks + 1):
            turn = [text for text in texts if self._looks_left(text) > self._plan.looks - look]
            done = self._measure(turn, progress, done, to_do)
            to_do = done + sum(self._looks_left(text) for text in texts)
        for _ in range(self._plan.looks):
            suspect = self._suspect(2 * self._plan.looks)
            if not suspect:
                break
            self._tell(
                f"The device had drifted by more than {self._plan.tolerance:.0%} around "
                f"{len(suspect)} architectures: they are measured again."
            )
            done = self._measure(suspect, progress, done, done + len(suspect))
        self._description["finished"] = _now()
        write_description(self._json, self._description)

    def close(self) -> Measured:
        """What was measured, now and earlier."""
        return Measured(
            self._json.stem,
            self._file.path,
            self._json,
            self._description,
            dict(self._rows),
            self._plan.looks,
            tuple(self._suspect()),
        )

    def _looks_left(self, text: str) -> int:
        """How often an architecture is still to be looked at."""
        row = self._rows.get(text)
        if row is None:
            return self._plan.looks
        return max(self._plan.looks - int(row["looks"]), 0) if row["status"] == "ok" else 0

    def _measure(self, texts: Sequence[str], progress: Progress, done: int, total: int) -> int:
        """Look at each of ``texts`` once, at the reference after every block; how many looks are done."""
        for start in range(0, len(texts), self._plan.every):
            for text in texts[start : start + self._plan.every]:
                self._keep(text, self._time(text))
                done += 1
                progress(done, total)
            self._measure_reference()
        return done

    def _keep(self, text: str, outcome: Outcome) -> None:
        """Add a look: the first as a row, and of later ones the better, with one look more."""
        row, before = self._row(text, outcome), self._rows.get(text)
        if before is None:
            self._rows[text] = row
            self._file.append(row)
        else:
            better = row if self._better(row, before) else before
            self._rows[text] = better | {"looks": str(int(before["looks"]) + 1)}
            self._file.replace(list(self._rows.values()))
        if outcome.status != "ok":
            self._tell(f"{text}: {outcome.message}")

    def _better(self, row: Row, before: Row) -> bool:
        """Whether a look replaces the one before: if it is faster, or the device was too fast before."""
        if row["status"] != "ok" or before["status"] != "ok":
            return row["status"] == "ok"
        new, old, off = float(row[METRIC]), float(before[METRIC]), self._off()
        confirmed = new == old and before["block"] in self._blocks(off > 0)
        return new < old or confirmed or before["block"] in self._blocks(off < 0)

    def _measure_reference(self) -> float | None:
        """Latency of the reference network in ms, None where it failed."""
        outcome = self._time(self._description["reference"]["arch"])
        self._last_message = outcome.message
        taken = outcome.metrics[METRIC] if outcome.status == "ok" else None
        self._description["reference"][METRIC].append(taken)
        write_description(self._json, self._description)
        if taken is None:
            self._tell(f"The reference network could not be measured: {outcome.message}")
        return taken

    def _time(self, text: str) -> Outcome:
        return self._timed.evaluate(self._timed.space.parse([text]))[0]

    def _row(self, text: str, outcome: Outcome) -> Row:
        references = _numbers(self._description["reference"][METRIC])
        known = references[np.isfinite(references)]
        figures = figures_of(outcome)
        position = {
            "looks": "1",
            "reference": _digits(known[-1] / known[0]),
            "block": str(len(references) - 1),
        }
        return {"arch": text, **{name: (figures | position)[name] for name in COLUMNS[1:]}}

    def _off(self) -> IntArray:
        """For each timing of the reference 1 where it was too slow, -1 where it was too fast, and 0."""
        references = _numbers(self._description["reference"][METRIC])
        if not np.isfinite(references).any():
            return np.zeros(len(references), dtype=np.int64)
        change = np.nan_to_num(references / np.nanquantile(references, USUAL, method="higher") - 1)
        return np.where(np.abs(change) > self._plan.tolerance, np.sign(change), 0).astype(np.int64)

    @staticmethod
    def _blocks(marked: BoolArray) -> set[str]:
        """Blocks of architectures with a marked timing of the reference before or after them."""
        return {str(block) for block in np.flatnonzero(marked | np.append(marked[1:], False))}

    def _suspect(self, below: float = math.inf) -> list[str]:
        """Architectures whose look is next to a reference that was off, of ``below`` so many looks."""
        doubted = self._blocks(self._off() != 0)
        return [
            text
            for text, row in self._rows.items()
            if row["status"] == "ok" and row["block"] in doubted and int(row["looks"]) < below
        ]


def figures_of(outcome: Outcome) -> Row:
    """What a measurement came to, as columns: the figures, repeats, status and message."""
    return {
        **{name: _digits(outcome.metrics.get(name, math.nan)) for name in FIGURES},
        "repeats": f"{outcome.metrics.get('repeats', 0):.0f}",
        "status": outcome.status,
        "message": " ".join(outcome.message.split()),
    }


def _check_same(path: Path, known: dict[str, Any], settings: dict[str, Any], machine: dict[str, Any]) -> None:
    """``UserError`` where a device was measured in another way or on another machine."""
    before = known["settings"] | {key: known["machine"].get(key) for key in MACHINE_KEYS}
    now = settings | {key: machine.get(key) for key in MACHINE_KEYS}
    changes = [
        f"{key} was {_shown(old)} and is {_shown(new)}" for key, old, new in _differences("", before, now)
    ]
    if changes:
        raise UserError(
            f"{path.stem} was measured otherwise: {'; '.join(changes)}. Measure as before to continue, "
            f"choose another name=, or delete {path.with_suffix('.csv')} and {path.name} to start anew."
        )


def _differences(above: str, before: Any, now: Any) -> list[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys((*before, *now))
        return [
            change for key in keys for change in _differences(f"{above}{key}.", before.get(key), now.get(key))
        ]
    return [] if before == now else [(above.rstrip("."), before, now)]


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)


def _numbers(values: Sequence[float | None]) -> FloatArray:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _digits(value: float) -> str:
    """Six digits, empty for NaN."""
    return "" if math.isnan(value) else f"{value:.6g}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
