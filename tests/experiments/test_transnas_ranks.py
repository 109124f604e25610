from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.transnas_ranks import SETTINGS, interval, main, measure, rank, search_config, table

pytestmark = pytest.mark.usefixtures("data_dir")

THREE, FOUR, MACRO = SETTINGS


def test_rank_counts_what_is_better():
    assert rank("transnas_micro", "class_object", -1e9) == 1
    assert rank("transnas_micro", "class_object", 1e9) == 4097


def test_whole_table_finds_the_best_of_every_task():
    found = measure(replace(search_config("random", FOUR, 4096), seed=1))

    assert [found[task] for task in SETTINGS[FOUR].tasks] == [1, 1, 1, 1]
    assert found["mean"] == 1 <= found["half"]


def test_search_without_jigsaw_has_no_rank_on_it():
    found = measure(replace(search_config("emtnas", THREE, 12), seed=1))

    assert found["jigsaw"] == 0
    assert found["mean"] == pytest.approx(np.mean([found[task] for task in SETTINGS[THREE].tasks]))
    assert found["half"] >= found["mean"] > 1


def test_macro_is_searched_to_its_best():
    found = measure(replace(search_config("random", MACRO, 3256), seed=1))

    assert [found[task] for task in SETTINGS[MACRO].tasks] == [1, 1]
    assert found["class_object"] == found["room_layout"] == 0


def test_interval_holds_the_mean():
    low, high = interval(np.array([1.0, 1.0, 2.0, 2.0, 3.0, 9.0]))

    assert 1 < low < 3 < high < 9
    assert interval(np.array([2.0])) == interval(np.array([2.0, 2.0])) == (2.0, 2.0)


def test_runs_and_resumes(tmp_path, capsys):
    arguments = ["--seeds", "2", "--budget", "6", "--methods", "random,ktnas", "--out", str(tmp_path)]
    main(arguments)
    page = (tmp_path / "transnas_ranks.md").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count("\n") == 12

    main(arguments)

    assert capsys.readouterr().err == ""
    assert (tmp_path / "transnas_ranks.md").read_text(encoding="utf-8") == page
    assert page.count("KTNAS, published") == 1
    assert "mean after 3 | mean after 6 | 95 % interval" in page


def test_table():
    rows = pd.DataFrame(
        {
            "setting": THREE,
            "method": "ktnas",
            "seed": [0, 1],
            **{task: [1, 3] for task in SETTINGS[THREE].tasks},
        }
        | {"half": [5, 5], "mean": [1.0, 3.0]}
    )

    assert "| ktnas | 2.0 ± 1.0 | 2.0 ± 1.0 | 2.0 ± 1.0 | 5.0 ± 0.0 | 2.0 ± 1.0 |" in table(
        rows, SETTINGS[THREE].tasks, 6, {}
    )
