import pytest

from ktnas.errors import UserError
from ktnas.record.runs import find_runs, labels, load_run


@pytest.fixture
def sweep(tmp_path, write_run, description, search):
    for seed in range(2):
        config = {"benchmark": {"name": "nasbench_graph"}, "algorithm": "ktnas", "seed": seed}
        run_dir = tmp_path / "multirun" / f"algorithm=ktnas,seed=[{seed}]"
        write_run(run_dir, search(seed, 1.0), description(config=config), finished=seed == 0)
    return tmp_path / "multirun"


def test_runs_are_found_by_directory_parent_and_pattern(sweep):
    both = sorted(path.resolve() for path in sweep.iterdir())
    assert find_runs([sweep]) == both
    assert find_runs([sweep.parent, both[0]]) == both
    assert find_runs([both[1]]) == [both[1]]
    assert find_runs([f"{sweep}/*ktnas*"]) == both


@pytest.mark.parametrize(("path", "state"), [("nothing", "does not exist"), ("*nothing", "does not exist")])
def test_a_path_without_runs(tmp_path, path, state):
    with pytest.raises(UserError, match=rf"{state}\. Expected the directory of a run"):
        find_runs([tmp_path / path])
    (tmp_path / "file").touch()
    for empty in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError, match="holds no run"):
            find_runs([empty])


def test_a_loaded_run(sweep):
    finished, killed = (load_run(path) for path in find_runs([sweep]))
    assert (finished.finished, finished.seed) == (True, 0)
    assert (killed.finished, killed.seed) == (False, 1)
    assert finished.settings == killed.settings == {"benchmark.name": "nasbench_graph", "algorithm": "ktnas"}
    assert finished.problem == killed.problem
    assert finished.problem_label == "nasbench_graph (error, latency)"


def test_labels_name_what_differs():
    ktnas = {"algorithm": "ktnas", "budget": 100, "transfer.n": 5}
    assert labels([ktnas]) == ["ktnas"]
    assert labels([ktnas, {"algorithm": "random", "budget": 100}]) == ["ktnas", "random"]
    assert labels([ktnas, ktnas | {"transfer.n": 9}, {"algorithm": "random"}]) == [
        "ktnas transfer.n=5",
        "ktnas transfer.n=9",
        "random",
    ]
    assert labels([{"target": ["a", "b"], "x": None}, {"target": ["a"], "x": "null"}]) == [
        "target=[a,b] x=null",
        'target=[a] x="null"',
    ]
