"""The evaluations of a finished run as those of source tasks."""

import shutil

import pandas as pd
import pytest

import ktnas
from ktnas.errors import UserError
from tests.engine.scene import write_tables

KEPT = ["task", "architecture", "status", "error", "score", "key", "generation"]
LENT = {"target": ["a", "b"], "objectives": "error", "algorithm": "nsga2", "budget": 15}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("lender")


@pytest.fixture(scope="module")
def config(directory):
    return write_tables(directory, 400)


@pytest.fixture(scope="module")
def lender(config, directory):
    """A finished run of tasks a and b."""
    return ktnas.search(config, **LENT, run_dir=directory / "run")


def search(config, source, **arguments):
    return ktnas.search(config, source=source, **({"objectives": "error", "budget": 12} | arguments))


def refused(config, source, directory, **arguments):
    """What is said; nothing is written."""
    with pytest.raises(UserError) as caught:
        search(config, source, run_dir=directory / "refused", **arguments)
    assert not (directory / "refused").exists()
    return str(caught.value)


@pytest.mark.parametrize("algorithm", ["ktnas", "emtnas", "mtnas"])
def test_rows_are_adopted_and_not_evaluated_again(config, lender, algorithm):
    result = search(config, lender.run_dir, target="c", algorithm=algorithm)
    adopted, own = result.evaluations[:30], result.evaluations[30:]
    assert set(adopted["role"]) == {"source"}
    assert own[["task", "role"]].drop_duplicates().to_numpy().tolist() == [["c", "target"]]
    assert len(own) == 12
    mine, theirs = (
        frame.sort_values(["task", "order"])[KEPT].reset_index(drop=True)
        for frame in (adopted, lender.evaluations)
    )
    pd.testing.assert_frame_equal(mine, theirs)
    assert result.evaluations["order"].tolist() == list(range(42))
    assert list(result.summary["tasks"]) == ["a", "b", "c"]


def test_what_is_adopted_is_of_use(config, lender):
    """The first architecture of the target is better than most: a random one was not needed."""
    firsts = [
        search(config, lender.run_dir, target="c", budget=1, seed=seed).evaluations["error"].iloc[-1]
        for seed in range(3)
    ]
    assert max(firsts) < lender.evaluations["error"].median()


def test_target_among_its_tasks_is_searched_from_nothing(config, lender):
    result = search(config, str(lender.run_dir), target="b")
    assert result.evaluations[["task", "role"]].value_counts().to_dict() == {
        ("a", "source"): 15,
        ("b", "target"): 12,
    }


def test_source_may_have_moved_but_not_changed(config, lender, tmp_path):
    shutil.copytree(lender.run_dir, tmp_path / "elsewhere")
    ktnas.search(config, **(LENT | {"seed": 1}), run_dir=tmp_path / "other")
    given = {"target": "c", "algorithm": "nsga2", "run_dir": tmp_path / "run"}

    first = search(config, lender.run_dir, **given)
    again = search(config, tmp_path / "elsewhere", **given)
    with pytest.raises(UserError, match=r"source.run: .* in the ledger, .* now"):
        search(config, tmp_path / "other", **given)

    pd.testing.assert_frame_equal(first.evaluations, again.evaluations)


def test_failed_rows_are_adopted_as_failed(tmp_path):
    def half(text):
        if len(set(text)) % 2:
            raise RuntimeError("odd")
        return len(set(text))

    config = {"name": "function", "functions": {"a": half, "b": half}, "space": "transnas_micro"}
    given = {"objectives": "error", "algorithm": "random", "budget": 15}
    lent = ktnas.search(config, target="a", **given, run_dir=tmp_path / "run").evaluations
    assert set(lent["status"]) == {"ok", "failed"}

    adopted = search(config, tmp_path / "run", target="b").evaluations[:15]

    columns = ["architecture", "status", "message", "seconds", "host"]
    pd.testing.assert_frame_equal(adopted[columns], lent[columns])


@pytest.mark.parametrize("algorithm", ["ktnas", "nsga2"])
def test_run_that_knows_less_than_is_asked(config, lender, algorithm):
    """It has no latency; its errors are of use to whoever can use them."""
    result = search(
        config | {"latency_known": False},
        lender.run_dir,
        target="c",
        objectives=["error", "latency"],
        device="phone",
        algorithm=algorithm,
    )
    assert len(result.evaluations) == 42
    assert result.evaluations[:30]["latency_ms_phone"].isna().all()
    assert len(result.front("c"))


def test_neither_a_run_nor_a_task(config, tmp_path):
    said = refused(config, tmp_path / "missing", tmp_path, target="c")
    assert "Valid: a, b, c. Nor is there a directory of a run of that name." in said


def test_directory_that_is_no_run(config, tmp_path):
    (tmp_path / "empty").mkdir()
    said = refused(config, tmp_path / "empty", tmp_path, target="c")
    assert "No run to read" in said
    assert "ledger.sqlite does not exist" in said
    assert list((tmp_path / "empty").iterdir()) == []


def test_run_of_nothing_but_the_target(config, lender, tmp_path):
    said = refused(config, lender.run_dir, tmp_path, target=["a", "b"])
    assert "evaluated nothing but a, b, the target itself" in said
