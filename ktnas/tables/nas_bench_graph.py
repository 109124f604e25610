"""The files of the Python package nas-bench-graph, read without its code.

Qin et al., NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search, NeurIPS 2022.
"""

import reprlib
from pathlib import Path
from typing import Any

import numpy as np

from ktnas.arrays import IntArray
from ktnas.errors import UserError
from ktnas.space import SearchSpace
from ktnas.tables.plain_pickle import load_plain
from ktnas.tables.table import Table

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
LINKS = np.array(
    [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 1],
        [0, 0, 1, 2],
        [0, 0, 1, 3],
        [0, 1, 1, 1],
        [0, 1, 1, 2],
        [0, 1, 2, 2],
        [0, 1, 2, 3],
    ]
)
FIELDS = ("valid_perf", "perf", "latency", "para")


def read_nas_bench_graph(path: Path, space: SearchSpace, arch: str = "arch") -> Table:
    """Read one ``light/<task>.bench``: a pickled dict from an architecture's number to its four floats.

    The number is the index of the links, then a digit for each operation. Columns of the table:
    valid_accuracy and test_accuracy in %, params (count), latency_ms. The format has no column for
    architectures: ``arch`` is not used.

    Raises:
        UserError: another file, a truncated file, a pickle that wants to run code, another space.
    """
    import pandas as pd

    if space.operations != OPERATIONS or space.n_variables != 8:
        raise UserError(f"{path} holds architectures of the space nasbench_graph, not of {space.name}.")
    content = load_plain(path)
    if not isinstance(content, dict) or not content:
        raise _not_this_format(path, f"a {type(content).__name__}, or nothing")
    for number, entry in content.items():
        if not _is_entry(number, entry):
            raise _not_this_format(path, f"entry {number!r}: {reprlib.repr(entry)}")
    frame = pd.DataFrame.from_records(list(content.values()), columns=list(FIELDS))
    return Table(
        str(path),
        space,
        _genotypes(np.fromiter(content, dtype=np.int64, count=len(content))),
        pd.DataFrame(
            {
                "valid_accuracy": 100 * frame["valid_perf"],
                "test_accuracy": 100 * frame["perf"],
                "params": np.rint(1e6 * frame["para"]),
                "latency_ms": 1e3 * frame["latency"],
            }
        ),
    )


def _is_entry(number: Any, entry: Any) -> bool:
    return (
        type(number) is int
        and 0 <= number < 90_000
        and "9" not in f"{number % 10_000}"
        and isinstance(entry, dict)
        and entry.keys() >= set(FIELDS)
        and all(type(entry[field]) is float for field in FIELDS)
    )


def _genotypes(numbers: IntArray) -> IntArray:
    digits = numbers[:, None] // 10 ** np.arange(3, -1, -1) % 10
    return np.concatenate([LINKS[numbers // 10_000], digits], axis=1)


def _not_this_format(path: Path, found: str) -> UserError:
    return UserError(
        f"{path} is not a file of NAS-Bench-Graph: found {found}, expected architecture numbers with "
        f"{', '.join(FIELDS)}. Reinstall the package nas-bench-graph."
    )
