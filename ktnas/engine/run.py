"""One search from its configuration to its files."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ktnas import registry
from ktnas.arrays import FloatArray
from ktnas.encoding.base import Encoding
from ktnas.engine.benchmark import Benchmark, load_benchmark
from ktnas.engine.config import SearchConfig, plain_config
from ktnas.engine.evaluator import Evaluator
from ktnas.engine.front_measurement import check_measurable, measure_fronts
from ktnas.engine.loop import Search, Strategies
from ktnas.engine.objectives import Objectives
from ktnas.engine.progress import NullProgress, Progress
from ktnas.engine.result import SearchResult
from ktnas.engine.schema import write_config
from ktnas.engine.source_run import SourceRun, read_source_run
from ktnas.engine.state import TaskState
from ktnas.errors import StoppedError, UserError
from ktnas.record.description import RunDescription
from ktnas.record.evaluation import Evaluation, Role
from ktnas.record.export import write_run_files
from ktnas.record.files import remove_leftovers
from ktnas.record.front import non_dominated
from ktnas.record.ledger import Ledger
from ktnas.record.summary import build_summary
from ktnas.task.base import Task
from ktnas.task.function_task import FunctionTask
from ktnas.task.pool import Pool


@dataclass(frozen=True)
class Prepared:
    """A configuration that was checked, and what it names.

    Attributes:
        config: as given.
        benchmark: with its tasks and devices read.
        sources: tasks that are searched first.
        source_run: finished run whose evaluations are taken over instead, or None.
        lent: tasks of that run, if it is one of another space.
        targets: tasks to search.
        objectives: columns and limits.
        strategies: the algorithm.
        encoding: of architectures, not fitted yet.
    """

    config: SearchConfig
    benchmark: Benchmark
    sources: tuple[Task, ...]
    source_run: SourceRun | None
    lent: tuple[str, ...]
    targets: tuple[Task, ...]
    objectives: Objectives
    strategies: Strategies
    encoding: Encoding

    @property
    def roles(self) -> dict[str, Role]:
        """Role of each task, sources first; tasks of another space are none of them."""
        adopted = self.source_run.tasks if self.source_run is not None and not self.lent else ()
        sources: list[str] = [*adopted, *(task.name for task in self.sources)]
        return {**dict.fromkeys(sources, "source"), **{task.name: "target" for task in self.targets}}

    @property
    def pool(self) -> Pool | None:
        """Workers that evaluate; None where evaluating is looking up."""
        tasks = (*self.sources, *self.targets)
        return next((task.pool for task in tasks if isinstance(task, FunctionTask)), None)

    @property
    def is_led(self) -> bool:
        """Whether what is lent says where the targets look first."""
        return bool(self.lent) and self.strategies.screen.is_guided(self.objectives)

    @property
    def asynchronous(self) -> bool:
        """Whether no worker waits for another; where there are none, none does anyway."""
        return self.config.asynchronous and self.pool is not None


def prepare(config: SearchConfig) -> Prepared:
    """Check all of a configuration and read the tables it names; nothing is written.

    Raises:
        UserError: the first mistake found.
    """
    _check_numbers(config)
    pool: Pool = registry.build("parallel", config.parallel | {"workers": config.workers})
    benchmark = load_benchmark(config.benchmark, config.space, pool, config.timeout, config.latency_model)
    targets = _names("target", config.target, benchmark.config.target)
    if not targets:
        raise UserError(f"target=[]: name a task to search, of {', '.join(benchmark.tasks)}.")
    source_run = None
    lent: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    if isinstance(config.source, str | Path) and not benchmark.has_task(str(config.source)):
        source_run = read_source_run(Path(config.source), benchmark, targets)
        if source_run.space.name != benchmark.space.name:
            from ktnas.engine.lending import lending_tasks

            lent = lending_tasks(source_run, benchmark.space)
    else:
        learns = config.transfer.get("name") != "none" or config.screen.get("name") == "surrogate"
        default = tuple(name for name in benchmark.config.source if learns and name not in targets)
        sources = _names("source", config.source, default)
    for name in sources:
        if name in targets:
            raise UserError(
                f"'{name}' is both source and target. A source lends what is known of it; leave it out of "
                "source=, or search another target."
            )
    tasks = {name: benchmark.task(name) for name in (*sources, *targets)}
    devices = [benchmark.device(name) for name in _devices(config, benchmark)]
    objectives = Objectives.of(config.objectives, devices, config.limits)
    for name, task in tasks.items():
        objectives.check(task)
        _check_budget("source_budget" if name in sources else "budget", config, task)
    if config.measure_front:
        check_measurable(objectives.devices)
    for name in config.until:
        if name not in tasks:
            raise UserError(f"until.{name}: the search has no such task, only {', '.join(tasks)}.")
    encoding: Encoding = registry.build("encoding", config.encoding)
    if config.screen.get("name") == "surrogate":
        registry.build("surrogate", config.surrogate)
    return Prepared(
        config,
        benchmark,
        tuple(tasks[name] for name in sources),
        source_run,
        lent,
        tuple(tasks[name] for name in targets),
        objectives,
        _strategies(config),
        encoding,
    )


def run_search(
    config: SearchConfig, run_dir: Path | None = None, progress: Progress | None = None
) -> SearchResult:
    """Search, or go on with the search that ``run_dir`` holds.

    Args:
        config: what to search.
        run_dir: of the run, made if absent; None keeps everything in memory, and measures no front.
        progress: told how it goes.

    Raises:
        UserError: a mistake in the configuration (nothing is written then), or a run directory that cannot be
            written, is in use, or holds another run.
        StoppedError: the search had begun and cannot go on.
    """
    prepared = prepare(config)
    started = time.perf_counter()
    description = _describe(prepared)
    fingerprint = _fingerprint(prepared)
    watched = progress or NullProgress()
    with threadpool_limits(1), Ledger.open(run_dir, fingerprint, description) as ledger, _begun_search():
        if run_dir is not None:
            remove_leftovers(run_dir)
            write_config(config, run_dir / "config.yaml")
            prepared.benchmark.keep_in(run_dir)
        fronts = {spec.task: spec for spec in reversed(description.fronts())}
        evaluator = Evaluator(ledger, prepared.objectives, fronts, watched)
        begun = len(ledger)
        if prepared.lent and not prepared.is_led:
            watched.tell(_ignored(prepared))
        try:
            watched.start(_budgets(prepared))
            _search(prepared, evaluator)
        finally:
            watched.finish()
        evaluations = ledger.evaluations()
        seconds = time.perf_counter() - started
        asked = [evaluation for evaluation in evaluations if evaluation.answered >= begun]
        busy = _busy(prepared, asked, seconds)
        summary = build_summary(evaluations, description, seconds, *busy)
        if run_dir is not None:
            write_run_files(run_dir, evaluations, description, summary)
    result = SearchResult(config, run_dir, description, evaluations, summary)
    if config.measure_front and run_dir is not None:
        devices = prepared.objectives.devices
        measured = measure_fronts(result, prepared.benchmark.space, devices, run_dir, watched.tell)
        result = replace(result, measured_fronts=measured)
    return result


@contextmanager
def _begun_search() -> Iterator[None]:
    try:
        yield
    except UserError as problem:
        raise StoppedError(str(problem)) from problem


def _ignored(prepared: Prepared) -> str:
    assert prepared.source_run is not None
    return (
        f"source={prepared.source_run.path} searched another space, {prepared.source_run.space.name}. It was "
        "not used: it tells where a search of the error alone without limits looks first, with "
        "algorithm=ktnas."
    )


def _busy(
    prepared: Prepared, evaluations: Sequence[Evaluation], seconds: float
) -> tuple[int | None, float | None]:
    """Evaluations at a time, and the share of the workers' time that they took; None without workers."""
    if prepared.pool is None:
        return None, None
    workers, tasks = prepared.pool.size, {task.name for task in (*prepared.sources, *prepared.targets)}
    taken = sum(evaluation.seconds for evaluation in evaluations if evaluation.task in tasks)
    return workers, min(taken / (workers * seconds), 1.0)


def _search(prepared: Prepared, evaluator: Evaluator) -> None:
    config, space = prepared.config, prepared.benchmark.space
    n_roles = len(prepared.roles)
    seeds = np.random.SeedSequence(config.seed).spawn(n_roles + 1)
    encoding_seed = int(seeds[n_roles].generate_state(1)[0])
    encoding = prepared.encoding.fit(space, encoding_seed)
    states = [
        _state(prepared, index, name, role, np.random.default_rng(seeds[index]))
        for index, (name, role) in enumerate(prepared.roles.items())
    ]
    parts = prepared.strategies
    parts.transfer.prepare(encoding, n_roles)
    parts.screen.prepare(prepared.objectives, encoding, config.surrogate, n_roles, encoding_seed)
    search = Search(states, parts, evaluator, config.until, prepared.pool if prepared.asynchronous else None)
    sources, targets = ([state for state in states if state.role == role] for role in ("source", "target"))
    if prepared.is_led:
        from ktnas.engine.lending import Lender

        assert prepared.source_run is not None
        parts.screen.follow([Lender(prepared.source_run, name, space) for name in prepared.lent])
    elif prepared.source_run is not None and not prepared.lent:
        for state in sources:
            evaluator.adopt(state, *prepared.source_run.evaluations(state.name))
            search.survive(state)
    search.run(sources, targets)


def _state(prepared: Prepared, index: int, name: str, role: Role, rng: np.random.Generator) -> TaskState:
    objectives = prepared.objectives
    columns = tuple(dict.fromkeys((*objectives.names, *objectives.limits, "error")))
    tasks = {task.name: task for task in (*prepared.sources, *prepared.targets)}
    return TaskState(
        index=index,
        name=name,
        role=role,
        space=prepared.benchmark.space,
        columns=columns,
        n_objectives=len(objectives.names),
        limits=objectives.front_limits(columns),
        budget=_budgets(prepared)[name],
        rng=rng,
        task=tasks.get(name),
    )


def _budgets(prepared: Prepared) -> dict[str, int]:
    config = prepared.config
    budgets = {
        name: config.source_budget if role == "source" else config.budget
        for name, role in prepared.roles.items()
    }
    if prepared.source_run is not None and not prepared.lent:
        budgets |= {name: len(prepared.source_run.evaluations(name)[1]) for name in prepared.source_run.tasks}
    return budgets


def _strategies(config: SearchConfig) -> Strategies:
    return Strategies(
        transfer=registry.build("transfer", config.transfer),
        screen=registry.build("screen", config.screen),
        survival=registry.build("survival", config.survival),
        variation=config.variation,
        population=config.population,
        initial=config.initial,
        batch=config.batch,
    )


def _describe(prepared: Prepared) -> RunDescription:
    objectives = prepared.objectives
    description = RunDescription(
        objectives=objectives.columns,
        tasks=prepared.roles,
        devices=tuple(device.name for device in objectives.devices),
        limits=objectives.limits,
        config=plain_config(prepared.config),
    )
    points: dict[str, dict[str, FloatArray] | None] = {
        task.name: _known_columns(task, objectives) for task in (*prepared.sources, *prepared.targets)
    }
    for spec in description.fronts():
        columns = points.get(spec.task)
        if columns is None or not columns.keys() >= {*spec.columns, *spec.limits}:
            continue
        kept = np.ones(len(columns["error"]), dtype=np.bool_)
        for column, limit in spec.limits.items():
            kept &= columns[column] <= limit
        F = np.column_stack([columns[column] for column in spec.columns])[kept]
        if (best := non_dominated(F)).any():
            description.true_fronts[spec.task, spec.device] = F[best]
    return description


def _known_columns(task: Task, objectives: Objectives) -> dict[str, FloatArray] | None:
    """Every certain column of every architecture of a table; None where the task is none."""
    table, universe = task.table(), task.universe()
    if table is None or universe is None:
        return None
    columns = {name: table[name].to_numpy(np.float64) for name in table.columns}
    columns["error"] = task.error(columns[task.searched])
    for device, column in objectives.latencies.items():
        if device.certain:
            columns[column] = device.latency(universe, task.name)
    return columns


def _fingerprint(prepared: Prepared) -> dict[str, Any]:
    """What decides the rows: the configuration less what does not, the names it leaves to the benchmark, and
    the rows a source run lends.
    """
    run = prepared.source_run
    config = plain_config(prepared.config)
    del config["parallel"], config["measure_front"]
    if not prepared.asynchronous:
        del config["workers"], config["asynchronous"]
    config["source"] = [task.name for task in prepared.sources] if run is None else {"run": run.digest}
    config["target"] = [task.name for task in prepared.targets]
    config["device"] = [device.identity for device in prepared.objectives.devices]
    if all(device.certain for device in prepared.objectives.devices):
        del config["latency_model"]
    return config


def _names(key: str, value: Any, default: tuple[str, ...]) -> tuple[str, ...]:
    if value is None:
        return default
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else [value]
    for name in names:
        if not isinstance(name, str):
            raise UserError(f"{key}={value}: expected a name or a list of names, as in {key}=[a,b].")
    if len(set(names)) < len(names):
        raise UserError(f"{key}={names}: each may stand once.")
    return tuple(names)


def _devices(config: SearchConfig, benchmark: Benchmark) -> tuple[str, ...]:
    wanted = "latency" in config.objectives or config.limits.latency is not None
    return _names("device", config.device, benchmark.config.device if wanted else ())


def _check_numbers(config: SearchConfig) -> None:
    least: Mapping[str, int] = {
        "budget": 1, "source_budget": 1, "workers": 1, "population": 1, "initial": 1, "batch": 1, "seed": 0,
    }  # fmt: skip
    for name, bound in least.items():
        if getattr(config, name) < bound:
            raise UserError(f"{name}={getattr(config, name)}: must be {bound} or more.")
    variation = config.variation
    for name in ("offspring", "tournament"):
        if getattr(variation, name) < 1:
            raise UserError(f"variation.{name}={getattr(variation, name)}: must be 1 or more.")
    for name in ("crossover", "mutation", "mutation_rate"):
        share = getattr(variation, name)
        if share is not None and not 0 <= share <= 1:
            raise UserError(f"variation.{name}={share}: must lie between 0 and 1.")
    if config.timeout is not None and not config.timeout > 0:
        raise UserError(f"timeout={config.timeout}: must be above 0 seconds, or null for none.")


def _check_budget(key: str, config: SearchConfig, task: Task) -> None:
    universe = task.universe()
    size = task.space.n_architectures if universe is None else len(universe)
    size = task.space.size if size is None else size
    if getattr(config, key) > size:
        raise UserError(
            f"{key}={getattr(config, key)} is more than the {size} architectures that '{task.name}' has; "
            f"give {key}={size} or less."
        )
