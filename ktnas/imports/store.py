"""The imported benchmarks of this machine: one directory each, written whole or not at all.

``benchmark.yaml`` is what ``benchmark=NAME`` reads, ``scores_<task>.csv.gz`` and ``latency.csv.gz`` (or
``latency_<task>.csv.gz``) are the tables, ``provenance.json`` says where they came from and has their
checksums.
"""

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ktnas.errors import UserError, unknown
from ktnas.imports.merge import KEY, Merged
from ktnas.imports.part import ARCH, COSTS, ENERGY, EVERY_TASK
from ktnas.imports.source import sha256
from ktnas.resources import resource_dir
from ktnas.tables.files import DEFINITION, IMPORTED_PREFIX, imported_benchmarks, imports_dir
from ktnas.version import __version__

PROVENANCE = "provenance.json"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
WORDS = {"null", "true", "false", "nan", "inf", "yes", "no", "on", "off"}


@dataclass(frozen=True)
class Imported:
    """One imported benchmark.

    Attributes:
        name: what it is called.
        directory: where it lies.
        provenance: where it came from, and what its tables hold.
    """

    name: str
    directory: Path
    provenance: dict[str, Any]

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """By file, ``sha256``, ``rows`` and, by column, ``values`` (how many), ``min``, ``mean``, ``max``."""
        tables: dict[str, dict[str, Any]] = self.provenance["tables"]
        return tables


def check_name(name: str, replace: bool) -> None:
    """``UserError`` unless a benchmark can be imported as ``name``, and the directory be written."""
    if not NAME.fullmatch(name) or name.lower() in WORDS:
        raise UserError(
            f"'{name}' is no name for a benchmark: expected up to 64 letters, digits, _ and -, beginning "
            "with a letter."
        )
    if (resource_dir("conf") / "benchmark" / f"{name}.yaml").is_file():
        raise UserError(f"The benchmark '{name}' comes with ktnas. Choose another name: --as NAME.")
    directory = imports_dir()
    if (directory / name).exists() and not replace:
        raise UserError(
            f"There is a benchmark '{name}' in {directory}. Replace it with --force, or choose another."
        )
    _check_writable(directory)


def write(
    name: str, merged: Merged, title: str, sources: Sequence[dict[str, Any]], replace: bool
) -> Imported:
    """Keep ``merged`` as ``name``: all files appear at once, in place of those of that name before."""
    root = imports_dir()
    provenance = {
        "name": name,
        "title": title,
        "formats": merged.formats,
        "space": merged.space,
        "tasks": list(merged.tasks) if merged.searched else [],
        "devices": merged.devices,
        "imported": datetime.now(UTC).isoformat(timespec="seconds"),
        "ktnas": __version__,
        "sources": list(sources),
        "notes": merged.notes,
    }

    def fill(directory: Path) -> None:
        tables = {file: _write_table(directory / file, frame) for file, frame in _tables(merged).items()}
        document = json.dumps(provenance | {"tables": tables}, indent=2, ensure_ascii=False)
        _write(directory / PROVENANCE, document + "\n")
        definition = yaml.safe_dump(
            _definition(name, merged, title), sort_keys=False, allow_unicode=True, width=1000
        )
        _write(directory / DEFINITION, definition)

    _replace(root, name, fill, replace)
    return imported(name)


def imported(name: str) -> Imported:
    """The benchmark imported as ``name``.

    Raises:
        UserError: there is none, or its provenance cannot be read.
    """
    directories = imported_benchmarks()
    if name not in directories:
        raise unknown("imported benchmark", name, directories)
    path = directories[name] / PROVENANCE
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        found = Imported(name, directories[name], provenance)
        _ = [(table["sha256"], table["rows"], table["columns"]) for table in found.tables.values()]
        _ = [
            provenance[key] for key in ("title", "space", "tasks", "devices", "imported", "sources", "notes")
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UserError(
            f"{path} is damaged or gone ({type(problem).__name__}). Import the benchmark again, with --force."
        ) from None
    return found


def verify(benchmark: Imported) -> list[str]:
    """What is wrong with the tables of an imported benchmark: nothing where it is empty."""
    wrong = []
    for file, table in benchmark.tables.items():
        path = benchmark.directory / file
        if not path.is_file():
            wrong.append(f"{path} is gone")
        elif sha256(path) != table["sha256"]:
            wrong.append(f"{path} has changed since it was imported")
    return wrong


def remove(name: str) -> Path:
    """Delete an imported benchmark; its directory, which is gone then."""
    directories = imported_benchmarks()
    if name not in directories:
        raise unknown("imported benchmark", name, directories)
    directory = directories[name]
    _check_writable(directory.parent)
    doomed = Path(tempfile.mkdtemp(prefix=".removed-", dir=directory.parent))
    directory.rename(doomed / name)
    shutil.rmtree(doomed)
    return directory


def _tables(merged: Merged) -> dict[str, pd.DataFrame]:
    """File name to frame. Scores are called after their task, so that each can have its own unit."""
    files = {}
    for task, frame in merged.tasks.items():
        scores = {name: f"{task}_{name}" for name in _scores(merged)}
        files[f"scores_{task}.csv.gz"] = frame.rename(columns=scores)
    for task, frame in merged.latencies.items():
        files["latency.csv.gz" if task == EVERY_TASK else f"latency_{task}.csv.gz"] = frame
    return {
        file: frame[[ARCH, *frame.columns.difference([ARCH, KEY], sort=False)]]
        for file, frame in files.items()
    }


def _scores(merged: Merged) -> list[str]:
    return [name for name in (merged.searched, merged.reported) if name is not None]


def _definition(name: str, merged: Merged, title: str) -> dict[str, Any]:
    """Keys of ``BenchmarkConfig``."""
    tasks = list(merged.tasks) if merged.searched else []
    metrics = _metrics(merged)
    columns = {metric: f"{{task}}_{metric}" if metric in _scores(merged) else metric for metric in metrics}
    energies = [metric for metric in metrics if metric.endswith(ENERGY)]
    if energies:
        columns[ENERGY] = energies[0]  # the objective knows one energy: the first device's
    costs = [metric for metric in columns if metric not in _scores(merged)]
    here = f"{IMPORTED_PREFIX}{name}/"
    latency = "latency.csv.gz" if EVERY_TASK in merged.latencies else "latency_{task}.csv.gz"
    units = {
        f"{task}_{score}": merged.units[task]
        for task in tasks
        for score in _scores(merged)
        if merged.units.get(task)
    }
    return {
        "name": name,
        "space": merged.space,
        "description": f"Imported from {title}",
        "format": "csv",
        "scores": f"{here}scores_{{task}}.csv.gz" if tasks else None,
        "arch": ARCH,
        "tasks": tasks,
        "metrics": columns if tasks else {"score": "{task}"},
        "searched": merged.searched or "score",
        "reported": merged.reported,
        "free": costs if tasks else [],
        "better": {columns[cost]: "lower" for cost in costs} if tasks else "higher",
        "unit": units,
        "latency": here + latency if merged.latencies else None,
        "latency_known": True,
        "devices": merged.devices or None,
        "source": tasks[:1] if len(tasks) > 1 else [],
        "target": tasks[1:2] or tasks[:1],
        "device": merged.devices[:1],
    }


def _metrics(merged: Merged) -> list[str]:
    """The scores, and the costs that every task has; other columns stay in the tables."""
    frames = list(merged.tasks.values())
    names = [
        name
        for name in (frames[0].columns if frames else [])
        if name in _scores(merged) or name in COSTS or name.endswith(f"_{ENERGY}")
    ]
    return [name for name in names if all(name in frame and frame[name].notna().any() for frame in frames)]


def _write_table(path: Path, frame: pd.DataFrame) -> dict[str, Any]:
    with path.open("wb") as file:
        frame.to_csv(file, index=False, compression={"method": "gzip", "mtime": 0})
        file.flush()
        os.fsync(file.fileno())
    numbers = [name for name in frame.columns if name != ARCH]
    return {
        "sha256": sha256(path),
        "rows": len(frame),
        "columns": {name: _summary(frame[name].to_numpy(dtype=np.float64)) for name in numbers},
    }


def _summary(values: np.ndarray) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"values": 0, "min": None, "mean": None, "max": None}
    return {
        "values": len(finite),
        "min": float(finite.min()),
        "mean": float(np.clip((finite / len(finite)).sum(), finite.min(), finite.max())),
        "max": float(finite.max()),
    }


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _check_writable(directory: Path) -> None:
    """``UserError`` where ``directory`` cannot be written or made; nothing is made yet.

    One that nobody may write is left alone by the superuser, too, whom the system would let.
    """
    there = next(place for place in (directory, *directory.parents) if place.exists())
    read_only = not there.stat().st_mode & WRITABLE
    if read_only or not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise _not_writable(directory)


def _not_writable(directory: Path) -> UserError:
    hint = (
        " Set KTNAS_DATA to one that can, or unset it to use your own." if "KTNAS_DATA" in os.environ else ""
    )
    return UserError(f"Benchmarks are kept in {directory}, which cannot be written.{hint}")


def _replace(root: Path, name: str, fill: Callable[[Path], None], replace: bool) -> None:
    """Fill a new directory and rename it to ``root / name``; interrupted, it leaves what was there before."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=".importing-", dir=root))
    except OSError:
        raise _not_writable(root) from None
    try:
        new = workshop / name
        new.mkdir()
        fill(new)
        if replace and (root / name).exists():
            (root / name).rename(workshop / "before")
        new.rename(root / name)
    except OSError as problem:
        if (workshop / "before").exists() and not (root / name).exists():
            (workshop / "before").rename(root / name)
        raise UserError(f"Cannot write {root / name}: {problem.strerror or problem}.") from None
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
