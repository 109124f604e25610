"""Finding runs on disk, and telling them apart."""

import glob
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ktnas.errors import UserError
from ktnas.record.database import LEDGER_NAME, canonical
from ktnas.record.files import SUMMARY_NAME
from ktnas.record.ledger import RunRecord, flatten, read_ledger

NOT_COMPARED = frozenset({"seed", "workers", "parallel"})
"""Keys of a configuration in which runs of one group may differ."""


@dataclass(frozen=True)
class Run:
    """A run to compare.

    Attributes:
        record: what its ledger holds.
        finished: whether its summary has been written.
    """

    record: RunRecord
    finished: bool

    @property
    def seed(self) -> Any:
        """Seed of the run."""
        return self.record.description.config.get("seed")

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration with dotted names, without what runs of one group may differ in."""
        config = self.record.description.config
        return flatten({name: value for name, value in config.items() if name not in NOT_COMPARED})

    @property
    def problem(self) -> str:
        """What must be equal for two runs to be comparable: benchmark, space, objectives and limits."""
        config, description = self.record.description.config, self.record.description
        names = sorted({objective.name for objective in description.objectives})
        limits = config.get("limits", description.limits)
        return canonical([config.get("benchmark"), config.get("space"), names, limits])

    @property
    def problem_label(self) -> str:
        """``problem`` for people: the benchmark's name and the objectives."""
        benchmark = self.record.description.config.get("benchmark")
        name = benchmark.get("name", "") if isinstance(benchmark, dict) else benchmark or ""
        objectives = dict.fromkeys(objective.name for objective in self.record.description.objectives)
        return f"{name} ({', '.join(objectives)})" if name else ", ".join(objectives)


def find_runs(paths: Iterable[str | Path]) -> list[Path]:
    """Every run directory at or below ``paths``, each once, sorted.

    Args:
        paths: run directories, directories that hold some (of a sweep, say), or glob patterns of either.

    Raises:
        UserError: a path does not exist or holds no run.
    """
    found: set[Path] = set()
    for path in paths:
        matches = [Path(path)] if Path(path).exists() else _matches(str(path))
        runs = [ledger.parent for match in matches for ledger in match.rglob(LEDGER_NAME)]
        if not runs:
            state = "holds no run" if matches else "does not exist"
            raise UserError(
                f"{path} {state}. Expected the directory of a run of 'ktnas search' (with {LEDGER_NAME} in "
                "it), a directory that holds such directories at any depth, or a quoted pattern of them."
            )
        found.update(run.resolve() for run in runs)
    return sorted(found)


def _matches(pattern: str) -> list[Path]:
    # Path.glob takes no absolute pattern.
    return [Path(match) for match in glob.glob(pattern)]  # noqa: PTH207


def load_run(run_dir: Path) -> Run:
    """Read a run from its ledger.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    return Run(read_ledger(run_dir), (run_dir / SUMMARY_NAME).is_file())


def labels(settings: Sequence[dict[str, Any]], first: str = "algorithm") -> list[str]:
    """Names that tell configurations apart: ``first``, and the keys that differ where it is equal.

    Args:
        settings: dotted names to values, distinct.
        first: key whose value is given whenever there is one.
    """
    result = []
    for own in settings:
        peers = [other for other in settings if other.get(first) == own.get(first)]
        keys = sorted(
            {key for other in peers for key in other.keys() | own.keys() if _differ(own, other, key)}
        )
        words = [_text(own[first])] if first in own else []
        words += [f"{key}={_text(own[key])}" for key in keys if key in own]
        result.append(" ".join(words) or "default")
    return result


def _differ(one: dict[str, Any], other: dict[str, Any], key: str) -> bool:
    return (key in one) != (key in other) or canonical(one.get(key)) != canonical(other.get(key))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(_text(entry) for entry in value)}]"
    return value if isinstance(value, str) and not _reads_as_json(value) else json.dumps(value)


def _reads_as_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
