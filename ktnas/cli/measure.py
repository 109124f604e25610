"""``ktnas measure``: read what is asked, measure it, say what came out."""

import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from ktnas.errors import UserError, unknown
from ktnas.resources import resource_dir

if TYPE_CHECKING:
    from ktnas.arrays import IntArray
    from ktnas.measure.runner import Runner
    from ktnas.measure.session import Measured, Plan
    from ktnas.network.task import NetworkTask
    from ktnas.space.base import SearchSpace

DRAWS = ("random", "informative")
LINES = 20
N = 200


@dataclass
class MeasureConfig:
    """What ``ktnas measure`` is told, the runner's own parameters aside.

    Attributes:
        space: name or YAML file.
        device: preset of ``conf/runner/``.
        n: architectures; None for 200 drawn ones, or for all of ``archs``.
        draw: how architectures are drawn, ``random`` or ``informative``.
        archs: CSV file with a column ``arch``, or text file of one per line; None to draw at random.
        seed: of the draw.
        task: what networks are built for.
        size: pixels of an image's side; None for the task's.
        name: of the measured device; None for host, device and space.
        out: directory; None for where ktnas looks for devices.
        precision: share of the latency that half its confidence interval may be wide.
        max_seconds: for one look at a network.
        quantile: of the times of the runs that is the latency.
        looks: at each network, in turns with all others.
        timeout: seconds until a measurement is killed; None for 120, or 1200 where networks are compiled.
        every: architectures between two measurements of the reference network.
        drift: share by which the reference may be off.
        retry: whether what failed earlier is measured again.
        operations: whether single layers are measured as well.
    """

    space: str | None = None
    device: str = "cpu"
    n: int | None = None
    draw: str = "random"
    archs: str | None = None
    seed: int = 0
    task: str = "cifar10"
    size: int | None = None
    name: str | None = None
    out: str | None = None
    precision: float = 0.02
    max_seconds: float = 2.0
    quantile: float = 0.1
    looks: int = 3
    timeout: float | None = None
    every: int = 20
    drift: float = 0.05
    retry: bool = False
    operations: bool = False


def measure(arguments: Sequence[str]) -> int:
    """Run ``ktnas measure ARGUMENTS``; returns the exit code."""
    if not arguments or set(arguments) & {"-h", "--help"}:
        from ktnas.cli.measure_help import measure_help

        print(measure_help())
        return 0
    if list(arguments) == ["list"]:
        from ktnas.cli.measure_report import print_devices

        print_devices()
        return 0
    config, parameters = read_arguments(arguments)
    return _measure(config, parameters)


def runner_presets() -> dict[str, Path]:
    """Files of ``conf/runner/`` by name, sorted."""
    return {path.stem: path for path in sorted((resource_dir("conf") / "runner").glob("*.yaml"))}


def read_arguments(arguments: Sequence[str]) -> tuple[MeasureConfig, dict[str, Any]]:
    """What is asked, and the runner with its parameters.

    Raises:
        UserError: an argument that is no ``key=value``, an unknown key or device, a value of another type.
    """
    given = dict(map(_split, arguments))
    presets = runner_presets()
    device = given.get("device", MeasureConfig.device)
    if device not in presets:
        raise unknown("device to measure on:", device, presets)
    parameters: dict[str, Any] = yaml.safe_load(presets[device].read_text(encoding="utf-8"))
    own = [item.name for item in fields(MeasureConfig)]
    settable = [key for key in parameters if key != "name"]
    config = OmegaConf.structured(MeasureConfig)
    for key, text in given.items():
        if key in own:
            _assign(config, key, text)
        elif key in settable:
            parameters[key] = text if isinstance(parameters[key], str) else _value(key, text)
        else:
            raise unknown("key", key, [*own, *settable])
    settled: Any = OmegaConf.to_object(config)
    return settled, parameters


def _split(argument: str) -> tuple[str, str]:
    key, equals, value = argument.partition("=")
    if not key or not equals:
        raise UserError(
            f"'{argument}' is no option. Options are written key=value, as in n=50. See ktnas measure --help."
        )
    return key, value


def _assign(config: Any, key: str, text: str) -> None:
    from ktnas.engine.schema import explain

    is_text = isinstance(getattr(MeasureConfig, key), str) or key in ("space", "archs", "name", "out")
    try:
        config[key] = text if is_text else _value(key, text)
    except OmegaConfBaseException as problem:
        raise explain(problem) from None


def _value(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"{key}={text}: this value cannot be read.") from None


def _measure(config: MeasureConfig, parameters: Mapping[str, Any]) -> int:
    if config.space is None:
        raise UserError(
            "Name the space whose networks are measured: space=nasbench201. See ktnas space list."
        )
    from ktnas.cli.measure_report import print_report
    from ktnas.measure.files import file_name
    from ktnas.measure.measuring import measure
    from ktnas.measure.session import Plan
    from ktnas.measure.timing import Limits
    from ktnas.network.task import network_task
    from ktnas.registry import build
    from ktnas.space import load_space

    space = load_space(config.space)
    task = network_task(config.task) if config.size is None else network_task(config.task, size=config.size)
    runner = build("runner", parameters)
    plan = Plan(
        Limits(config.precision, config.max_seconds, config.quantile),
        config.looks,
        config.every,
        config.drift,
        config.timeout,
        config.retry,
    )
    genotypes = _architectures(config, space)
    name = file_name(config.name or f"{platform.node()}_{config.device}_{space.name}")
    directory = Path(config.out).expanduser() if config.out else None
    console = Console(stderr=True)
    try:
        with _progress(console, "looks") as (progress, tell):
            tell(
                f"{len(genotypes)} architectures: {config.looks} looks at each, of up to "
                f"{config.max_seconds:g} s once it is built."
            )
            measured = measure(
                space, genotypes, runner, task,
                name=name, directory=directory, plan=plan, progress=progress, tell=tell,
            )  # fmt: skip
        layers = _measure_layers(console, space, runner, task, measured, plan) if config.operations else None
    except KeyboardInterrupt:
        print("Interrupted; every measurement is kept, and the same command continues.", file=sys.stderr)
        return 130
    texts = space.format(genotypes)
    print_report(measured, texts, layers)
    return 0 if any(measured.rows[text]["status"] == "ok" for text in texts if text in measured.rows) else 1


def _architectures(config: MeasureConfig, space: "SearchSpace") -> "IntArray":
    from ktnas.cli.architectures import read_architectures
    from ktnas.engine.informative import informative
    from ktnas.measure.measuring import draw

    if config.draw not in DRAWS:
        raise unknown("way to draw architectures:", config.draw, DRAWS)
    if config.n is not None and config.n < 1:
        raise UserError(f"n={config.n}: expected 1 architecture or more.")
    if config.archs is None:
        n = config.n or N
        return (
            draw(space, n, config.seed)
            if config.draw == "random"
            else informative(space, n, config.task, config.seed)
        )
    texts = read_architectures(Path(config.archs).expanduser())[: config.n]
    if not texts:
        raise UserError(f"archs={config.archs}: no architectures in this file.")
    return space.parse(texts)


def _measure_layers(
    console: Console,
    space: "SearchSpace",
    runner: "Runner",
    task: "NetworkTask",
    measured: "Measured",
    plan: "Plan",
) -> Path:
    from ktnas.measure.layers import measure_layers

    texts = [text for text, row in measured.rows.items() if row["status"] == "ok"]
    path = measured.csv.with_suffix(".operations.csv")
    with _progress(console, "layers measured") as (progress, _):
        measure_layers(space, texts, runner, task, path, plan, progress)
    return path


Told = tuple[Callable[[int, int], None], Callable[[str], None]]


@contextmanager
def _progress(console: Console, what: str) -> Iterator[Told]:
    """A moving bar on a terminal, a line now and then anywhere else; and how to say something beside it."""

    def tell(message: str) -> None:
        console.print(message, soft_wrap=True, markup=False, highlight=False)

    if console.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bars:
            bar = bars.add_task("", total=None)
            yield lambda done, total: bars.update(bar, completed=done, total=total), tell
        return
    started = time.monotonic()

    def progress(done: int, total: int) -> None:
        if done == total or done * LINES // total > (done - 1) * LINES // total:
            left = (time.monotonic() - started) / done * (total - done)
            tell(f"{done}/{total} {what}, {left:.0f} s left")

    yield progress, tell
