"""Parts of several files, put together into one benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ktnas.errors import UserError, unknown
from ktnas.imports.part import ARCH, EVERY_TASK, Part
from ktnas.space import SearchSpace, TextError, load_space

KEY = "(identity)"


@dataclass
class Merged:
    """Scores and latencies of one space, architectures by their official texts, each once per frame.

    Attributes are those of ``Part``; ``latencies`` has either ``EVERY_TASK`` or the names of tasks.
    """

    space: str
    formats: list[str] = field(default_factory=list)
    tasks: dict[str, pd.DataFrame] = field(default_factory=dict)
    latencies: dict[str, pd.DataFrame] = field(default_factory=dict)
    searched: str | None = None
    reported: str | None = None
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def devices(self) -> list[str]:
        """Names of the devices, which every frame of latencies has."""
        frames = list(self.latencies.values())
        return [name for name in frames[0].columns if name not in (ARCH, KEY)] if frames else []


def merge(parts: Sequence[Part], only: Sequence[str] = ()) -> Merged:
    """One benchmark of ``parts``, of all tasks or ``only`` those named.

    Where two parts have the same column of a task, or the same device, the first one counts.

    Raises:
        UserError: parts of different spaces, an architecture that is not in the space or comes twice in a
            file that must not repeat it, a name that makes no file name, an unknown task, no numbers at all.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.space != first.space:
            raise UserError(
                f"{first.origin} is of the space {first.space}, {part.origin} of {part.space}; one benchmark "
                "has one space."
            )
    space = load_space(first.space)
    merged = Merged(first.space)
    settled = [_settled(part, space, merged.notes) for part in parts if part.derive is None]
    texts = _texts(settled)
    for part in parts:
        if part.derive is not None:
            if not texts:
                raise UserError(
                    f"{part.origin} has prices of blocks for {part.space}, no architectures. Name a file of "
                    "architectures in the same command, a CSV file with a column 'arch' say."
                )
            settled.append(_settled(part.derive(texts), space, merged.notes))
    for part in settled:
        _add(merged, part)
    _keep(merged, only)
    _share_latencies(merged)
    _check(merged, ", ".join(part.origin for part in parts))
    return merged


def _settled(part: Part, space: SearchSpace, notes: list[str]) -> Part:
    """``part`` with official texts and identities (uint64) of the architectures in a column of their own."""
    notes.extend(f"{part.origin}: {note}" for note in part.notes)

    def settle(frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        return {name: _identified(frame, part, space, notes) for name, frame in frames.items()}

    return replace(part, tasks=settle(part.tasks), latencies=settle(part.latencies))


def _identified(frame: pd.DataFrame, part: Part, space: SearchSpace, notes: list[str]) -> pd.DataFrame:
    if frame.empty:
        return frame.assign(**{KEY: np.empty(0, dtype=np.uint64)})
    try:
        genotypes = space.parse(frame[ARCH].tolist())
    except TextError as problem:
        row = frame.index[problem.position]
        raise UserError(f"{part.origin}, architecture {row + 1}: {problem}") from None
    frame = frame.copy()
    frame[ARCH], frame[KEY] = space.format(genotypes), space.identities(genotypes)
    again = frame[KEY].duplicated().to_numpy()
    if again.any() and not part.repeats:
        position = int(np.argmax(again))
        raise UserError(
            f"{part.origin}, row {frame.index[position] + 1}: the architecture {frame[ARCH].iloc[position]} "
            f"comes a second time ({again.sum()} such rows in all). Keep one row of each."
        )
    if again.any():
        notes.append(f"{part.origin}: {again.sum():,} rows of architectures that came before, left out")
    return frame[~again].reset_index(drop=True)


def _texts(parts: Sequence[Part]) -> list[str]:
    frames = [frame for part in parts for frame in (*part.tasks.values(), *part.latencies.values())]
    return list(dict.fromkeys(text for frame in frames for text in frame[ARCH]))


def _add(merged: Merged, part: Part) -> None:
    merged.formats.append(part.format)
    merged.searched = merged.searched or part.searched
    merged.reported = merged.reported or part.reported
    merged.units = part.units | merged.units
    for mine, others in ((merged.tasks, part.tasks), (merged.latencies, part.latencies)):
        for name, frame in others.items():
            mine[name] = _joined(mine[name], frame) if name in mine else frame


def _joined(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Rows of both frames, columns of the first and those that only the second has."""
    new = [name for name in second.columns if name not in first.columns]
    frame = first.merge(second[[KEY, ARCH, *new]], on=KEY, how="outer", suffixes=("", "_other"), sort=False)
    frame[ARCH] = frame[ARCH].fillna(frame.pop(f"{ARCH}_other"))
    return frame


def _keep(merged: Merged, only: Sequence[str]) -> None:
    names = list(dict.fromkeys([*merged.tasks, *(name for name in merged.latencies if name != EVERY_TASK)]))
    for name in only:
        if name not in names:
            raise unknown("task", name, names)
    if only:
        merged.tasks = {name: merged.tasks[name] for name in only if name in merged.tasks}
        merged.latencies = {
            name: frame for name, frame in merged.latencies.items() if name in (EVERY_TASK, *only)
        }


def _share_latencies(merged: Merged) -> None:
    """Latencies by task wherever some are, those of every task repeated; frames without a device go."""
    merged.latencies = {
        name: frame for name, frame in merged.latencies.items() if len(frame.columns.difference([ARCH, KEY]))
    }
    shared = merged.latencies.get(EVERY_TASK)
    by_task = {name: frame for name, frame in merged.latencies.items() if name != EVERY_TASK}
    if not by_task:
        return
    scored = merged.tasks if merged.searched else by_task
    lacking = [name for name in scored if name not in by_task]
    if lacking:
        raise UserError(
            f"There are latencies for {', '.join(by_task)}, but none for {', '.join(lacking)}. Leave the "
            "others out with --task, or import the files under two names."
        )
    merged.latencies = {
        name: frame if shared is None else _joined(frame, shared) for name, frame in by_task.items()
    }


def _check(merged: Merged, origin: str) -> None:
    merged.tasks = {name: frame for name, frame in merged.tasks.items() if len(frame)}
    if not merged.tasks and not merged.devices:
        raise UserError(f"{origin}: no column of numbers, so there is nothing to import.")
    for kind, names in (("task", [*merged.tasks, *merged.latencies]), ("device", merged.devices)):
        for name in names:
            if name != EVERY_TASK and not is_plain_name(name):
                raise UserError(
                    f"{origin}: the {kind} '{name[:80]}' needs another name, of letters, digits, spaces and "
                    "_ . + - %, beginning with a letter or digit. Rename its column or file."
                )
    if merged.searched is None:
        return
    for name, frame in list(merged.tasks.items()):
        if merged.searched not in frame or not np.isfinite(frame[merged.searched]).any():
            merged.notes.append(f"task {name} has no score, left out")
            del merged.tasks[name]
    if not merged.tasks:
        raise UserError(f"{origin}: no task has a finite score.")


def is_plain_name(name: str) -> bool:
    """Whether ``name`` can stand in a file name, in YAML and on the command line."""
    return (
        0 < len(name) <= 64
        and name[0].isalnum()
        and name == name.strip()
        and all(character.isalnum() or character in " _.+-%" for character in name)
    )
