"""NATS-Bench, topology space: NAS-Bench-201's architectures on three data sets.

Dong et al., NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size, TPAMI 2021. Published
as a directory of one pickle per architecture, ``meta.pickle.pbz2`` with their texts beside them, or as one
pickle of all. The loader of the package ``nats-bench`` runs whatever a pickle asks for, so it is not used:
the pickles are read as plain data, and the package only says what the numbers in them mean.
"""

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ktnas.errors import UserError
from ktnas.imports.part import ARCH, Part, Request
from ktnas.imports.source import Source, open_source

NAME = "nats_bench"
META = "meta.pickle.pbz2"
FILE = re.compile(r"(\d+)\.pickle\.pbz2")
EPOCHS = "200"
KEYS = {"meta_archs", "arch2infos"}
SETS = {
    "cifar10": (("cifar10-valid", "x-valid"), ("cifar10", "ori-test")),
    "cifar100": (("cifar100", "x-valid"), ("cifar100", "x-test")),
    "ImageNet16-120": (("ImageNet16-120", "x-valid"), ("ImageNet16-120", "x-test")),
}
EVERY = 250


def recognises(source: Source) -> bool:
    """Whether it is a directory with ``meta.pickle.pbz2``, or a pickle with the keys of the benchmark."""
    if source.kind == "directory":
        return (source.path / META).is_file()
    return source.kind == "pickle" and isinstance(source.content, dict) and source.content.keys() >= KEYS


def read(sources: list[Source], request: Request) -> Part:
    """Accuracies in % after 200 epochs, mean over the seeds; counts; latency of the authors' GPU in ms.

    Raises:
        UserError: without the package, other files, pickles that want to run code.
    """
    if len(sources) > 1:
        raise UserError(f"{sources[1]}: NATS-Bench is one directory or one file; leave out all but one.")
    (source,) = sources
    if not recognises(source):
        raise UserError(
            f"{source} is not NATS-Bench's topology space: expected the directory NATS-tss-…-simple with its "
            f"{META}, or the file NATS-tss-….pickle.pbz2."
        )
    rows: dict[str, list[dict[str, Any]]] = {task: [] for task in SETS}
    total = 0
    for text, origin, content in _architectures(source, request):
        total += 1
        for task, row in _results(origin, content).items():
            rows[task].append({ARCH: text, **row})
    if not total:
        raise UserError(f"{source} has no architecture's file, NNNNNN.pickle.pbz2.")
    frames = {task: pd.DataFrame(found) for task, found in rows.items()}
    metrics = [ARCH, "valid_accuracy", "test_accuracy", "params", "flops"]
    return Part(
        origin=str(source),
        format=NAME,
        space="nasbench201",
        tasks={task: frame[metrics] for task, frame in frames.items()},
        latencies={
            task: frame[[ARCH, "gpu"]] for task, frame in frames.items() if frame["gpu"].notna().all()
        },
        searched="valid_accuracy",
        reported="test_accuracy",
        units=dict.fromkeys(SETS, "%"),
    )


def _architectures(source: Source, request: Request) -> Iterator[tuple[str, str, Any]]:
    """Text, origin and results of each architecture."""
    if source.kind == "pickle":
        texts, results = source.content["meta_archs"], source.content["arch2infos"]
        if not isinstance(results, dict):
            raise UserError(f"{source}: 'arch2infos' is no dict.")
        for number in sorted(results):
            yield _text(source, texts, number), f"{source}, architecture {number}", results[number]
        return
    meta = open_source(source.path / META).content
    if not isinstance(meta, dict) or "meta_archs" not in meta:
        raise UserError(f"{source.path / META} has no 'meta_archs', the texts of the architectures.")
    files = sorted(path for path in source.path.iterdir() if FILE.fullmatch(path.name))
    for count, path in enumerate(files):
        if count % EVERY == 0:
            request.say(f"{source.path.name}: {count:,} of {len(files):,} architectures")
        yield (
            _text(source, meta["meta_archs"], int(path.name.split(".")[0])),
            str(path),
            open_source(path).content,
        )


def _text(source: Source, texts: Any, number: Any) -> str:
    if type(number) is int and isinstance(texts, list) and 0 <= number < len(texts):
        text = texts[number]
        if isinstance(text, str):
            return text
    raise UserError(f"{source}: architecture number {number!r} has no text in 'meta_archs'.")


def _results(origin: str, content: Any) -> dict[str, dict[str, float]]:
    """Metrics of one architecture by task, as the package understands them."""
    try:
        from nats_bench.api_utils import ArchResults
    except ImportError:
        raise UserError(
            "NATS-Bench files need the Python package nats-bench. Install it: pip install 'ktnas[nats-bench]'"
        ) from None
    if not isinstance(content, dict) or EPOCHS not in content:
        raise UserError(f"{origin}: no results of {EPOCHS} epochs; is it NATS-Bench's size space?")
    try:
        results = ArchResults.create_from_state_dict(content[EPOCHS])
        return {task: _metrics(results, *sets) for task, sets in SETS.items()}
    except Exception as problem:  # whatever content of another shape leads to in the package
        raise UserError(
            f"{origin} does not hold an architecture's results as NATS-Bench v1.0 has them "
            f"({type(problem).__name__}: {problem})."
        ) from None


def _metrics(results: Any, valid: tuple[str, str], test: tuple[str, str]) -> dict[str, float]:
    costs = results.get_compute_costs(valid[0])
    return {
        "valid_accuracy": float(results.get_metrics(*valid)["accuracy"]),
        "test_accuracy": float(results.get_metrics(*test)["accuracy"]),
        "params": round(1e6 * costs["params"]),
        "flops": round(1e6 * costs["flops"]),
        "gpu": float("nan") if costs["latency"] is None else 1e3 * costs["latency"],
    }
