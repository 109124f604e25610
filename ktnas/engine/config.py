"""Everything a search is told, as plain dataclasses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class VariationConfig:
    """How offspring are bred from the parents.

    Attributes:
        offspring: children per generation.
        tournament: contestants of one parent selection; the best of them breeds.
        crossover: probability that a child has two parents.
        mutation: probability that a child is mutated.
        mutation_rate: probability of changing each variable of a mutated child; None is 1 / V.
    """

    offspring: int = 10
    tournament: int = 5
    crossover: float = 0.5
    mutation: float = 1.0
    mutation_rate: float | None = None


@dataclass
class LimitsConfig:
    """Upper limits that an architecture on a front keeps; None is no limit.

    Latency in ms: one number for every device, or device to number.
    """

    error: float | None = None
    latency: Any = None
    params: float | None = None
    flops: float | None = None
    energy: float | None = None


@dataclass
class SearchConfig:
    """One search. The names are those of the command line.

    Attributes:
        benchmark: configuration of the benchmark, ``conf/benchmark/<name>.yaml``.
        space: replaces the benchmark's space: a name or the path of a YAML file.
        source: tasks searched first, or the run directory of a finished search; None is the benchmark's
            default, or nothing where the algorithm does not learn from other tasks.
        target: tasks to search; None is the benchmark's default.
        device: name or names of devices; None is the benchmark's default.
        objectives: what is minimised, of error, latency, params, flops, energy.
        algorithm: name of the composition, for people; its parts are the fields below.
        budget: evaluations of each target task, first population included.
        source_budget: evaluations of each source task that is searched first.
        seed: of all randomness.
        limits: constraints.
        until: stop a target task once its error is at most this; maps task to error.
        population: parents kept per task.
        initial: random architectures a task starts from.
        batch: evaluations per task and generation asked at once when a screen chooses.
        variation: breeding.
        transfer: plug-in and parameters, as are encoding, surrogate, screen, survival, latency_model and
            parallel.
        parallel: where evaluations run; does not change the rows.
        workers: evaluations at a time; does not change the rows, unless asynchronous.
        asynchronous: whether a free worker is given the next evaluation at once, chosen with the answers that
            are in, instead of waiting for the last of its generation.
        timeout: seconds an evaluation may take; None is no limit.
        measure_front: whether predicted latencies of the final fronts are measured; does not change the rows.
    """

    benchmark: dict[str, Any] = field(default_factory=dict)
    space: str | None = None
    source: Any = None
    target: Any = None
    device: Any = None
    objectives: list[str] = field(default_factory=lambda: ["error", "latency"])
    algorithm: str = "ktnas"
    budget: int = 100
    source_budget: int = 100
    seed: int = 0
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    until: dict[str, float] = field(default_factory=dict)
    population: int = 10
    initial: int = 10
    batch: int = 1
    variation: VariationConfig = field(default_factory=VariationConfig)
    transfer: dict[str, Any] = field(default_factory=lambda: {"name": "none"})
    encoding: dict[str, Any] = field(default_factory=lambda: {"name": "onehot"})
    surrogate: dict[str, Any] = field(default_factory=lambda: {"name": "none"})
    screen: dict[str, Any] = field(default_factory=lambda: {"name": "none"})
    survival: dict[str, Any] = field(default_factory=lambda: {"name": "elitist"})
    latency_model: dict[str, Any] = field(default_factory=lambda: {"name": "few_shot"})
    parallel: dict[str, Any] = field(default_factory=lambda: {"name": "loky"})
    workers: int = 1
    asynchronous: bool = False
    timeout: float | None = None
    measure_front: bool = False


def plain_config(config: SearchConfig) -> dict[str, Any]:
    """Configuration in the types of YAML and JSON; functions by their ``module:name``."""
    plain: dict[str, Any] = _plain(asdict(config))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    return f"{value.__module__}:{value.__qualname__}" if callable(value) else value
