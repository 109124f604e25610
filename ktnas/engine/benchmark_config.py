"""What a benchmark is told: the keys of ``conf/benchmark/<name>.yaml``, checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ktnas.errors import UserError, unknown
from ktnas.resources import resource_dir
from ktnas.tables.files import DEFINITION, imported_benchmarks

TASK = "{task}"


@dataclass
class BenchmarkConfig:
    """One benchmark. In files and columns, ``{task}`` stands for the name of a task.

    Attributes:
        name: the benchmark's name.
        space: name of its space, or path of a YAML file.
        description: one line on what it is.
        paper: where it was published.
        homepage: where its authors publish the files.
        format: of the file of scores: csv or nas_bench_graph.
        scores: file of scores; ``package:module/path`` is a file in an installed Python package,
            ``imported:NAME/file`` one of an imported benchmark.
        arch: column of the architectures, in scores and latency.
        tasks: names; None is every column of numbers of ``scores``.
        metrics: metric to column of ``scores``.
        searched: the metric that is searched.
        reported: the metric that is only reported beside it.
        free: metrics that may be consulted without an evaluation.
        better: ``higher`` or ``lower``, of all columns or column to direction (higher where not named).
        unit: of all columns, or column to unit; ``%`` makes the error of a score ``100 - score``.
        latency: CSV file of latencies in ms; None where ``scores`` holds them.
        latency_known: whether latency may be consulted free of budget.
        devices: names that are columns, or name to column (to metric, where tasks are functions); None is
            every column of numbers of ``latency``.
        functions: task to a function, or its ``module:callable``; the tasks are these instead of ``tasks``.
        data: images that networks are trained on, as ``ktnas.train.images.read_images`` takes them; with
            ``{task}`` in it, a data set to classify for each of ``tasks``.
        subsets: where networks are trained, further tasks: the classification of some classes alone.
        training: where networks are trained, keys of ``ktnas.train.settings.TrainingSettings``.
        supernet: those of them that are others for the supernets, as ``supernet_settings`` takes them.
        source: default source tasks.
        target: default target tasks.
        device: default devices.
    """

    name: str = "custom"
    space: str | None = None
    description: str = ""
    paper: str = ""
    homepage: str = ""
    format: str = "csv"
    scores: str | None = None
    arch: str = "arch"
    tasks: tuple[str, ...] | None = None
    metrics: dict[str, str] = field(default_factory=lambda: {"score": TASK})
    searched: str = "score"
    reported: str | None = None
    free: tuple[str, ...] = ()
    better: str | dict[str, str] = "higher"
    unit: str | dict[str, str] = ""
    latency: str | None = None
    latency_known: bool = True
    devices: dict[str, str] | None = None
    functions: dict[str, str | Callable[[str], Any]] = field(default_factory=dict)
    data: str | None = None
    subsets: dict[str, tuple[int, ...]] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    supernet: dict[str, Any] = field(default_factory=dict)
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    device: tuple[str, ...] = ()


def benchmark_files() -> dict[str, Path]:
    """YAML file of each benchmark by name: those that come with ktnas, then those that were imported."""
    ours = {path.stem: path for path in sorted(resource_dir("conf").glob("benchmark/*.yaml"))}
    imported = {name: place / DEFINITION for name, place in imported_benchmarks().items()}
    return ours | {name: path for name, path in imported.items() if name not in ours}


def benchmark_names() -> list[str]:
    """Names of the benchmarks that come with ktnas, then of those that were imported."""
    return list(benchmark_files())


def list_benchmarks() -> list[BenchmarkConfig]:
    """The benchmarks there are, with their descriptions, tasks and devices; no table is read."""
    return [benchmark_config(name) for name in benchmark_names()]


def benchmark_config(config: Mapping[str, Any] | str) -> BenchmarkConfig:
    """Check a benchmark's keys and values.

    Args:
        config: the name of a benchmark, the path of a YAML file, or keys and values; keys that are left out
            are those of the benchmark ``name`` where there is one of that name.

    Raises:
        UserError: an unknown benchmark, an unknown key, a value of the wrong type.
    """
    if isinstance(config, str):
        config = _read_yaml(config)
    if config.get("name") in benchmark_names():
        config = {**_read_yaml(config["name"]), **config}
    known = [entry.name for entry in fields(BenchmarkConfig)]
    for key in config:
        if key not in known:
            raise unknown("benchmark key", key, known)
    return BenchmarkConfig(**{key: READ[key](key, value) for key, value in config.items()})


def _read_yaml(name: str) -> dict[str, Any]:
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        if not path.is_file():
            raise UserError(f"There is no benchmark file '{name}'.")
    else:
        files = benchmark_files()
        if name not in files:
            raise unknown("benchmark", name, files)
        path = files[name]
    try:
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as problem:
        raise UserError(f"{path} is not a readable YAML file ({str(problem).splitlines()[0]}).") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no keys and values.")
    return {str(key): value for key, value in content.items()}


def _wrong(key: str, value: object, expected: str) -> UserError:
    return UserError(f"benchmark.{key}={value!r}, expected {expected}.")


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(key, value, "a text")
    return value


def _file(key: str, value: Any) -> str | None:
    if isinstance(value, Path):
        return str(value)
    return None if value is None else _text(key, value)


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return value


def _names(key: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, (str, int)) for name in value):
        raise _wrong(key, value, "a name or a list of names")
    return tuple(map(str, value))


def _names_or_all(key: str, value: Any) -> tuple[str, ...] | None:
    return None if value is None else _names(key, value)


def _texts(key: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise _wrong(key, value, "names with a text each")
    return {str(name): text for name, text in value.items()}


def _text_or_texts(key: str, value: Any) -> str | dict[str, str]:
    return value if isinstance(value, str) else _texts(key, value)


def _columns(key: str, value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    return _texts(key, value) if isinstance(value, Mapping) else {name: name for name in _names(key, value)}


def _functions(key: str, value: Any) -> dict[str, str | Callable[[str], Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(f, str) or callable(f) for f in value.values()):
        raise _wrong(key, value, "task names with a function, or module:callable, each")
    return {str(name): function for name, function in value.items()}


def _classes(key: str, value: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(value, Mapping) or not all(
        isinstance(classes, list | tuple) and all(type(number) is int for number in classes)
        for classes in value.values()
    ):
        raise _wrong(key, value, "task names with the numbers of their classes, as in {low: [0,1,2]}")
    return {str(name): tuple(classes) for name, classes in value.items()}


def _settings(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(key, value, "keys and values")
    return {str(name): setting for name, setting in value.items()}


READ: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("name", "description", "paper", "homepage", "format", "arch", "searched"), _text),
    **dict.fromkeys(("space", "scores", "reported", "latency", "data"), _file),
    **dict.fromkeys(("free", "source", "target", "device"), _names),
    "tasks": _names_or_all,
    "metrics": _texts,
    **dict.fromkeys(("better", "unit"), _text_or_texts),
    "latency_known": _flag,
    "devices": _columns,
    "functions": _functions,
    "subsets": _classes,
    **dict.fromkeys(("training", "supernet"), _settings),
}
