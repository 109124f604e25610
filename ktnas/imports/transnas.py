"""TransNAS-Bench-101: two spaces on seven vision tasks.

Duan et al., TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task NAS, CVPR 2021.
A dict saved by torch: ``metrics_dict`` and ``data``, in which space, architecture, task lead to ``metrics``,
one value per epoch each, and ``model_info``.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from ktnas.errors import UserError, unknown
from ktnas.imports.part import ARCH, Part, Request, finite_numbers
from ktnas.imports.source import Source

NAME = "transnas_bench_101"
KEYS = {"data", "metrics_dict", "task_list"}
SPACES = {"transnas_micro": "micro", "transnas_macro": "macro"}
SCORES = {"top1": "%", "mIoU": "%", "ssim": "", "neg_loss": ""}
COSTS = {"params": "model_params", "flops": "model_FLOPs"}
LEAST_COUNT = 1e5


def recognises(source: Source) -> bool:
    """Whether it was saved by torch and has the keys of the benchmark."""
    return source.kind == "torch" and isinstance(source.content, dict) and set(source.content) >= KEYS


def read(sources: list[Source], request: Request) -> Part:
    """Validation and test score of each task at the epoch of the best validation score, and counts.

    The score is top-1 accuracy or mIoU in %, the SSIM or the negative loss, whichever the task has.

    Raises:
        UserError: another file, a space it does not have or none named where it has two, other contents.
    """
    if len(sources) > 1:
        raise UserError(f"{sources[1]}: TransNAS-Bench-101 is one file; leave out all but one.")
    (source,) = sources
    if not recognises(source):
        raise UserError(f"{source} is not TransNAS-Bench-101: expected the keys {', '.join(sorted(KEYS))}.")
    data, tasks = source.content["data"], source.content["task_list"]
    here = [
        name for name, key in SPACES.items() if isinstance(data, dict) and isinstance(data.get(key), dict)
    ]
    if request.space is None and len(here) != 1:
        raise UserError(f"{source} has the spaces {' and '.join(here) or 'of no name'}: say --space NAME.")
    space = request.space or here[0]
    if space not in here:
        raise unknown(f"space of {source}:", space, here)
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        raise UserError(f"{source}: 'task_list' is no list of names.")
    scores = {task: _score(source, task) for task in tasks}
    frames = {task: _frame(source, task, scores[task], data[SPACES[space]]) for task in tasks}
    return Part(
        origin=str(source),
        format=NAME,
        space=space,
        tasks=frames,
        searched="valid_score",
        reported="test_score",
        units={task: SCORES[score] for task, score in scores.items()},
    )


def _score(source: Source, task: str) -> str:
    known = source.content["metrics_dict"]
    metrics = known.get(task) if isinstance(known, dict) else None
    for score in SCORES:
        if isinstance(metrics, list) and f"valid_{score}" in metrics:
            return score
    raise UserError(f"{source}: task {task} has no score, of {', '.join(SCORES)}, in 'metrics_dict'.")


def _frame(source: Source, task: str, score: str, architectures: dict[Any, Any]) -> pd.DataFrame:
    rows = []
    for text, entry in architectures.items():
        origin = f"{source}, {str(text)[:80]}, {task}"
        try:
            metrics, info = entry[task]["metrics"], entry[task]["model_info"]
            valid, test = metrics[f"valid_{score}"], metrics[f"test_{score}"]
            costs = {name: info[key] for name, key in COSTS.items()}
        except (KeyError, TypeError, IndexError) as problem:
            raise UserError(f"{origin}: not as expected ({type(problem).__name__}: {problem}).") from None
        valid, test = finite_numbers(valid, origin), finite_numbers(test, origin)
        if not len(valid) or len(valid) != len(test):
            raise UserError(f"{origin}: {len(valid)} validation and {len(test)} test scores.")
        best = int(np.argmax(valid))
        counts = {name: _count(cost, origin) for name, cost in costs.items()}
        rows.append({ARCH: str(text), "valid_score": valid[best], "test_score": test[best], **counts})
    return pd.DataFrame(rows, columns=[ARCH, "valid_score", "test_score", *COSTS])


def _count(value: Any, origin: str) -> float:
    """A count, of one that may be in millions."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise UserError(f"{origin}: a count that is no number.")
    return float(round(value if value >= LEAST_COUNT else 1e6 * value))
