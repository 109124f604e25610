import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from experiments.report import by_seed, markdown_table, mean_cell, origin, p_cells, publish, published_cells


def rows(**methods):
    return pd.DataFrame(
        [
            {"setting": "s", "method": method, "seed": seed, "total": float(value)}
            for method, values in methods.items()
            for seed, value in enumerate(values)
        ]
    )


def test_mean_cell():
    assert mean_cell([1, 2, 3, 4], 2) == "2.50 ± 0.65"
    assert mean_cell(pd.Series([7]), 0) == "7"
    assert mean_cell([np.nan], 1) == "–"


def test_p_values_are_against_ktnas_and_corrected():
    rng = np.random.default_rng(0)
    ktnas = rng.normal(size=12)
    near, far = ktnas + rng.normal(size=12), ktnas + 5 + rng.random(12)

    p = p_cells(rows(near=near, ktnas=ktnas, far=far), "total")

    assert p["ktnas"] == "–"
    assert p["far"] == "< 0.001"
    assert float(p["near"]) == pytest.approx(wilcoxon(ktnas - near).pvalue, abs=5e-4)  # the last step of Holm


def test_no_p_value_without_ktnas_or_with_few_seeds():
    assert p_cells(rows(a=range(9), b=range(1, 10)), "total") == {"a": "–", "b": "–"}
    assert p_cells(rows(a=range(5), ktnas=range(1, 6)), "total") == {"a": "–", "ktnas": "–"}


def test_markdown_table():
    assert markdown_table(["method", "n"], [["a", "1"], ["b", "2"]]) == (
        "| method | n |\n| :-- | --: |\n| a | 1 |\n| b | 2 |\n"
    )


def test_published_cells():
    assert published_cells({"a": 100.7, "b": 23129}, ["b", "a", "c"]) == ["23129", "100.7", "–"]


def test_mean_over_settings_takes_whole_seeds_only():
    one, other = rows(a=[1, 2]), rows(a=[3])
    other["setting"] = "t"

    found = by_seed(pd.concat([one, other]), ["total"], ["s", "t"])

    assert found.to_dict("records") == [{"method": "a", "seed": 0, "total": 2.0}]


def test_origin_warns_of_mixed_code():
    runs = pd.DataFrame({"seconds": [1.0, 2.0], "ktnas": ["1", "1"], "code": ["x", "x"]})
    mixed = runs.assign(code=["x", "y"])

    assert "`the command` with python 3" in origin("the command")
    assert "2 runs took 3 s" in origin("the command", runs)
    assert "states of the engine's code" not in origin("the command", runs)
    assert "2 states of the engine's code: 1 (x), 1 (y)" in origin("the command", mixed)


def test_page_is_written_and_printed(tmp_path, capsys):
    publish(tmp_path / "new" / "page.md", "Title", ["First.\n", "Second.\n"])

    page = (tmp_path / "new" / "page.md").read_text(encoding="utf-8")
    assert page == "# Title\n\nFirst.\n\nSecond.\n"
    assert capsys.readouterr().out == page + "\n"
