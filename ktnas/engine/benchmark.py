"""Benchmarks: the tasks and devices of one space, each read when it is first used."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ktnas.device.base import Device
from ktnas.device.evaluated_device import EvaluatedDevice
from ktnas.device.table_device import TableDevice
from ktnas.engine.benchmark_config import TASK, BenchmarkConfig, benchmark_config, list_benchmarks
from ktnas.errors import UserError, unknown
from ktnas.latency.base import DeviceLatencies, LatencyModel
from ktnas.latency.measured_device import MeasuredDevice
from ktnas.latency.measurements import measured_devices, read_measurements
from ktnas.network.task import is_network_task
from ktnas.registry import build
from ktnas.space import SearchSpace, list_spaces, load_space
from ktnas.tables import Table, locate, read_table
from ktnas.task.base import Task
from ktnas.task.function_task import FunctionTask
from ktnas.task.pool import Pool
from ktnas.task.table_task import TableTask
from ktnas.train.fidelity import MARK, full_name

if TYPE_CHECKING:
    from ktnas.train.task import TrainingTask

__all__ = ["Benchmark", "list_benchmarks", "load_benchmark"]

DEFAULT_TASK = "cifar10"
DEFAULT_MODEL = {"name": "few_shot"}


class Benchmark:
    """Tasks and devices by name.

    Args:
        config: its checked keys.
        space: the space of its architectures.
        pool: of workers, where tasks are functions or train networks; None evaluates one at a time.
        timeout: seconds that such an evaluation may take, or None.
        latency_model: plug-in and parameters, for devices on which only some architectures were measured.

    Attributes:
        name: the benchmark's name.
        config: its checked keys.
        space: the space of its architectures.
    """

    def __init__(
        self,
        config: BenchmarkConfig,
        space: SearchSpace,
        pool: Pool | None,
        timeout: float | None,
        latency_model: Mapping[str, Any],
    ) -> None:
        self.name = config.name
        self.config = config
        self.space = space
        self._pool = pool
        self._timeout = timeout
        self._latency_model = latency_model
        self._tables: dict[str, Table] = {}
        self._tasks: dict[str, Task] = {}
        self._devices: dict[str, Device] = {}

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks; ``UserError`` where there are none, or their file cannot be read."""
        if self.config.functions:
            return tuple(self.config.functions)
        if self.config.data is not None:
            from ktnas.train.kinds import KINDS

            return (*(KINDS if self.config.tasks is None else self.config.tasks), *self.config.subsets)
        if self.config.tasks is None:
            if TASK in (self.config.scores or ""):
                raise UserError(
                    f"Benchmark {self.name} has a file per task, so it must name them: benchmark.tasks=[…]."
                )
            return self._scores("").columns
        if not self.config.tasks:
            raise UserError(
                f"Benchmark {self.name} has no tasks, only latencies: use them with another benchmark, as "
                f"benchmark.latency={self.config.latency}, or import their files together with scores."
            )
        return self.config.tasks

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices; ``UserError`` where they are columns of a file that cannot be read."""
        if self.config.devices is not None:
            return tuple(self.config.devices)
        return self._latencies("").columns if self.config.latency is not None else ()

    def task(self, name: str) -> Task:
        """The task of that name, or the cheap fidelity of one.

        Raises:
            UserError: an unknown name (with the nearest ones), or a file that cannot be used.
        """
        if not self.has_task(name):
            raise unknown(f"task of benchmark {self.name}:", name, self.tasks)
        if name not in self._tasks:
            self._tasks[name] = self._new_task(name)
        return self._tasks[name]

    def has_task(self, name: str) -> bool:
        """Whether it has a task of that name; where networks are trained, also ``TASK@…`` for each task."""
        return (name if self.config.data is None else full_name(name)) in self.tasks

    def device(self, name: str) -> Device:
        """The device of that name: of the benchmark, else one measured with ``ktnas measure``, else the CSV
        file of measurements called so.

        Raises:
            UserError: an unknown name (with the nearest ones), or a file that cannot be used.
        """
        if name not in self._devices:
            known = name in self.devices
            self._devices[name] = self._device(name) if known else self._measured_device(name)
        return self._devices[name]

    def keep_in(self, run_dir: Path) -> None:
        """Have what is trained from now on kept in the directory of a run."""
        for task in self._training_tasks():
            task.keep_in(run_dir)

    def _new_task(self, name: str) -> Task:
        if self.config.data is not None:
            return self._training_task(name, self.config.data)
        return self._function_task(name) if self.config.functions else self._table_task(name)

    def _table_task(self, name: str) -> TableTask:
        config = self.config
        columns = {metric: column.replace(TASK, name) for metric, column in config.metrics.items()}
        return TableTask(
            name,
            self._scores(name),
            columns,
            searched=config.searched,
            reported=config.reported,
            better={
                metric: self._of_column("better", column, "higher") for metric, column in columns.items()
            },
            units={metric: self._of_column("unit", column, "") for metric, column in columns.items()},
            free=config.free,
        )

    def _function_task(self, name: str) -> FunctionTask:
        return FunctionTask(
            name,
            self.space,
            self.config.functions[name],
            searched=self.config.searched,
            reported=self.config.reported,
            better=self._of_column("better", name, "higher"),
            unit=self._of_column("unit", name, ""),
            pool=self._pool,
            timeout=self._timeout,
        )

    def _training_task(self, name: str, data: str) -> Task:
        from ktnas.train.task import training_task

        config, images = self.config, data.replace(TASK, full_name(name))
        if images.endswith(".npz"):
            images = str(locate(images, config.homepage))
        task = training_task(
            name,
            images,
            self.space,
            config.training,
            dict.fromkeys(self.tasks) if TASK in data else config.subsets,
            config.supernet,
            self._pool,
            self._timeout,
        )
        if any(isinstance(device, EvaluatedDevice) for device in self._devices.values()):
            task.measure_latency()
        return task

    def _training_device(self, name: str, metric: str) -> Device:
        for task in self._training_tasks():
            task.measure_latency()
        return EvaluatedDevice(name, metric)

    def _training_tasks(self) -> "list[TrainingTask]":
        if self.config.data is None:
            return []
        from ktnas.train.task import TrainingTask

        return [task for task in self._tasks.values() if isinstance(task, TrainingTask)]

    def _device(self, name: str) -> Device:
        column = (self.config.devices or {}).get(name, name)
        if self.config.latency is not None:
            if TASK not in self.config.latency:
                self._latencies("").column(column)
            return TableDevice(name, self._latencies, column, self.config.latency_known)
        if self.config.data is not None:
            return self._training_device(name, column)
        if self.config.functions:
            return EvaluatedDevice(name, column)
        return TableDevice(name, self._scores, column, self.config.latency_known)

    def _measured_device(self, name: str) -> Device:
        measured = measured_devices(self.space)
        if name not in measured and not name.endswith(".csv"):
            if self.devices or measured:
                raise unknown(f"device of benchmark {self.name}:", name, [*self.devices, *measured])
            raise UserError(
                f"Benchmark {self.name} has no device '{name}', nor any other. Measure one: ktnas measure "
                f"space={self.space.name}; or give a CSV file of measurements, device=FILE.csv. "
                "benchmark.latency=FILE adds devices on which all architectures were measured: a CSV file "
                "with a column of architectures and one per device, in ms."
            )
        named = () if self.config.data is not None else self.tasks
        task = next((task for task in named if is_network_task(task)), DEFAULT_TASK)
        measurements = read_measurements(measured.get(name) or locate(name), self.space, task)
        if measurements.name in self.devices:
            raise UserError(
                f"Benchmark {self.name} has a device '{measurements.name}' already: rename {name}, so that "
                "it can be told from it."
            )
        model: LatencyModel = build("latency_model", self._latency_model)
        model.prepare(self.space, measurements.task or task, 0, self.device_latencies)
        return MeasuredDevice(measurements, model)

    @cached_property
    def device_latencies(self) -> tuple[DeviceLatencies, ...]:
        """Latencies of the devices that the benchmark has a table of."""
        if self.config.latency is None or TASK in self.config.latency:
            return ()
        table = self._latencies("")
        columns = [(self.config.devices or {}).get(name, name) for name in self.devices]
        latencies = np.column_stack([table.column(column) for column in columns])
        return (DeviceLatencies(self.space, table.genotypes, latencies, self.devices),)

    def _scores(self, task: str) -> Table:
        if self.config.scores is None:
            raise UserError(f"Benchmark {self.name} needs a file of scores: benchmark.scores=FILE.")
        return self._table(self.config.scores, task, self.config.format)

    def _latencies(self, task: str) -> Table:
        return self._table(str(self.config.latency), task, "csv")

    def _table(self, file: str, task: str, format: str) -> Table:
        name = file.replace(TASK, task)
        if name not in self._tables:
            path = locate(name, self.config.homepage)
            self._tables[name] = read_table(path, self.space, format, self.config.arch)
        return self._tables[name]

    def _of_column(self, key: str, column: str, default: str) -> str:
        given: str | dict[str, str] = getattr(self.config, key)
        if isinstance(given, str):
            return given
        templates = [TASK] if self.config.functions else self.config.metrics.values()
        columns = {template.replace(TASK, task) for template in templates for task in self.tasks}
        for name in given:
            if name not in columns:
                raise unknown(f"column in benchmark.{key}:", name, columns)
        return given.get(column, default)


def load_benchmark(
    config: Mapping[str, Any] | str,
    space: str | None = None,
    pool: Pool | None = None,
    timeout: float | None = None,
    latency_model: Mapping[str, Any] = DEFAULT_MODEL,
) -> Benchmark:
    """The benchmark of a configuration; its files are read when a task or a device is asked for.

    Args:
        config: name of a benchmark, path of a YAML file, or keys and values as in ``BenchmarkConfig``.
        space: name or YAML file of the space, instead of the benchmark's own.
        pool: of workers, where tasks are functions or train networks; None evaluates one at a time.
        timeout: seconds that such an evaluation may take, or None.
        latency_model: plug-in and parameters, for devices on which only some architectures were measured.

    Raises:
        UserError: an unknown benchmark or key, a value of the wrong type, no space or an unknown one, a task
            or metric named that the benchmark does not have.
    """
    checked = benchmark_config(config)
    chosen = space or checked.space
    if chosen is None:
        raise UserError(
            f"Benchmark {checked.name} needs a space: space=NAME, one of {', '.join(list_spaces())}."
        )
    if checked.name == "function" and not checked.functions:
        raise UserError("Benchmark function needs its tasks: benchmark.functions={TASK: module:callable}.")
    if checked.name == "train" and checked.data is None:
        raise UserError(
            "Benchmark train needs images: benchmark.data=digits, an .npz file or a directory of images."
        )
    _check_subsets(checked)
    for metric in (checked.searched, checked.reported, *checked.free):
        if metric is not None and metric not in checked.metrics and not checked.functions:
            raise unknown(f"metric of benchmark {checked.name}:", metric, checked.metrics)
    return Benchmark(checked, load_space(chosen), pool, timeout, latency_model)


def _check_subsets(config: BenchmarkConfig) -> None:
    if config.subsets and TASK in (config.data or ""):
        raise UserError(
            f"benchmark.subsets={config.subsets}: they are classes of one data set, and "
            f"benchmark.data={config.data} is one for each task."
        )
    for name in config.subsets:
        if MARK in name:
            raise UserError(
                f"benchmark.subsets.{name}: a name without {MARK}, please, which stands before a fidelity."
            )
