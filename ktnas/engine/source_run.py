"""Knowledge from a finished run: the evaluations of its tasks become those of source tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from ktnas.arrays import IntArray
from ktnas.engine.benchmark import Benchmark, load_benchmark
from ktnas.errors import UserError, unknown
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import read_ledger
from ktnas.space.base import SearchSpace


@dataclass(frozen=True)
class SourceRun:
    """The evaluations of a run, by task.

    Attributes:
        path: of the run.
        space: of its architectures.
        rows: task to its genotypes (N, V) and evaluations, in asked order.
        digest: short hash of all rows.
    """

    path: Path
    space: SearchSpace
    rows: dict[str, tuple[IntArray, list[Evaluation]]]
    digest: str

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of its tasks."""
        return tuple(self.rows)

    def evaluations(self, task: str) -> tuple[IntArray, list[Evaluation]]:
        """Genotypes and evaluations of a task."""
        return self.rows[task]


def read_source_run(path: Path, benchmark: Benchmark, targets: Sequence[str]) -> SourceRun:
    """Read the ledger of a run as a source; tasks that are targets now are left out, in one space.

    Raises:
        UserError: no such run, one whose space cannot be read, or one with no evaluated task beside the
            targets.
    """
    if not path.exists():
        said = unknown(f"task of benchmark {benchmark.name}:", path, benchmark.tasks)
        raise UserError(f"source={path}: {said} Nor is there a directory of a run of that name.")
    record = read_ledger(path)
    config = record.description.config
    space = load_benchmark(config["benchmark"], config["space"]).space
    rows: dict[str, tuple[IntArray, list[Evaluation]]] = {}
    for task in dict.fromkeys(evaluation.task for evaluation in record.evaluations):
        if space.name != benchmark.space.name or task not in targets:
            found = [evaluation for evaluation in record.evaluations if evaluation.task == task]
            rows[task] = (space.parse([evaluation.architecture for evaluation in found]), found)
    if not rows:
        raise UserError(
            f"source={path} evaluated nothing but {', '.join(targets)}, the target itself: name a run of "
            "another task, or another target."
        )
    hashed = blake2b(digest_size=8)
    for _, found in rows.values():
        hashed.update(repr([evaluation.to_row() for evaluation in found]).encode())
    return SourceRun(path, space, rows, hashed.hexdigest())
