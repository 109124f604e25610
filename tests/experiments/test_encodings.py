import numpy as np
import pandas as pd
import pytest

from experiments import encodings
from experiments.encodings import isomorphic, main
from ktnas.space import load_space

pytestmark = pytest.mark.usefixtures("data_dir")
METHODS = ("onehot", "cell + node2vec")
QUICK = {"name": "node2vec", "architectures": 20, "walks": 1, "width": 8}


def test_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(encodings.METHODS, METHODS[1], {"name": "combined", "parts": ["cell", QUICK]})
    command = ["--seeds", "1", "--methods", ",".join(METHODS), "--spaces", "darts", "--out", str(tmp_path)]
    main(command)

    page = (tmp_path / "encodings.md").read_text(encoding="utf-8")
    assert page in capsys.readouterr().out
    rows = pd.read_csv(tmp_path / "encodings.csv").set_index("method")
    assert set(rows.index) == set(METHODS)
    assert (rows["itself"] == 0).all()
    assert (rows["mutated"] < 0.5).all()
    assert rows.loc["onehot", "isomorphic"] > rows.loc[METHODS[1], "isomorphic"]
    assert rows.loc[METHODS[1], "tau 128"] > max(0.5, rows.loc["onehot", "tau 128"])
    assert rows.loc[METHODS[1], "tau 128"] > rows.loc[METHODS[1], "tau 32"] > 0.2
    assert rows.loc[METHODS[1], "rho"] > 0.05

    main(command)
    assert len(pd.read_csv(tmp_path / "encodings.csv")) == len(METHODS)


@pytest.mark.parametrize("name", ["nasbench201", "darts"])
def test_isomorphic_genotypes_differ_and_compute_the_same(name):
    space = load_space(name)
    first, second = isomorphic(space, np.random.default_rng(0))
    assert len(first) == len(second) > 900
    assert (first != second).any(axis=1).all()
    np.testing.assert_array_equal(space.keys(first), space.keys(second))
