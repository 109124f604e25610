import numpy as np
import pandas as pd
import pytest

from experiments.disagreeing_tasks import METHODS, main, search_config, target_tests, worth, worth_table

SMALL = ["--seeds", "1", "--stops", "3,6", "--source-budget", "8", "--pairs", "cora:citeseer"]


@pytest.mark.slow
def test_runs_and_resumes(tmp_path, capsys):
    arguments = [*SMALL, "--methods", "random,ktnas_no_source,ktnas", "--out", str(tmp_path)]
    main(arguments)
    first = (tmp_path / "disagreeing_tasks.csv").read_bytes()
    page = (tmp_path / "disagreeing_tasks.md").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count("\n") == 3

    main(arguments)

    assert capsys.readouterr().err == ""
    assert (tmp_path / "disagreeing_tasks.csv").read_bytes() == first
    assert "log2 ratio at 6" in page
    assert "## What a source is worth to `ktnas`, target by target" in page
    rows = pd.read_csv(tmp_path / "disagreeing_tasks.csv")
    assert sorted(rows["setting"]) == ["citeseer", "citeseer", "cora → citeseer"]
    assert ((rows["rank_6"] >= 1) & (rows["rank_6"] <= rows["rank_3"]) & (rows["rank_3"] <= 26_206)).all()
    assert ((rows["regret_6"] >= 0) & (rows["regret_6"] <= rows["regret_3"])).all()


def test_methods_with_and_without_a_source_differ_in_nothing_else():
    for name in ("ktnas", "ktnas_paper"):
        assert search_config(name, "cora", 5) == search_config(METHODS[name].without, "cora", 5)
    pooled, ours = search_config("pooled", "cora", 5), search_config("ktnas", "cora", 5)
    assert pooled.surrogate != ours.surrogate
    assert pooled.screen == ours.screen | {"lead": 0}


def runs(ratios):
    """Runs of ``ktnas`` whose ranks with a source are 2 to the power of ``ratios`` (targets, seeds) of 8."""
    rows = []
    for target, own in zip(("cora", "cs"), ratios, strict=True):
        for seed, ratio in enumerate(own):
            rows.append(("ktnas_no_source", target, seed, 8.0))
            rows += [("ktnas", f"{source} → {target}", seed, 8 * 2.0**ratio) for source in ("arxiv", "photo")]
    return pd.DataFrame(rows, columns=["method", "setting", "seed", "rank_5"])


def test_worth_of_a_source():
    lent = worth(runs([[-1, -2, 0], [1, 1, 1]]), [5])

    assert lent.groupby(["target", "source"])["5"].mean().to_dict() == {
        ("cora", "arxiv"): -1, ("cora", "photo"): -1, ("cs", "arxiv"): 1, ("cs", "photo"): 1,
    }  # fmt: skip
    (line,) = worth_table(lent, [5]).splitlines()[2:]
    assert line == "| `ktnas` | 0.00 (-12.71 to 12.71) | – | 3 |"


def test_targets_that_are_hurt_or_helped():
    rng = np.random.default_rng(0)
    lent = worth(runs([rng.normal(1, 0.3, 12), rng.normal(-1, 0.3, 12)]), [5])

    assert target_tests(lent, [5])["5"].to_list() == pytest.approx([2 / 2**12] * 2)
    assert "| 1 / 1 | 12 |" in worth_table(lent, [5])


def test_pairs_are_checked(capsys):
    for wrong in ("cora", "cora:cora", "cora:proteins"):
        with pytest.raises(SystemExit):
            main(["--pairs", wrong])
        assert "expected source:target" in capsys.readouterr().err
