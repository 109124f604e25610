"""CSV files: those of MTLP-JR, and anybody's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ktnas.arrays import FloatArray
from ktnas.errors import UserError, unknown
from ktnas.imports.part import ARCH, EVERY_TASK, SLOWEST_IN_SECONDS, Part, Request
from ktnas.imports.source import Source

CSV = "csv"
MTLP_JR = "mtlp_jr"
MTLP_JR_COLUMNS = ("arch_config", "gpu latency", "flops", "params", "top1")
MISSING = ("", "nan", "na", "null", "none")


def recognises_mtlp_jr(source: Source) -> bool:
    """Whether it is a CSV file with the columns of MTLP-JR."""
    return source.kind == "csv" and set(source.content.columns) >= set(MTLP_JR_COLUMNS)


def recognises_csv(source: Source) -> bool:
    """Whether it is any other CSV file."""
    return source.kind == "csv"


def read_mtlp_jr(sources: list[Source], request: Request) -> Part:
    """ImageNet accuracy in %, latency of a GPU in ms and counts of Once-for-All's MobileNetV3.

    Lyu et al., Multi-Task Learning-Based Prediction for Joint Ranking in Neural Architecture Search,
    Computers and Electrical Engineering 2023.

    Raises:
        UserError: another file, or a value that is no number.
    """
    frame, _ = _numbers(sources, "arch_config", MTLP_JR_COLUMNS[1:])
    metrics = frame.rename(columns={"top1": "valid_accuracy"})[[ARCH, "valid_accuracy", "params", "flops"]]
    return Part(
        origin=_origin(sources),
        format=MTLP_JR,
        space="mobilenetv3",
        tasks={"imagenet": metrics},
        latencies={EVERY_TASK: frame[[ARCH, "gpu latency"]].rename(columns={"gpu latency": "gpu"})},
        searched="valid_accuracy",
        units={"imagenet": "%"},
    )


def read_csv(sources: list[Source], request: Request) -> Part:
    """Every column of numbers is a task, except those named as devices.

    Raises:
        UserError: no space named, a missing column, a text among numbers, a negative latency.
    """
    if request.space is None:
        raise UserError(f"{sources[0]}: a CSV file does not say whose architectures these are: --space NAME.")
    frame, ignored = _numbers(sources, request.arch, None, request.devices)
    notes = [f"no numbers in the column '{name}', left out" for name in ignored]
    for device in request.devices:
        values = frame[device]
        if (values < 0).any():
            raise UserError(
                f"{_origin(sources)}: column '{device}' has a negative latency, {values.min():g}."
            )
        if values.max() < SLOWEST_IN_SECONDS:
            notes.append(
                f"latencies on '{device}' are at most {values.max():g}: ms are expected, not seconds"
            )
    scores = [name for name in frame.columns if name not in (ARCH, *request.devices)]
    tasks = {name: frame.loc[frame[name].notna(), [ARCH, name]] for name in scores}
    return Part(
        origin=_origin(sources),
        format=CSV,
        space=request.space,
        tasks={name: task.rename(columns={name: "score"}) for name, task in tasks.items()},
        latencies={EVERY_TASK: frame[[ARCH, *request.devices]]},
        searched="score" if scores else None,
        repeats=False,
        notes=tuple(notes),
    )


def _numbers(
    sources: list[Source], arch: str, wanted: Sequence[str] | None, required: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Rows of all files: texts in the column ``arch``, float64 in the others, NaN where nothing stands.

    Returns:
        The rows with the ``wanted`` columns, or all that have a number in them, and the names of the rest.
    """
    if arch in required:
        raise UserError(f"The column '{arch}' holds the architectures, so it is no device.")
    frames = []
    for source in sources:
        if source.kind != "csv":
            raise UserError(f"{source} is {source.kind}, expected a CSV file.")
        table: pd.DataFrame = source.content
        names = list(map(str, table.columns))
        for name in (arch, *(wanted or ()), *required):
            if name not in names:
                raise unknown(f"column of {source}:", name, names)
        columns: dict[str, Any] = {ARCH: table[arch].tolist()}
        if (table[arch] == "").any():
            row = int(np.argmax(table[arch] == ""))
            raise UserError(f"{source}, row {row + 1}: column '{arch}' is empty, expected an architecture.")
        for name in names if wanted is None else wanted:
            if name not in (arch, ARCH):
                columns[name] = _column(source, table[name])
        frames.append(pd.DataFrame(columns))
    frame = pd.concat(frames, ignore_index=True)
    ignored = [name for name in frame.columns if name != ARCH and frame[name].isna().all()]
    for name in (*(wanted or ()), *required):
        if name in ignored:
            raise UserError(f"{_origin(sources)}: column '{name}' has no number.")
    return frame.drop(columns=ignored), ignored


def _column(source: Source, texts: pd.Series) -> FloatArray:
    """Numbers of a column, NaN for a missing or infinite one; all NaN where it has no number at all."""
    values = np.array(pd.to_numeric(texts, errors="coerce"), dtype=np.float64)
    wrong = np.isnan(values) & ~texts.str.lower().isin(MISSING).to_numpy()
    values[~np.isfinite(values)] = np.nan
    if wrong.any() and not np.isnan(values).all():
        row = int(np.argmax(wrong))
        raise UserError(
            f"{source}, row {row + 1}: column '{texts.name}' holds {texts.iloc[row]!r}, expected a number."
        )
    return values


def _origin(sources: list[Source]) -> str:
    return ", ".join(map(str, sources))
