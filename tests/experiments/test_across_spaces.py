import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.across_spaces import PAIRS, SIDES, _pairs, main, worth


@pytest.mark.slow
def test_table_and_resume(data_dir: Path, tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--seeds", "2", "--pairs", "NB201 cifar10:micro scene"]
    arguments += ["--budget", "3", "--samples", "40"]
    main(arguments)
    rows = pd.read_csv(tmp_path / "across_spaces.csv")
    assert rows["method"].tolist() == ["random", "no transfer", "size", "transfer"] * 2
    assert (
        rows["setting"].tolist() == ["micro scene", "micro scene", *["NB201 cifar10 → micro scene"] * 2] * 2
    )
    curves = rows[[f"log2_rank_{n}" for n in (1, 2, 3)]].to_numpy()
    assert (np.diff(curves, axis=1) <= 0).all()
    assert ((curves >= 0) & (curves <= 12)).all()
    led, alone = curves[rows["method"] == "transfer"], curves[rows["method"] == "no transfer"]
    np.testing.assert_array_equal(led[:, 0], alone[:, 0])
    page = (tmp_path / "across_spaces.md").read_text(encoding="utf-8")
    assert f"{(led[:, 2] - alone[:, 2]).mean():.2f} ±" in page
    main(arguments)
    assert len(pd.read_csv(tmp_path / "across_spaces.csv")) == len(rows)


def test_worth_is_how_much_later_the_other_curve_comes_there() -> None:
    slow, fast = np.array([9.0, 8.0, 7.0, 3.0, 2.0]), np.array([9.0, 3.0, 3.0, 1.0, 1.0])
    assert worth(fast, slow, 2) == 2
    assert worth(fast, slow, 3) == 2
    assert worth(slow, fast, 3) == -1
    assert np.isnan(worth(fast, slow, 4))


def test_pairs_are_named() -> None:
    assert _pairs("NB201 cifar10:micro scene,micro scene:macro scene") == [PAIRS[1], PAIRS[5]]
    assert {side for pair in PAIRS for side in pair} <= SIDES.keys()
    for wrong in ("micro scene", "micro scene:nothing"):
        with pytest.raises(argparse.ArgumentTypeError, match="source:target"):
            _pairs(wrong)
