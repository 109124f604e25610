import json
from pathlib import Path

import numpy as np
import pytest

from ktnas.errors import UserError
from ktnas.record.files import front_stem, json_bytes, write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "below" / "file.csv"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write .*file/summary\.json"):
        write_atomically(tmp_path / "file" / "summary.json", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="Cannot write"):
        write_atomically(tmp_path / "folder", b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_json_is_strict_and_plain():
    document = {
        "a": np.float64(0.1),
        "b": [np.nan, np.inf],
        "c": np.arange(2),
        "d": Path("x"),
        "e": (True, None),
    }
    assert json.loads(json_bytes(document), parse_constant=lambda name: pytest.fail(name)) == {
        "a": 0.1,
        "b": [None, None],
        "c": [0, 1],
        "d": "x",
        "e": [True, None],
    }


def test_front_names():
    assert front_stem("ImageNet16-120", "pixel3", False) == "front_ImageNet16-120"
    assert front_stem("cora", "pixel3", True) == "front_cora_pixel3"
    assert front_stem("cora", None, True) == "front_cora"
    assert front_stem("../a:b", None, False) == "front_..%2Fa%3Ab"
