"""Evaluations and fronts as tables, and the files of a run."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ktnas.errors import UserError, unknown
from ktnas.record.description import FrontSpec, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.files import SUMMARY_NAME, front_stem, json_bytes, write_atomically
from ktnas.record.view import FrontView

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "json", "parquet")

_BEFORE = ["order", "generation", "task", "role", "architecture", "status"]
_AFTER = ["seconds", "key", "message", "host", "answered"]


def evaluations_frame(evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    """One row per evaluation, in asked order.

    Columns: ``order``, ``generation``, ``task``, ``role``, ``architecture``, ``status``, then ``error`` and
    every other metric in alphabetic order (natural units; NaN where not known), ``seconds``, ``key``,
    ``message``, ``host`` and ``answered``.
    """
    rows = sorted(evaluations, key=lambda e: e.order)
    metrics = ["error", *sorted({name for e in rows for name in e.metrics} - {"error"})]
    columns: dict[str, Any] = {name: [getattr(e, name) for e in rows] for name in _BEFORE}
    columns |= {name: np.array([e.metrics.get(name, np.nan) for e in rows], dtype=float) for name in metrics}
    columns |= {name: [getattr(e, name) for e in rows] for name in _AFTER}
    return pd.DataFrame(columns)


def front_frame(evaluations: Sequence[Evaluation], spec: FrontSpec) -> pd.DataFrame:
    """The front's evaluations, best first objective first.

    Columns: ``order``, ``architecture``, the objectives, every other metric in alphabetic order,
    ``seconds``, ``key``. With one objective it is the best row.
    """
    view = FrontView.of(spec, evaluations)
    frame = evaluations_frame(view.evaluations)
    others = [name for name in frame.columns if name not in {*_BEFORE, *_AFTER, *spec.columns}]
    columns = ["order", "architecture", *spec.columns, *others, "seconds", "key"]
    return frame[view.front].reindex(columns=columns).sort_values([*spec.columns, "order"], ignore_index=True)


def front_document(evaluations: Sequence[Evaluation], spec: FrontSpec) -> dict[str, Any]:
    """The front for JSON: ``task``, ``device``, ``objectives``, ``limits`` and the rows as ``points``."""
    return {
        "task": spec.task,
        "device": spec.device,
        "objectives": spec.columns,
        "limits": spec.limits,
        "points": front_frame(evaluations, spec).to_dict(orient="records"),
    }


def write_run_files(
    run_dir: Path, evaluations: Sequence[Evaluation], description: RunDescription, summary: dict[str, Any]
) -> list[Path]:
    """Write ``evaluations.csv``, ``front_<task>.csv``, ``.json`` and ``.png``, and ``summary.json`` last.

    A front's name ends in ``_<device>`` when the run has fronts on several devices. Each file is replaced
    as a whole.

    Returns:
        The paths written.

    Raises:
        UserError: a file cannot be written.
    """
    from ktnas.record.plot import front_png

    written = _write_evaluations(run_dir, evaluations, "csv")
    for stem, spec in _stems(description):
        written += _write_front(run_dir / stem, evaluations, spec, "csv")
        written += _write_front(run_dir / stem, evaluations, spec, "json")
        picture = run_dir / f"{stem}.png"
        write_atomically(picture, front_png(FrontView.of(spec, evaluations)))
        written.append(picture)
    write_atomically(run_dir / SUMMARY_NAME, json_bytes(summary))
    return [*written, run_dir / SUMMARY_NAME]


def export_run(
    directory: Path, evaluations: Sequence[Evaluation], description: RunDescription, kind: str
) -> list[Path]:
    """Write ``evaluations`` and every ``front_<task>`` in one format.

    Returns:
        The paths written.

    Raises:
        UserError: unknown format, a file cannot be written, or parquet without pyarrow.
    """
    if kind not in FORMATS:
        raise unknown("format", kind, FORMATS)
    written = _write_evaluations(directory, evaluations, kind)
    for stem, spec in _stems(description):
        written += _write_front(directory / stem, evaluations, spec, kind)
    return written


def _stems(description: RunDescription) -> list[tuple[str, FrontSpec]]:
    fronts = description.fronts()
    several = len({spec.device for spec in fronts}) > 1
    return [(front_stem(spec.task, spec.device, several), spec) for spec in fronts]


def _write_evaluations(directory: Path, evaluations: Sequence[Evaluation], kind: Format) -> list[Path]:
    frame = evaluations_frame(evaluations)
    path = directory / f"evaluations.{kind}"
    content = json_bytes(frame.to_dict(orient="records")) if kind == "json" else _table_bytes(frame, kind)
    write_atomically(path, content)
    return [path]


def _write_front(stem: Path, evaluations: Sequence[Evaluation], spec: FrontSpec, kind: Format) -> list[Path]:
    path = stem.with_name(f"{stem.name}.{kind}")
    if kind == "json":
        content = json_bytes(front_document(evaluations, spec))
    else:
        content = _table_bytes(front_frame(evaluations, spec), kind)
    write_atomically(path, content)
    return [path]


def _table_bytes(frame: pd.DataFrame, kind: Format) -> bytes:
    if kind == "csv":
        return frame.to_csv(index=False, lineterminator="\n").encode("utf-8", "backslashreplace")
    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, engine="pyarrow", index=False)
    except ImportError as error:
        raise UserError("Parquet needs pyarrow. Install it with: pip install 'ktnas[parquet]'") from error
    return buffer.getvalue()
