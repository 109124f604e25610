"""Pickles of dicts of floats, read without running anything they ask for.

Two guards. Every instruction must be one that a dict of numbers needs, with a bounded size; and the only two
names such a pickle may import, numpy's scalar and dtype, are replaced by stand-ins that accept float64 alone.
"""

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ktnas.errors import UserError

SCALAR = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar")
DTYPE = ("numpy dtype",)
WORDS = (*(part for name in (*SCALAR, *DTYPE) for part in name.split()), "f8", "<")
MEMO = rb"(?:q.|r..[\x00-\x0f]\x00|\x94)"


def load_floats(path: Path, words: Sequence[str]) -> Any:
    """Content of a pickle of dicts, integers, strings among ``words``, floats and numpy float64 scalars.

    Returns:
        The content, every scalar as a Python float.

    Raises:
        UserError: a file that cannot be read, is truncated or no pickle, or wants anything else.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {problem.strerror}.") from None
    if not _allowed([*WORDS, *words]).fullmatch(content):
        raise UserError(_refusal(path, content))
    try:
        return _Unpickler(io.BytesIO(content)).load()
    except Exception as problem:  # whatever a damaged pickle leads to
        raise UserError(f"{path} is damaged: {problem}. Install or copy it again.") from None


class _Dtype:
    """Stand-in for numpy.dtype: little-endian float64 and nothing else."""

    def __init__(self, name: str, align: bool, copy: bool) -> None:
        if name != "f8":
            raise ValueError(f"a numpy scalar of type {name!r}, expected f8")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != "<":
            raise ValueError(f"a numpy scalar of byte order {state[1]!r}, expected '<'")


def _scalar(dtype: _Dtype, content: bytes) -> float:
    """Stand-in for numpy's scalar: a Python float."""
    if not isinstance(dtype, _Dtype):
        raise ValueError("a numpy scalar without its type")
    value: float = struct.unpack("<d", content)[0]
    return value


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module} {name}" in SCALAR:
            return _scalar
        if f"{module} {name}" in DTYPE:
            return _Dtype
        raise ValueError(f"it wants {module}.{name}")


def _allowed(words: Sequence[str]) -> re.Pattern[bytes]:
    """Pattern of the pickles that are read, one alternative per instruction.

    A tuple may only be made as the arguments of a call, which the stand-ins check, so nesting is bounded;
    memo indices are, so memory is. Strings are known words, so the pattern and the unpickler agree on where
    each instruction begins.
    """
    encoded = [word.encode() for word in words]
    strings = [b"X" + struct.pack("<I", len(word)) + word for word in encoded]
    strings += [b"\x8c" + bytes([len(word)]) + word for word in encoded]
    globals_ = [b"c" + name.replace(" ", "\n").encode() + b"\n" for name in (*SCALAR, *DTYPE)]
    instructions = [
        *(rb"h.", rb"j.{4}", MEMO),  # memo
        *(rb"G.{8}", rb"K.", rb"M..", rb"J.{4}", rb"C\x08.{8}", rb"[N\x88\x89]"),  # values
        *(rb"[(}us]", rb"[\x85-\x87t]" + MEMO + rb"?[Rb]"),  # dicts, calls
        *(rb"\x93", rb"\x95.{8}"),  # imports (checked by find_class), frames
        *map(re.escape, [*strings, *globals_]),
    ]
    return re.compile(rb"(?s:\x80[\x02-\x05](?:" + b"|".join(instructions) + rb")*+\.)")


def _refusal(path: Path, content: bytes) -> str:
    """Why a pickle is not read: what it wants to import, that it ends early, or what it is instead."""
    if not content:
        return f"{path} is empty, expected a pickle of numbers."
    strings: list[str] = []
    try:
        for instruction, argument, _ in pickletools.genops(content):
            if isinstance(argument, str) and "UNICODE" in instruction.name:
                strings.append(argument)
            wanted = ""
            if instruction.name in ("GLOBAL", "INST"):
                wanted = str(argument)
            elif instruction.name == "STACK_GLOBAL":
                wanted = " ".join(strings[-2:])
            if wanted and wanted not in (*SCALAR, *DTYPE):
                name = wanted.replace(" ", ".")
                return (
                    f"Refused: {path} contains a pickle that wants to run or import '{name}'; only dicts of "
                    "numbers are read. Do not trust this file."
                )
    except Exception as problem:  # pickletools checks little of what it reads
        return f"{path} is truncated or no pickle ({problem}). Install or copy it again."
    return f"{path} is a pickle, but not one of dicts of numbers alone, so it is not read."
