"""NAS-Bench-Suite-Zero: validation scores and zero-cost proxies of many architectures.

Krishnakumar et al., NAS-Bench-Suite-Zero: Accelerating Research on Zero Cost Proxies, NeurIPS 2022. A JSON
file per space: task, then architecture as a tuple, then ``val_accuracy`` and, by name of a proxy,
``{"score", "time"}``.
"""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ktnas.errors import UserError
from ktnas.imports.part import ARCH, COSTS, Part, Request
from ktnas.imports.source import Source
from ktnas.space import TextError, load_space

NAME = "nas_bench_suite_zero"
SCORE = "val_accuracy"
PROXIES = (
    *("params", "flops", "synflow", "grad_norm", "snip", "grasp", "fisher"),
    *("jacov", "nwot", "epe_nas", "plain", "l2_norm", "zen"),
)
TASKONOMY = {
    **dict.fromkeys(("class_object", "class_scene", "jigsaw", "segmentsemantic"), "%"),
    **dict.fromkeys(("room_layout", "normal", "autoencoder"), ""),
}
IMAGE_SPACES = ("nasbench201", "nasbench101", "darts")
TASKONOMY_SPACES = ("transnas_micro", "transnas_macro")


def recognises(source: Source) -> bool:
    """Whether the file is a JSON object of tasks of architectures with ``val_accuracy``."""
    return source.kind == "json" and _is_table(source.content)


def read(sources: list[Source], request: Request) -> Part:
    """Scores and proxies of all tasks; ``params`` and ``flops``, in millions there, become counts.

    Raises:
        UserError: another file, a value that is no number, architectures of no known space.
    """
    tasks: dict[str, list[dict[str, Any]]] = {}
    for source in sources:
        if not _is_table(source.content):
            raise UserError(
                f"{source} is not a file of NAS-Bench-Suite-Zero: expected tasks, then architectures, then "
                f"'{SCORE}' and proxies."
            )
        for task, entries in source.content.items():
            rows = tasks.setdefault(task, [])
            rows.extend(_row(source, task, text, entry) for text, entry in entries.items())
    origin = ", ".join(map(str, sources))
    taskonomy = set(tasks) <= set(TASKONOMY)
    space = request.space or _space(origin, taskonomy, [row[ARCH] for rows in tasks.values() for row in rows])
    score = "valid_score" if taskonomy else "valid_accuracy"
    return Part(
        origin=origin,
        format=NAME,
        space=space,
        tasks={
            task: pd.DataFrame(rows).rename(columns={SCORE: score}) for task, rows in tasks.items() if rows
        },
        searched=score,
        units={task: TASKONOMY.get(task, "%") for task in tasks},
    )


def _is_table(content: Any) -> bool:
    if not isinstance(content, dict) or not content:
        return False
    if not all(isinstance(entries, dict) for entries in content.values()):
        return False
    entries = [entry for entries in content.values() for entry in entries.values()]
    return bool(entries) and all(isinstance(entry, dict) and SCORE in entry for entry in entries)


def _row(source: Source, task: str, text: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {ARCH: text, SCORE: _number(source, task, text, SCORE, entry[SCORE])}
    for proxy in PROXIES:
        if proxy in entry:
            value = entry[proxy].get("score") if isinstance(entry[proxy], dict) else entry[proxy]
            number = _number(source, task, text, proxy, value)
            row[proxy] = round(1e6 * number) if proxy in COSTS and math.isfinite(number) else number
    return row


def _number(source: Source, task: str, text: str, key: str, value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise UserError(f"{source}: task {task}, architecture {text[:80]}: {key} is no number.")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _space(origin: str, taskonomy: bool, texts: list[str]) -> str:
    """The one space that can read all texts."""
    fitting = []
    for name in TASKONOMY_SPACES if taskonomy else IMAGE_SPACES:
        try:
            load_space(name).parse(texts)
            fitting.append(name)
        except TextError:
            continue
    if len(fitting) != 1:
        which = " and ".join(fitting) if fitting else "no space that these files are published for"
        raise UserError(f"{origin}: its architectures fit {which}. Name theirs: --space NAME.")
    return fitting[0]
