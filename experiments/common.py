"""What the experiments share: their command line, and runs that are kept and never repeated.

An experiment is a list of jobs. Each finished job is one row of ``<out>/<name>.csv``; called again, an
experiment runs only what is missing. Rows carry a hash of the configuration that made them, and rows of
another configuration are not mixed with those of this one, unless runs made again come out the same. One
process writes to a file at a time.
"""

import argparse
import csv
import io
import json
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from ktnas.engine.config import SearchConfig, plain_config
from ktnas.errors import UserError
from ktnas.record.files import write_atomically
from ktnas.resources import PACKAGE, resource_dir
from ktnas.version import __version__

RESULTS = Path("experiments") / "results"
TEXTS = ("setting", "method", "config", "ktnas", "code")
"""Columns of a row that are no numbers."""

PROBES = 2
"""Runs that are made again before the others of another configuration are believed."""


@dataclass(frozen=True)
class Job:
    """One run of one method.

    Attributes:
        setting: what the method is tried on.
        method: its name.
        seed: of all its randomness.
        config: hash of everything else that decides the numbers.
        measure: makes the run and returns its numbers by name; called in a worker process.
    """

    setting: str
    method: str
    seed: int
    config: str
    measure: Callable[[], Mapping[str, float]]


def options(name: str, description: str, methods: Sequence[str]) -> argparse.ArgumentParser:
    """The options that all experiments have."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{name}", description=description)
    parser.add_argument("--seeds", type=int, default=20, help="runs per method and setting (default: 20)")
    parser.add_argument("--first-seed", type=int, default=1000, help="seed of the first run (default: 1000)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help=f"directory of results (default: {RESULTS})"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help=f"make runs of another configuration anew; if the first {PROBES} are equal, the others stay",
    )
    parser.add_argument(
        "--methods", type=names_among(methods), default=list(methods), help=f"of {','.join(methods)}"
    )
    return parser


def start(name: str) -> None:
    """Run an experiment from the command line, as the module that worker processes import too."""
    try:
        import_module(f"experiments.{name}").main()
    except UserError as problem:
        raise SystemExit(f"error: {problem}") from None


def names_among(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Reader of a comma-separated option whose entries must be ``known``."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if wrong := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(wrong)}; valid: {', '.join(known)}")
        return names

    return read


def command_line(name: str, arguments: Sequence[str] | None) -> str:
    """The command that was typed; ``None`` stands for this process's own arguments."""
    given = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["python", "-m", f"experiments.{name}", *given])


def config_hash(config: SearchConfig | Mapping[str, Any]) -> str:
    """Short hash of what decides a run's numbers, its seed and its processes aside."""
    plain = plain_config(config) if isinstance(config, SearchConfig) else dict(config)
    plain = {key: value for key, value in plain.items() if key not in ("seed", "workers")}
    return _digest(json.dumps(plain, sort_keys=True).encode())


@cache
def code_hash() -> str:
    """Short hash of the engine's source and presets as they are now."""
    files = sorted([*PACKAGE.rglob("*.py"), *resource_dir("conf").rglob("*.yaml")])
    return _digest(b"".join(file.read_bytes() for file in files))


def run_jobs(path: Path, jobs: Sequence[Job], workers: int = 1, replace: bool = False) -> pd.DataFrame:
    """Run what ``path`` does not hold yet; the rows of all ``jobs``, in their order.

    Args:
        path: CSV file of finished runs, made if absent.
        jobs: distinct in setting, method and seed.
        workers: processes, one thread each.
        replace: make the first ``PROBES`` runs of a method and setting that another configuration made again;
            where their numbers are equal, all of them count as runs of this one, else they are dropped.

    Returns:
        Columns ``setting``, ``method``, ``seed``, ``config``, ``ktnas`` (version), ``code`` (hash of the
        source), ``seconds``, then the numbers.

    Raises:
        SystemExit: there are rows of another configuration, and ``replace`` was not asked for.
    """
    if others := _of_others(_read(path), jobs):
        if not replace:
            raise SystemExit(
                f"{path} holds {len(others)} runs of these methods under another configuration. --replace "
                "makes them anew; --out names another directory."
            )
        _replace(path, others, jobs, workers)
    done = set(map(_place, _read(path)))
    missing = [job for job in jobs if (job.setting, job.method, job.seed) not in done]
    for row in _rows(missing, workers):
        _append(path, row)
    return _frame(_read(path), jobs)


def _rows(jobs: Sequence[Job], workers: int) -> Iterator[dict[str, Any]]:
    started = time.perf_counter()
    with parallel_config(backend="loky", inner_max_num_threads=1):
        finished = Parallel(n_jobs=workers, return_as="generator_unordered")(
            delayed(_run)(job) for job in jobs
        )
        for count, row in enumerate(finished, start=1):
            yield row
            _report(row, count, len(jobs), time.perf_counter() - started)


def _run(job: Job) -> dict[str, Any]:
    started = time.perf_counter()
    with threadpool_limits(1):
        numbers = job.measure()
    return {
        "setting": job.setting,
        "method": job.method,
        "seed": job.seed,
        "config": job.config,
        "ktnas": __version__,
        "code": code_hash(),
        "seconds": round(time.perf_counter() - started, 2),
        **numbers,
    }


def _report(row: Mapping[str, Any], count: int, total: int, elapsed: float) -> None:
    left = elapsed / count * (total - count) / 60
    what = f"{row['setting']}  {row['method']}  seed {row['seed']}  {row['seconds']} s"
    print(f"[{count}/{total}] {what}  (about {left:.0f} min left)", file=sys.stderr, flush=True)


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:  # killed while it wrote a row
        write_atomically(path, whole.encode())
    return list(csv.DictReader(whole.splitlines()))


def _of_others(rows: Sequence[dict[str, str]], jobs: Sequence[Job]) -> list[dict[str, str]]:
    """Rows of the jobs' methods and settings that another configuration made."""
    configs = {(job.setting, job.method): job.config for job in jobs}
    return [
        row for row in rows if configs.get((row["setting"], row["method"]), row["config"]) != row["config"]
    ]


def _replace(path: Path, others: Sequence[dict[str, str]], jobs: Sequence[Job], workers: int) -> None:
    """Keep ``others`` as runs of the jobs' configuration where those that are made again are equal."""
    known = {_place(row): _numbers(row) for row in others}
    probes: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        own = probes[job.setting, job.method]
        if (job.setting, job.method, job.seed) in known and len(own) < PROBES:
            own.append(job)
    found = list(_rows([job for own in probes.values() for job in own], workers))
    changed = {(row["setting"], row["method"]) for row in found if _numbers(row) != known[_place(row)]}
    kept = {of: own[0].config for of, own in probes.items() if own and of not in changed}
    rows = []
    for row in _read(path):
        if _place(row) not in known:
            rows.append(row)
        elif config := kept.get((row["setting"], row["method"])):
            rows.append(row | {"config": config})
    content = _csv([list(rows[0]), *(list(row.values()) for row in rows)]) if rows else ""
    write_atomically(path, content.encode())
    for row in found:
        if (row["setting"], row["method"]) in changed:
            _append(path, row)


def _place(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["setting"], row["method"], int(row["seed"])


def _numbers(row: Mapping[str, Any]) -> dict[str, str]:
    """The numbers of a run as a file has them, its seconds aside."""
    return {name: str(value) for name, value in row.items() if name not in (*TEXTS, "seconds")}


def _append(path: Path, row: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = _csv([list(row)])
    with path.open("a+", encoding="utf-8", newline="") as file:
        file.seek(0)
        if (there := file.readline()) not in ("", header):
            raise SystemExit(
                f"{path} has other columns than {header.strip()}; --out names another directory."
            )
        file.write(("" if there else header) + _csv([list(row.values())]))


def _csv(lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _frame(rows: list[dict[str, str]], jobs: Sequence[Job]) -> pd.DataFrame:
    place = {(job.setting, job.method, job.seed): position for position, job in enumerate(jobs)}
    found = [row for row in rows if (row["setting"], row["method"], int(row["seed"])) in place]
    found.sort(key=lambda row: place[row["setting"], row["method"], int(row["seed"])])
    frame = pd.DataFrame(found)
    numbers = [str(column) for column in frame if column not in TEXTS]
    frame[numbers] = frame[numbers].replace("nan", "").apply(pd.to_numeric)
    return frame


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=6).hexdigest()
