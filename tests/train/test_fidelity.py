from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ktnas
from ktnas.engine.benchmark import load_benchmark
from ktnas.errors import UserError
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.train.fidelity import epochs_of, full_name, is_supernet
from ktnas.train.supernet_trainer import SupernetTrainer
from ktnas.train.task import training_task
from tests.train.pools import PARALLEL

SPACE = load_space("nasbench201")
SETTINGS = {"epochs": 3, "batch": 16, "network": {"channels": 2}, "place": "cpu"}
SUBSETS = {"both": (0, 1)}


def task_on(data: Path | str, name: str, **keywords: Any):
    given = {"space": SPACE, "settings": SETTINGS, "subsets": SUBSETS}
    given |= {"pool": build("parallel", {"name": PARALLEL})} | keywords
    return training_task(name, str(data), **given)


def test_what_names_say() -> None:
    names = ["classification", "low@2", "low@supernet"]
    assert [full_name(name) for name in names] == ["classification", "low", "low"]
    assert [epochs_of(name, 12) for name in names] == [12, 2, 12]
    assert [is_supernet(name) for name in names] == [False, False, True]


@pytest.mark.parametrize("name", ["classification", "jigsaw", "both"])
def test_a_few_epochs_are_a_training_of_its_own(name: str, npz: Path) -> None:
    cheap = task_on(npz, f"{name}@1")
    alone = task_on(npz, name, settings=SETTINGS | {"epochs": 1})
    genotypes = SPACE.sample(1, np.random.default_rng(3))
    (outcome,), (expected,) = cheap.evaluate(genotypes), alone.evaluate(genotypes)
    assert (outcome.message, expected.message) == ("", "")
    assert outcome.metrics == expected.metrics
    assert outcome.metrics["epochs"] == 1
    assert cheap.name == f"{name}@1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("both@0", "Task both@0: after @ stands a number of epochs, as in both@2, or supernet"),
        ("both@-1", "after @ stands a number of epochs"),
        ("both@1.5", "after @ stands a number of epochs"),
        ("both@", "after @ stands a number of epochs"),
        ("both@supernets", "after @ stands a number of epochs, as in both@2, or supernet"),
        ("both@2@1", "after @ stands a number of epochs"),
        ("both@3", "Task both@3: both itself is trained for 3 epochs. Give fewer, or raise benchmark"),
        ("classify@2", "Unknown task on images 'classify'. Did you mean classification"),
    ],
)
def test_names_that_mean_nothing(name: str, message: str, npz: Path) -> None:
    with pytest.raises(UserError, match=message):
        task_on(npz, name)


def test_messages_name_the_subset_and_not_its_fidelity() -> None:
    with pytest.raises(UserError, match=r"benchmark.subsets.low=\[0, 10\]: digits has no class 10"):
        task_on("digits", "low@2", subsets={"low": (0, 10)})


def test_a_benchmark_has_the_fidelities_of_its_tasks(npz: Path) -> None:
    benchmark = load_benchmark({"name": "train", "data": str(npz), "training": SETTINGS})
    assert benchmark.task("rotation@2").trainer.settings.epochs == 2
    assert isinstance(benchmark.task("rotation@supernet").trainer, SupernetTrainer)
    assert benchmark.has_task("rotation@2")
    assert not benchmark.has_task("rotatoin@2")
    assert benchmark.tasks == ("classification", "rotation", "jigsaw", "autoencoding")
    with pytest.raises(UserError, match=r"Unknown task of benchmark train: 'rotatoin@2'. Did you mean rot"):
        benchmark.task("rotatoin@2")
    with pytest.raises(UserError, match=r"benchmark.subsets.a@b: .* without @"):
        load_benchmark({"name": "train", "subsets": {"a@b": [0, 1]}})


def test_tables_may_have_tasks_with_such_names(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text(f"arch,a@2\n{SPACE.format(SPACE.enumerate()[:1])[0]},50\n")
    benchmark = load_benchmark(
        {"name": "table", "space": "nasbench201", "scores": str(tmp_path / "scores.csv")}
    )
    assert benchmark.task("a@2").name == "a@2"
    assert not benchmark.has_task("a")


@pytest.mark.slow
def test_a_search_learns_from_a_few_epochs(npz: Path, tmp_path: Path) -> None:
    result = ktnas.search(
        {"name": "train", "data": str(npz), "training": SETTINGS},
        source=["classification@1"],
        target="classification",
        objectives="error",
        budget=3,
        source_budget=4,
        run_dir=tmp_path / "run",
    )
    epochs = result.evaluations.groupby("task")["epochs"].max().to_dict()
    assert epochs == {"classification@1": 1, "classification": 3}
    assert {path.name for path in (tmp_path / "run" / "trained").iterdir()} == set(epochs)


def test_a_data_set_for_each_task(npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tasks = ["stripes", "squares"]
    benchmark = {"name": "train", "data": "{task}.npz", "tasks": tasks, "training": SETTINGS}
    loaded = load_benchmark(benchmark)
    trainer = loaded.task("stripes@1").trainer
    assert (trainer.data, trainer.kind, trainer.settings.epochs) == (str(npz), "classification", 1)
    with pytest.raises(UserError, match=r"There is no file 'squares.npz' in"):
        loaded.task("squares")
    with pytest.raises(UserError, match=r"benchmark.subsets=.*benchmark.data=.* one for each task"):
        load_benchmark(benchmark | {"subsets": {"low": [0, 1]}})
