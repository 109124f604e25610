import numpy as np
import pandas as pd
import pytest

from experiments.cheap_fidelities import METHODS, MOST, main, table
from ktnas.train import settings


@pytest.mark.slow
def test_runs_and_resumes(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(settings.SUPERNET_DEFAULTS, "epochs", 1)
    small = ["--architectures", "3", "--spaces", "nasbench201", "--seeds", "1"]
    arguments = [*small, "--methods", "@1,@supernet,params,screen", "--out", str(tmp_path)]
    main(arguments)
    first = (tmp_path / "cheap_fidelities.csv").read_bytes()
    assert capsys.readouterr().err.count("\n") == 4

    main(arguments)

    assert capsys.readouterr().err == ""
    assert (tmp_path / "cheap_fidelities.csv").read_bytes() == first
    rows = pd.read_csv(tmp_path / "cheap_fidelities.csv").set_index("method")
    assert rows["once"].gt(0).to_dict() == {"@1": False, "@supernet": True, "params": False, "screen": False}
    assert rows["searched_2"].notna().all()
    assert rows["searched_3"].isna().all()
    assert rows["tested_2"].notna().tolist() == [True, True, False, False]
    page = (tmp_path / "cheap_fidelities.md").read_text(encoding="utf-8")
    assert "## nasbench201: 3 networks" in page


def rows(**searched):
    """A row per method and seed, of the values that it ranks by; the full training's are also its tests."""
    lines = []
    for method, seeds in searched.items():
        for seed, values in enumerate(seeds):
            padded = [*values, *[np.nan] * (MOST - len(values))]
            line = {"method": method, "seed": seed, "once": 0.0, "each": 2.0}
            line |= {f"searched_{i}": value for i, value in enumerate(padded)}
            tested = padded if method == "full" else [np.nan] * MOST
            lines.append(line | {f"tested_{i}": value for i, value in enumerate(tested)})
    return pd.DataFrame(lines)


def test_correlations_with_the_mean_of_the_full_training():
    found = table(rows(full=[[1, 2, 3, 4], [1, 2, 4, 3]], up=[[5, 6, 7, 8]], down=[[8, 7, 7, 6]]))
    lines = [line.split(" | ") for line in found.splitlines()[2:]]
    assert [line[0].removeprefix("| ") for line in lines] == ["full", "up", "down"]
    assert lines[0][1] == "0.80 ± 0.00"  # with the other seed's test errors alone
    assert lines[1][1:3] == ["0.95", "1.00"]
    assert lines[2][2] == "-1.00"


def test_nothing_else_to_compare_with():
    (alone,) = table(rows(full=[[1, 2, 3]])).splitlines()[2:]
    assert alone == "| full | 1.00 | 1.00 | – | 2.00 | 1 |"
    (nothing,) = table(rows(up=[[1, 2, 3]])).splitlines()[2:]
    assert nothing == "| up | – | – | – | 2.00 | 1 |"


def test_methods_are_told_apart(capsys):
    assert len(set(METHODS)) == len(METHODS)
    with pytest.raises(SystemExit):
        main(["--architectures", "1"])
    assert "expected 2 to 40" in capsys.readouterr().err
