"""HW-NAS-Bench: latency and energy of NAS-Bench-201 and FBNet on six devices.

Li et al., HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark, ICLR 2021. One pickle. For
NAS-Bench-201 it has, by data set, lists over its architectures; for FBNet the price of every block, which sum
up to that of an architecture.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ktnas.errors import UserError, unknown
from ktnas.imports.part import ARCH, ENERGY, Part, Request, finite_numbers, latencies_in_ms
from ktnas.imports.source import Source

NAME = "hw_nas_bench"
SPACES = ("nasbench201", "fbnet")
LATENCY, ENERGY_KEY = "_latency", "_energy"
STEM, LAYERS, CHANNELS = 16, (1, 4, 4, 4, 4, 4, 1), (16, 24, 32, 64, 112, 184, 352)
FBNET = {  # input size, strides of the stages, stride of the stem, channels of the head, classes
    "cifar100": (32, (1, 1, 2, 2, 1, 2, 1), 1, 1504, 100),
    "ImageNet": (224, (1, 2, 2, 2, 1, 2, 1), 2, 1984, 1000),
}


def recognises(source: Source) -> bool:
    """Whether it is a pickled dict of the two spaces."""
    return source.kind == "pickle" and isinstance(source.content, dict) and bool(_spaces(source.content))


def read(sources: list[Source], request: Request) -> Part:
    """Latencies in ms by data set, and energies in mJ as metrics.

    Raises:
        UserError: another file, a space it does not have, lists of different lengths, values out of range.
    """
    if len(sources) > 1:
        raise UserError(f"{sources[1]}: HW-NAS-Bench is one file; leave out all but one.")
    (source,) = sources
    if not recognises(source):
        raise UserError(f"{source} is not HW-NAS-Bench: expected a pickled dict of {' and '.join(SPACES)}.")
    space = request.space or SPACES[0]
    if space not in _spaces(source.content):
        raise unknown(f"space of {source}:", space, _spaces(source.content))
    content = source.content[space]
    if space == "fbnet":
        prices = {key: _prices(source, key, value) for key, value in content.items() if _is_cost(key)}
        return _part(source, space, derive=lambda texts: _derived(source, prices, texts))
    tables = {dataset: _table(source, dataset, entry) for dataset, entry in content.items()}
    return _part(source, space, **_split(source, tables))


def _spaces(content: dict[Any, Any]) -> list[str]:
    return [space for space in SPACES if isinstance(content.get(space), dict)]


def _part(source: Source, space: str, **content: Any) -> Part:
    return Part(origin=str(source), format=NAME, space=space, **content)


def _is_cost(key: Any) -> bool:
    return isinstance(key, str) and key.endswith((LATENCY, ENERGY_KEY)) and not key.startswith("average")


def _table(source: Source, dataset: str, entry: Any) -> pd.DataFrame:
    """Costs of NAS-Bench-201's architectures on one data set, columns as in the file."""
    origin = f"{source}, {dataset}"
    configs = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(configs, list) or not all(
        isinstance(config, dict) and isinstance(config.get("arch_str"), str) for config in configs
    ):
        raise UserError(f"{origin}: no list 'config' with an 'arch_str' of each architecture.")
    columns: dict[str, Any] = {ARCH: [config["arch_str"] for config in configs]}
    for key in filter(_is_cost, entry):
        columns[key] = _checked(entry[key], key, f"{origin}, {key}")
        if len(columns[key]) != len(configs):
            raise UserError(f"{origin}: {key} has {len(columns[key]):,} values, expected {len(configs):,}.")
    return pd.DataFrame(columns)


def _checked(values: Any, key: str, origin: str) -> Any:
    return latencies_in_ms(values, origin) if key.endswith(LATENCY) else finite_numbers(values, origin)


def _split(source: Source, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Latencies and metrics of tables whose columns are as in the file, of the devices they all have."""
    keys = [str(key) for key in next(iter(tables.values()), pd.DataFrame()) if _is_cost(key)]
    common = [key for key in keys if all(key in table for table in tables.values())]
    devices = {key: key.removesuffix(LATENCY) for key in common if key.endswith(LATENCY)}
    energies = {key: f"{key.removesuffix(ENERGY_KEY)}_{ENERGY}" for key in common if key.endswith(ENERGY_KEY)}
    if not devices:
        raise UserError(f"{source} has no latencies that all its data sets share.")
    tasks = {task: table[[ARCH, *energies]].rename(columns=energies) for task, table in tables.items()}
    latencies = {task: table[[ARCH, *devices]].rename(columns=devices) for task, table in tables.items()}
    return {"tasks": tasks, "latencies": latencies}


def _prices(source: Source, key: str, value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(type(price) in (int, float) for price in value.values()):
        raise UserError(f"{source}, fbnet: {key} is no dict from a block to its price.")
    finite_numbers(list(value.values()), f"{source}, fbnet, {key}")
    return {str(block): float(price) for block, price in value.items()}


def _derived(source: Source, prices: Mapping[str, Mapping[str, float]], texts: Sequence[str]) -> Part:
    """Sums of the prices of the blocks of FBNet architectures."""
    tables = {}
    for dataset in FBNET:
        blocks = [_blocks(text, dataset) for text in texts]
        columns: dict[str, Any] = {ARCH: list(texts)}
        for key, price in prices.items():
            try:
                columns[key] = np.array([sum(price[block] for block in row) for row in blocks])
            except KeyError as missing:
                raise UserError(f"{source}, fbnet: {key} has no price of the block {missing}.") from None
        tables[dataset] = pd.DataFrame(columns)
    return _part(source, "fbnet", **_split(source, tables))


def _blocks(text: str, dataset: str) -> list[str]:
    """Names in the price list of all that an architecture consists of, stem and head included."""
    size, strides, stride, head, classes = FBNET[dataset]
    names = [f"ConvNorm_H{size}_W{size}_Cin3_Cout{STEM}_kernel3_stride{stride}_group1"]
    size //= stride
    operations = iter(text.split("|"))
    channels = STEM
    for layers, wide, first in zip(LAYERS, CHANNELS, strides, strict=True):
        for layer in range(layers):
            step = first if layer == 0 else 1
            shape = f"H{size}_W{size}_Cin{channels}_Cout{wide}"
            names.append(_block(next(operations), shape, step))
            size, channels = size // step, wide
    names.append(f"ConvNorm_H{size}_W{size}_Cin{channels}_Cout{head}_kernel1_stride1_group1")
    names.append(f"AvgP_H{size}_W{size}_Cin{head}_Cout{head}_kernel{size}_stride1")
    return [*names, f"FC_Cin{head}_Cout{classes}"]


def _block(operation: str, shape: str, stride: int) -> str:
    if operation == "skip":
        return f"Skip_{shape}_stride{stride}"
    kernel, expansion, *group = operation.split("_")
    return (
        f"ConvBlock_{shape}_exp{expansion[1:]}_kernel{kernel[1:]}_stride{stride}_group"
        f"{group[0][1:] if group else 1}"
    )
