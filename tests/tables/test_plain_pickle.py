import collections
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.errors import UserError
from ktnas.tables.plain_pickle import load_plain, loads_plain

SHARED = [1, 2]
PLAIN = [
    *(None, True, 0, 255, 65_535, -3, 2**70, 1.5, "text", "é" * 300, b"bytes", b""),
    *([], [1, [2, "a"]], {}, {"a": {1: [2.0]}}, {(1, "a"): 2}, {1, 2}, (1, (2, 3)), (1, 2, 3, 4)),
    *(collections.OrderedDict(a=1), collections.defaultdict(list, {1: [2]}), [SHARED, SHARED]),
]
ARRAYS = [
    np.arange(3.0),
    np.arange(1000, dtype=np.float32),
    np.arange(6, dtype=">i4").reshape(2, 3),
    np.array([[1, 2], [3, 4]], order="F"),
    np.zeros((0, 3)),
    np.array([True, False]),
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data_is_what_it_was(protocol: int) -> None:
    for value in PLAIN:
        assert loads_plain(pickle.dumps(value, protocol), "f") == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_are_what_they_were(protocol: int) -> None:
    for value in ARRAYS:
        again = loads_plain(pickle.dumps([value, {"a": value}], protocol), "f")
        np.testing.assert_array_equal(again[0], value)
        assert again[1]["a"] is again[0]
        assert again[0].shape == value.shape


@pytest.mark.parametrize("core", [b"core", b"_core"])
@pytest.mark.parametrize("value", [np.float64(1.5), np.float32(1.5), np.int64(-2), np.bool_(True)])
def test_numpy_scalars_are_python_numbers(core: bytes, value: np.generic) -> None:
    written = pickle.dumps(value, 3).replace(b"numpy._core", b"numpy." + core)
    again = loads_plain(written, "f")
    assert again == value.item()
    assert type(again) is type(value.item())


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_plain(tmp_path)


class Malicious:
    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_what_a_pickle_wants_to_run_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    attack = pickle.dumps({"a": [1.0, Malicious(os.system, f"touch {marker}")]}, protocol)
    with pytest.raises(
        UserError, match=r"Refused: bad contains a pickle that wants to run or import '\w+.system'"
    ):
        loads_plain(attack, "bad")
    assert not marker.exists()
    pickle.loads(attack)
    assert marker.exists()


@pytest.mark.parametrize(
    "attack",
    [
        b"\x80\x04\x8c\x08builtins\x94\x8c\x04eval\x94\x93h\x00\x8c\x04list\x93.",
        b"\x80\x03cnumpy\nload\nX\x01\x00\x00\x00a\x85R.",
        b"\x80\x03cbuiltins\nlist\n)R.",  # an admitted name that is no function
        b"\x80\x03cnumpy\ndtype\n}b.",  # changing one
        b"\x80\x03cnumpy\ndtype\nN}\x86b.",
        b"\x80\x03cnumpy\ndtype\n.",  # handing one out
        b"\x80\x03c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
        b"\x80\x02\x82\x01.",
        b"\x80\x04X\x01\x00\x00\x00aQ.",
    ],
)
def test_other_attacks_are_refused(attack: bytes) -> None:
    with pytest.raises(UserError, match="bad"):
        loads_plain(attack, "bad")


def test_numpy_data_that_is_not_numeric_is_refused() -> None:
    for value in (
        np.array([{}], dtype=object),
        np.array(["a"]),
        np.zeros(2, dtype="f8,i4"),
        np.datetime64(1, "s"),
    ):
        with pytest.raises(UserError, match=r"bad"):
            loads_plain(pickle.dumps(value, 3), "bad")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x03r\xff\xff\xff\x7f.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a buffer of 2^63 bytes
        b"\x80\x03B\xff\xff\xff\x7f.",
        b"\x80\x03}" + b"N" + b"\x85" * 100_000 + b"Ns.",  # a key nested deeply
        b"\x80\x03}"
        + pickle.dumps(np.zeros(1), 3)[2:-1].replace(b"K\x01\x85", b"J\xff\xff\xff\x7f\x85")
        + b".",
        b"\x80\x03",
        b"\x80",
        b"\x80\x01N.",
        b"\x80\x03N.more",
        b"\x80\x03NN.",
        b"\x80\x03(N.",
        b"",
    ],
)
def test_what_would_exhaust_the_machine_is_refused(content: bytes) -> None:
    with pytest.raises(UserError, match="bad"):
        loads_plain(content, "bad")


def test_deep_nesting_that_is_no_key_is_harmless() -> None:
    loads_plain(b"\x80\x03N" + b"\x85" * 100_000 + b".", "f")
    loads_plain(b"\x80\x03" + b"]" * 100_000 + b"a" * 99_999 + b".", "f")


def test_truncated_anywhere() -> None:
    content = pickle.dumps({"a": [1.5, np.arange(3.0)]}, 4)
    for size in range(len(content)):
        with pytest.raises(UserError, match=r"bad is (truncated|empty)"):
            loads_plain(content[:size], "bad")


OPCODES = st.sampled_from(
    [
        *(
            b"}",
            b"]",
            b")",
            b"(",
            b"u",
            b"s",
            b"a",
            b"e",
            b"t",
            b"q\x00",
            b"h\x00",
            b"\x94",
            b"\x93",
            b"\x8f",
            b"\x90",
        ),
        *(
            b"K\x01",
            b"N",
            b"C\x08abcdefgh",
            b"G" + struct.pack(">d", 1.5),
            b"\x8c\x02f8",
            b"\x8c\x01<",
            b"\x8a\x01a",
        ),
        *(b"\x85", b"\x86", b"\x87", b"R", b"b", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n"),
        *(b"cnumpy.core.multiarray\n_reconstruct\n", b"ccollections\nOrderedDict\n", b"cbuiltins\nset\n"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=60).map(lambda tail: b"\x80\x03" + tail),
        st.lists(OPCODES, max_size=30).map(lambda parts: b"\x80\x03" + b"".join(parts) + b"."),
    )
)
def test_any_program_is_data_or_a_clear_error(content: bytes) -> None:
    said = "fuzz"
    try:
        loads_plain(content, "fuzz")
    except UserError as problem:
        said = str(problem)
    assert "fuzz" in said
