import bz2
import gzip
import logging
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.errors import UserError
from ktnas.space import load_space
from ktnas.tables import Table, read_table

SPACE = load_space("transnas_micro")
FIRST, SECOND, THIRD = "64-41414-0_00_000", "64-41414-1_11_111", "64-41414-2_22_222"
CSV = f"arch,a,b,note\n{FIRST},1,0.5,x\n{SECOND},2,,y\n{THIRD},3,inf,z\n"

Read = Callable[[str | bytes], Table]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: str | bytes) -> Table:
        file = tmp_path / "t.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(file, SPACE)

    return read


def test_reads_columns_of_numbers(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    table = read(CSV)
    assert table.columns == ("a", "b")
    assert SPACE.format(table.genotypes) == [FIRST, SECOND, THIRD]
    np.testing.assert_array_equal(table.column("a"), [1, 2, 3])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(table.column("b"), [0.5, np.nan, np.nan])
        table.column("b")
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "column 'b' is missing, NaN or infinite in 2 of 3 rows; they count as not evaluated."
    ]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.bz2", "csv.xz", "csv.zip"])
def test_compressions(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t.{suffix}"
    pd.DataFrame({"arch": [FIRST], "a": [1.0]}).to_csv(file, index=False)
    assert read_table(file, SPACE).column("a").tolist() == [1.0]


def test_rows_and_look_up(read: Read) -> None:
    table = read(CSV)
    genotypes = SPACE.parse([THIRD, "64-41414-3_33_333", FIRST])
    np.testing.assert_array_equal(table.rows(genotypes), [2, -1, 0])
    np.testing.assert_array_equal(
        table.look_up(genotypes, ["a", "b"]), [[3, np.nan], [np.nan, np.nan], [1, 0.5]]
    )


def test_tolerates_what_spreadsheets_write(read: Read) -> None:
    content = f"﻿arch, a\r\n\r\n{FIRST}, 1\r\n{SECOND}, 2e0\r\n\r\n"
    assert read(content).column("a").tolist() == [1.0, 2.0]


def test_other_name_of_the_architectures(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"a,cell\n1,{FIRST}\n")
    assert len(read_table(file, SPACE, arch="cell")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.csv is empty, expected a header line with a column 'arch'"),
        ("\n\n", "t.csv"),
        ("arch,a\n", "t.csv has no rows"),
        (f"archs,a\n{FIRST},1\n", "Unknown column of .*t.csv: 'arch'. Did you mean archs"),
        (f"arch;a\n{FIRST};1\n", "Unknown column of .*t.csv: 'arch'.*arch;a"),
        (f"arch,a\n{FIRST},1\n64-41414-0_00_009,2\n", "t.csv, line 3: Cannot read '64-41414-0_00_009' as"),
        (f"arch,a\n\n{FIRST},1\n\n,2\n", "t.csv, line 5: column 'arch' is empty"),
        (
            f"arch,a\n{FIRST},1\n{SECOND},1\n\n{FIRST},2\n",
            f"t.csv, line 5: same architecture as line 2, {FIRST} ",
        ),
        (f"arch,a\n{FIRST},1,2\n", "t.csv cannot be read as comma-separated values"),
        (f"arch,a\n{FIRST},1\n{SECOND},2,3\n", "t.csv cannot be read as comma-separated values.*line 3"),
        (b"\x80\x03}q\x00.\xff\xfe\x00", "t.csv is not text, expected comma-separated values in UTF-8"),
        (b"PK\x03\x04" + bytes(range(256)), "t.csv is not text"),
    ],
)
def test_bad_files(read: Read, content: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            "1\n2\nabc",
            "t.csv, line 4: column 'a' holds 'abc', expected a number .1 such values in the column.",
        ),
        ("1\n0,5\nabc", "t.csv cannot be read"),
        ("\nnan\ninf", "t.csv: column 'a' has no finite value"),
        ("x\ny\nz", "t.csv, line 2: column 'a' holds 'x'"),
        ("True\nFalse\nTrue", "t.csv, line 2: column 'a' holds np.True_|True"),
    ],
)
def test_bad_columns(read: Read, column: str, message: str) -> None:
    lines = [
        f"{arch},{value}" for arch, value in zip((FIRST, SECOND, THIRD), column.split("\n"), strict=True)
    ]
    with pytest.raises(UserError, match=message):
        read("\n".join(["arch,a", *lines, ""])).column("a")


def test_unknown_column(read: Read) -> None:
    with pytest.raises(UserError, match="Did you mean note"):
        read(CSV).column("notes")


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Unknown format of a table 'cvs'. Did you mean csv"):
        read_table(tmp_path / "t.csv", SPACE, format="cvs")


@pytest.mark.parametrize(
    ("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_truncated_archives(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    content = pack(CSV.encode())
    for size in (0, 1, 5, len(content) // 2, len(content) - 1):
        file = tmp_path / f"{size}.csv.{suffix}"
        file.write_bytes(content[:size])
        with pytest.raises(UserError, match=str(file)):
            read_table(file, SPACE)


def test_archive_of_two_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("b.csv", CSV)
    with pytest.raises(UserError, match=r"t.csv.zip cannot be read"):
        read_table(tmp_path / "t.csv.zip", SPACE)


TOKENS = st.sampled_from(
    [FIRST.encode(), SECOND.encode(), b"arch", b",", b"\n", b"1.5", b"nan", b'"', b"\r", b"x"]
)


@settings(max_examples=150, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=200), st.lists(TOKENS, max_size=25).map(b"".join)),
    header=st.booleans(),
    suffix=st.sampled_from(["csv", "csv.gz", "csv.xz", "csv.zip"]),
)
def test_any_bytes_are_a_table_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, header: bool, suffix: str
) -> None:
    file = tmp_path_factory.getbasetemp() / f"fuzz.{suffix}"
    file.write_bytes((b"arch,a\n" if header else b"") + content)
    try:
        table = read_table(file, SPACE)
        for name in table.columns:
            table.column(name)
        said = table.origin
    except UserError as problem:
        said = str(problem)
    assert "fuzz" in said
