"""Pickles of plain data, read without running anything they ask for.

A pickle is a program for a stack machine, and its author decides what it imports and calls. The machine here
knows only the instructions that plain data needs: numbers, texts, lists, dicts, sets, tuples. The few names
that such data refers to, numpy's arrays and scalars among them, stand for functions written here; any other
name is refused, so nothing is ever imported.
"""

import io
import pickletools
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ktnas.errors import UserError

NUMERIC = re.compile(r"[fiu][1248]|b1")
ORDERS = "<>|="
SCALARS = (str, int, float, bool, bytes, type(None))


def load_plain(path: Path) -> Any:
    """Content of the pickle in the file ``path``, as ``loads_plain`` gives it.

    Raises:
        UserError: a file that cannot be read, is truncated, no pickle, or not one of plain data.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {problem.strerror}.") from None
    return loads_plain(content, str(path))


def loads_plain(content: bytes, origin: str) -> Any:
    """Content of a pickle of plain data: None, booleans, numbers, texts, bytes, and containers of them.

    Args:
        content: one pickle of protocol 2 to 5.
        origin: the file, for messages.

    Returns:
        The content. Numpy's scalars are Python numbers, its numeric arrays are arrays, an ``OrderedDict`` or
        ``defaultdict`` is a dict. Keys are numbers, texts, or tuples of them. Containers may hold themselves.

    Raises:
        UserError: what is truncated, no pickle, or wants anything else; a name it wants to import is told.
    """
    try:
        return _Machine(content).run()
    except Exception as problem:  # whatever a damaged or hostile pickle leads to
        raise UserError(_refusal(origin, content, problem)) from None


class _WantedError(Exception):
    """A name that a pickle wants to import."""


class _Name:
    """An admitted name: inert on the stack, a function of ours when it is called."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any] | None = None) -> None:
        self.call = call


class _Dtype:
    """A numpy dtype in the making: its kind and size, then its byte order."""

    __slots__ = ("kind", "order")

    def __init__(self, kind: str, align: bool, copy: bool) -> None:
        if not NUMERIC.fullmatch(kind):
            raise ValueError(f"numpy data of type {kind!r}, expected numbers")
        self.kind = kind
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        if state[1] not in ORDERS:
            raise ValueError(f"numpy data of byte order {state[1]!r}")
        self.order = state[1]

    def read(self, content: bytes, shape: tuple[int, ...], fortran: bool = False) -> np.ndarray:
        dtype = np.dtype(self.order + self.kind)
        return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: _Dtype, content: bytes) -> Any:
    (value,) = dtype.read(content, (1,)).tolist()
    return value


def _from_buffer(content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    return dtype.read(content, shape, order == "F")


def _build_array(array: np.ndarray, state: Any) -> None:
    _, shape, dtype, fortran, content = state
    values = dtype.read(content, shape, bool(fortran))
    array.resize(values.shape, refcheck=False)
    array[...] = values


def _encoded(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


def _dict(*arguments: Any) -> dict[Any, Any]:
    pairs = arguments[0] if arguments and isinstance(arguments[0], list) else []
    return {_key(key): value for key, value in pairs}


def _set(items: list[Any]) -> set[Any]:
    return {_key(item) for item in items}


def _key(value: Any) -> Any:
    """``value``, if hashing it takes bounded effort."""
    members = value if type(value) is tuple else (value,)
    if not all(type(member) in SCALARS for member in members):
        raise ValueError(f"a key of type {type(value).__name__}")
    return value


NAMES = {
    "numpy dtype": _Name(_Dtype),
    "numpy ndarray": _Name(),
    "_codecs encode": _Name(_encoded),
    "collections OrderedDict": _Name(_dict),
    "collections defaultdict": _Name(_dict),
    **{f"{module} set": _Name(_set) for module in ("builtins", "__builtin__")},
    **{f"{module} bytes": _Name(bytes) for module in ("builtins", "__builtin__")},
    **{
        f"{module} {name}": _Name()
        for module in ("builtins", "__builtin__")
        for name in ("list", "dict", "int", "float")
    },
    **{
        f"numpy.{core}.{name}": _Name(call)
        for core in ("core", "_core")
        for name, call in (
            ("multiarray scalar", _scalar),
            ("multiarray _reconstruct", lambda *_: np.empty(0)),
            ("numeric _frombuffer", _from_buffer),
        )
    },
}

TORCH_NAMES: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Dtype, "numpy.dtype"),
    *((_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]
"""The same stand-ins for ``torch.load(weights_only=True)``, so that numpy's numbers are read there, too."""


class _Machine:
    """The stack machine. Its memo is a dict, so that an index costs nothing but its entry."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The content; what is most frequent in large files is spelt out here, all else is a method."""
        content, memo, read_float = self.content, self.memo, FLOAT.unpack_from
        if content[:1] != b"\x80" or not 2 <= content[1] <= 5:
            raise ValueError("it does not begin like one")
        self.position = 2
        while (code := content[self.position]) != STOP:
            start = self.position + 1
            if code == GET:
                self.stack.append(memo[content[start]])
                self.position = start + 1
            elif code == PUT:
                memo[content[start]] = self.stack[-1]
                self.position = start + 1
            elif code == LONG_PUT:
                self.position = start + 4
                memo[int.from_bytes(content[start : start + 4], "little")] = self.stack[-1]
            elif code == MEMOIZE:
                memo[len(memo)] = self.stack[-1]
                self.position = start
            elif code == NUMBER:
                self.stack.append(read_float(content, start)[0])
                self.position = start + 8
            else:
                self.position = start
                INSTRUCTIONS[code](self)
        self.position += 1
        (value,) = self.stack
        if self.marks or self.position != len(content):
            raise ValueError("more follows its end")
        if isinstance(value, _Name | _Dtype):
            raise ValueError("it holds no data")
        return value

    def take(self, size: int) -> bytes:
        start = self.position
        self.position = start + size
        if self.position > len(self.content):
            raise EOFError("it ends early")
        return self.content[start : self.position]

    def number(self, layout: struct.Struct) -> Any:
        start = self.position
        self.position = start + layout.size
        return layout.unpack_from(self.content, start)[0]

    def line(self) -> str:
        end = self.content.index(b"\n", self.position)
        return self.take(end + 1 - self.position)[:-1].decode()

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def name(self, wanted: str) -> None:
        if wanted not in NAMES:
            raise _WantedError(wanted)
        self.stack.append(NAMES[wanted])

    def stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(f"{module} {name}")

    def tuple_of(self, size: int) -> None:
        if len(self.stack) < size:
            raise ValueError("it takes what is not there")
        items = tuple(self.stack[-size:])
        self.stack[-size:] = [items]

    def tuple_since_mark(self) -> None:
        items = tuple(self.since_mark())
        self.stack.append(items)

    def call(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or name.call is None:
            raise ValueError("it calls what is no function")
        self.stack.append(name.call(*arguments))

    def build(self) -> None:
        state, value = self.stack.pop(), self.stack[-1]
        if isinstance(value, _Dtype):
            value.__setstate__(state)
        elif isinstance(value, np.ndarray):
            _build_array(value, state)
        else:
            raise ValueError(f"it changes a {type(value).__name__}")

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise ValueError(f"it appends to a {type(target).__name__}")
        target.extend(items)

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise ValueError(f"it sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[key if type(key) in SCALARS else _key(key)] = value

    def add(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not set:
            raise ValueError(f"it adds to a {type(target).__name__}")
        target.update(map(_key, items))

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.update([key, value])


STOP, GET, PUT, LONG_PUT, MEMOIZE, NUMBER = b".hqr\x94G"
BYTE, SHORT, INT = struct.Struct("<B"), struct.Struct("<H"), struct.Struct("<i")
SIZE, LONG_SIZE, FLOAT = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct(">d")

Instruction = Callable[[_Machine], None]


def _constant(value: Any) -> Instruction:
    return lambda machine: machine.stack.append(value)


def _number(layout: struct.Struct) -> Instruction:
    return lambda machine: machine.stack.append(machine.number(layout))


def _counted(layout: struct.Struct, decode: Callable[[bytes], Any]) -> Instruction:
    return lambda machine: machine.stack.append(decode(machine.take(machine.number(layout))))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _integer(content: bytes) -> int:
    return int.from_bytes(content, "little", signed=True)


INSTRUCTIONS: dict[int, Instruction] = {
    code[0]: instruction
    for code, instruction in (
        (b"j", lambda machine: machine.stack.append(machine.memo[machine.number(SIZE)])),
        (b"K", _number(BYTE)),
        (b"M", _number(SHORT)),
        (b"J", _number(INT)),
        (b"\x8a", _counted(BYTE, _integer)),
        (b"N", _constant(None)),
        (b"\x88", _constant(True)),
        (b"\x89", _constant(False)),
        (b"\x8c", _counted(BYTE, _text)),
        (b"X", _counted(SIZE, _text)),
        (b"\x8d", _counted(LONG_SIZE, _text)),
        (b"C", _counted(BYTE, bytes)),
        (b"B", _counted(SIZE, bytes)),
        (b"\x8e", _counted(LONG_SIZE, bytes)),
        (b"\x96", _counted(LONG_SIZE, bytes)),
        (b"(", _Machine.mark),
        (b"}", lambda machine: machine.stack.append({})),
        (b"]", lambda machine: machine.stack.append([])),
        (b"\x8f", lambda machine: machine.stack.append(set())),
        (b")", _constant(())),
        (b"\x85", lambda machine: machine.tuple_of(1)),
        (b"\x86", lambda machine: machine.tuple_of(2)),
        (b"\x87", lambda machine: machine.tuple_of(3)),
        (b"t", _Machine.tuple_since_mark),
        (b"s", _Machine.set_item),
        (b"u", lambda machine: machine.update(machine.since_mark())),
        (b"a", lambda machine: machine.append([machine.stack.pop()])),
        (b"e", lambda machine: machine.append(machine.since_mark())),
        (b"\x90", lambda machine: machine.add(machine.since_mark())),
        (b"c", lambda machine: machine.name(f"{machine.line()} {machine.line()}")),
        (b"\x93", _Machine.stack_name),
        (b"R", _Machine.call),
        (b"b", _Machine.build),
        (b"\x95", lambda machine: machine.number(LONG_SIZE)),
    )
}


def _refusal(origin: str, content: bytes, problem: Exception) -> str:
    """Why a pickle is not read: what it wants to import, that it ends early, or what it is instead."""
    if not content:
        return f"{origin} is empty, expected a pickle of plain data."
    wanted = str(problem) if isinstance(problem, _WantedError) else ""
    try:
        for instruction, argument, _ in pickletools.genops(io.BytesIO(content)):
            if instruction.name in ("GLOBAL", "INST") and argument not in NAMES:
                wanted = wanted or str(argument)
    except Exception as early:  # pickletools checks little of what it reads
        if not wanted:
            return f"{origin} is truncated or no pickle ({early}). Download or copy it again."
    if wanted:
        return (
            f"Refused: {origin} contains a pickle that wants to run or import '{wanted.replace(' ', '.')}'; "
            "only plain data, numbers and texts, is read. Do not trust this file."
        )
    said = str(problem)[:200] or type(problem).__name__
    return f"{origin} is a pickle, but not one of plain data alone, so it is not read ({said})."
