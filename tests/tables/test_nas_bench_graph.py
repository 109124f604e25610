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
from ktnas.space import load_space
from ktnas.tables import Table, locate, read_table

SPACE = load_space("nasbench_graph")
ENTRY = {"valid_perf": 0.5, "perf": 0.25, "latency": 0.002, "para": 1.5}
CONTENT = {10123: {**ENTRY, "para": np.float64(0.25)}, 80888 - 87: ENTRY}

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: bytes) -> Path:
        file = tmp_path / "cora.bench"
        file.write_bytes(content)
        return file

    return write


def read(path: Path) -> Table:
    return read_table(path, SPACE, "nas_bench_graph")


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_reads_architectures_and_units(write: Write, protocol: int) -> None:
    table = read(write(pickle.dumps(CONTENT, protocol)))
    assert SPACE.format(table.genotypes) == [
        "Arch([0, 0, 0, 1], ['gat', 'gcn', 'gin', 'cheb'])",
        "Arch([0, 1, 2, 3], ['gat', 'skip', 'gat', 'gcn'])",
    ]
    assert table.columns == ("valid_accuracy", "test_accuracy", "params", "latency_ms")
    assert table.column("valid_accuracy").tolist() == [50, 50]
    assert table.column("test_accuracy").tolist() == [25, 25]
    assert table.column("params").tolist() == [250_000, 1_500_000]
    assert table.column("latency_ms").tolist() == [2, 2]


def test_published_file(monkeypatch: pytest.MonkeyPatch) -> None:
    table = read(locate("package:nas_bench_graph/light/proteins.bench"))
    assert len(table) == 2021
    assert (table.column("latency_ms") > 0).all()


class Malicious:
    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickle_that_runs_a_command_is_refused(write: Write, tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    attack = pickle.dumps({1: ENTRY, 5: Malicious(os.system, f"touch {marker}")}, protocol)
    with pytest.raises(
        UserError, match=r"Refused: .*cora.bench contains a pickle that wants to run or import '.*system'"
    ):
        read(write(attack))
    assert not marker.exists()
    pickle.loads(attack)
    assert marker.exists()


@pytest.mark.parametrize(
    "attack",
    [
        b"cbuiltins\nexec\n(V1\ntR.",
        b"(S'touch marker'\nios\nsystem\n.",
        b"\x80\x03cnumpy\nload\nX\x01\x00\x00\x00a\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93\x94\x8c\x02f8\x8c\x05numpy\x93.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_other_ways_to_import_are_refused(write: Write, attack: bytes) -> None:
    with pytest.raises(UserError, match=r"cora.bench"):
        read(write(attack))


SCALAR, DTYPE = b"cnumpy.core.multiarray\nscalar\n", b"cnumpy\ndtype\n"
F8 = b"X\x02\x00\x00\x00f8\x89\x88\x87R"
WORD_PERF = b"X\x04\x00\x00\x00perf"


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x03Nr\xff\xff\xff\x7f.",  # a memo of billions
        b"\x80\x03" + SCALAR + b"C\x08abcdefghK\x00\x86R.",  # a scalar of no type
        b"\x80\x03" + DTYPE + WORD_PERF + b"\x89\x88\x87R.",  # another type
        b"\x80\x03" + DTYPE + F8 + b"(K\x03" + WORD_PERF + b"tb.",  # another byte order
        b"\x80\x03" + DTYPE + F8 + b".",  # a dtype in place of the dict
        b"\x80\x03}" * 3 + b"q\x00(K\x01}" * 2000 + b"u" * 2000 + b".",
        b"\x80\x03}q\x00(K\x01h\x00u.",  # a dict that holds itself
        b"\x80\x03}(K\x01}q\x01(" + WORD_PERF + b"h\x01uu.",
        b"\x80\x03N.",
        b"\x80\x03}.",
        pickle.dumps([1, 2, 3], 3),
        pickle.dumps({1: 2}, 3),
        pickle.dumps({1: {"perf": 1.0}}, 3),
        pickle.dumps({90_000: ENTRY}, 3),
        pickle.dumps({-1: ENTRY}, 3),
        pickle.dumps({19: ENTRY}, 3),
        pickle.dumps({1.5: ENTRY}, 3),
        pickle.dumps({1: {**ENTRY, "perf": 1}}, 3),
        pickle.dumps({1: {**ENTRY, "perf": np.int64(1)}}, 3),
        pickle.dumps({1: {**ENTRY, "perf": np.zeros(3)}}, 3),
        pickle.dumps({0: ENTRY, 1: ENTRY, 10: ENTRY}, 3),  # the same architecture twice
        pickle.dumps(CONTENT, 3) + b"more",
        b"",
        b"arch,score\n",
        bytes(range(256)),
    ],
)
def test_damaged_and_other_files(write: Write, content: bytes) -> None:
    with pytest.raises(UserError, match=r"cora.bench"):
        read(write(content))


def test_truncated_anywhere(write: Write) -> None:
    content = pickle.dumps(CONTENT, 3)
    for size in range(len(content)):
        with pytest.raises(UserError, match=r"cora.bench is (truncated|empty)"):
            read(write(content[:size]))


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path)


def test_other_space(write: Write) -> None:
    with pytest.raises(UserError, match="of the space nasbench_graph, not of nasbench201"):
        read_table(write(pickle.dumps(CONTENT, 3)), load_space("nasbench201"), "nas_bench_graph")


def test_infinite_values_are_not_evaluated(write: Write) -> None:
    content = {0: {**ENTRY, "valid_perf": np.inf}, 1: {**ENTRY, "latency": np.nan}}
    table = read(write(pickle.dumps(content, 3)))
    np.testing.assert_array_equal(table.column("valid_accuracy"), [np.nan, 50])
    np.testing.assert_array_equal(table.column("latency_ms"), [2, np.nan])


VALID = pickle.dumps(CONTENT, 3)
OPCODES = st.sampled_from(
    [
        *(b"}", b"(", b"u", b"s", b"q\x00", b"h\x00", b"r\x00\x00\x00\x7f", b"\x94", b"\x93"),
        *(b"K\x01", b"N", b"C\x08abcdefgh", b"G" + struct.pack(">d", 1.5), WORD_PERF),
        *(b"\x86", b"\x87", b"t", b"R", b"b", SCALAR, DTYPE, F8),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=100),
        st.lists(OPCODES, max_size=30).map(lambda parts: b"\x80\x03" + b"".join(parts) + b"."),
        st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)).map(
            lambda change: VALID[: change[0]] + bytes([change[1]]) + VALID[change[0] + 1 :]
        ),
    )
)
def test_any_bytes_are_a_table_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.bench"
    file.write_bytes(content)
    try:
        said = read(file).origin
    except UserError as problem:
        said = str(problem)
    assert "fuzz.bench" in said
