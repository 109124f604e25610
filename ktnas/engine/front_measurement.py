"""The latencies of a search's fronts, measured for real after they were predicted."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ktnas import registry
from ktnas.device.base import Device
from ktnas.engine.result import SearchResult
from ktnas.errors import UserError
from ktnas.latency.measured_device import MeasuredDevice
from ktnas.network.task import NetworkTask
from ktnas.record.description import uncertainty_column
from ktnas.record.files import write_atomically
from ktnas.space.base import SearchSpace

DIRECTORY = "measured"
FILE = "measured_fronts.csv"


def check_measurable(devices: tuple[Device, ...]) -> None:
    """Refuse devices that cannot be measured again.

    Raises:
        UserError: no device has predicted latencies, or one of them was not measured with ``ktnas measure``.
    """
    predicted = [device for device in devices if isinstance(device, MeasuredDevice)]
    if not predicted:
        raise UserError(
            "measure_front=true: every latency of this search is known, there is none to measure. Leave it "
            "out, or search for a device of which only some architectures were measured."
        )
    for device in predicted:
        if "runner" not in device.measurements.description.get("settings", {}):
            raise UserError(
                f"measure_front=true: nobody knows how {device.name} was measured. Measure it with ktnas "
                "measure, which writes that down; or leave measure_front out."
            )


def measure_fronts(
    result: SearchResult,
    space: SearchSpace,
    devices: tuple[Device, ...],
    run_dir: Path,
    tell: Callable[[str], None],
) -> pd.DataFrame:
    """Measure what is on the fronts of devices whose latencies were predicted, as they were measured before.

    Writes ``measured_fronts.csv`` and, in the directory ``measured``, the files of ``ktnas measure``; what
    they hold already is not measured again. The evaluations of the run stay as they are.

    Args:
        result: of the search.
        space: of its architectures.
        devices: of the search, which ``check_measurable`` has seen.
        run_dir: of the run.
        tell: told in words what happens.

    Returns:
        A row per architecture of a front: ``task``, ``device``, ``architecture``, ``error``,
        ``predicted_ms``, ``std_ms`` (0 where the search knew a measurement) and ``measured_ms``, NaN where
        measuring failed.

    Raises:
        UserError: this machine is not the one the device was measured on, or it cannot be measured.
    """
    rows = []
    for spec in result.description.fronts():
        device = next((device for device in devices if device.name == spec.device), None)
        if spec.role != "target" or not isinstance(device, MeasuredDevice):
            continue
        front = result.front(spec.task, spec.device)
        column = f"latency_ms_{device.name}"
        measured = _measured(device, front["architecture"].tolist(), space, run_dir / DIRECTORY, tell)
        rows.append(
            pd.DataFrame(
                {
                    "task": spec.task,
                    "device": device.name,
                    "architecture": front["architecture"],
                    "error": front["error"],
                    "predicted_ms": front[column],
                    "std_ms": front[uncertainty_column(column)],
                    "measured_ms": front["architecture"].map(measured),
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    write_atomically(run_dir / FILE, table.to_csv(index=False).encode())
    return table


def _measured(
    device: MeasuredDevice, texts: list[str], space: SearchSpace, directory: Path, tell: Callable[[str], None]
) -> dict[str, float]:
    """Latency in ms of each text that could be measured."""
    from ktnas.measure.measuring import measure
    from ktnas.measure.session import Plan
    from ktnas.measure.timing import Limits

    source = device.measurements.path.with_suffix(".json")
    directory.mkdir(parents=True, exist_ok=True)
    if not (directory / source.name).exists():  # the machine and the settings must be those it describes
        shutil.copyfile(source, directory / source.name)
    settings = device.measurements.description["settings"]
    tell(f"Measuring the {len(texts)} architectures of the front on {device.name}.")
    done = measure(
        space,
        space.parse(texts),
        registry.build("runner", settings["runner"]),
        NetworkTask(**settings["task"]),
        name=device.name,
        directory=directory,
        plan=Plan(Limits(settings["precision"], settings["max_seconds"], settings["quantile"])),
        tell=tell,
    )
    return {text: float(row["latency_ms"]) for text, row in done.rows.items() if row["latency_ms"]}
