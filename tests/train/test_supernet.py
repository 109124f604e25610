import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import ktnas
from ktnas.arrays import IntArray
from ktnas.cli.main import main
from ktnas.errors import UserError
from ktnas.registry import build
from ktnas.space import load_space
from ktnas.task.loky_pool import LokyPool
from ktnas.train import supernet_trainer
from ktnas.train.kinds import KINDS
from ktnas.train.supernet import SupernetFile
from ktnas.train.supernet_trainer import SupernetTrainer
from ktnas.train.task import SupernetTask, training_task
from tests.processes import running
from tests.train.pools import PARALLEL

SPACE = load_space("nasbench201")
SETTINGS = {"batch": 16, "network": {"channels": 2}, "place": "cpu"}
GOOD = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
EPOCH_BY_EPOCH = """
import sys
from ktnas.cli.main import main
from ktnas.train import supernet_trainer
supernet_trainer.TAUGHT_AT_ONCE = 0.0
main(sys.argv[1:])
"""
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def task_on(data: Path | str, name: str = "classification@supernet", **keywords: Any) -> SupernetTask:
    given = {"space": SPACE, "settings": SETTINGS, "subsets": {}, "supernet": {"epochs": 3}}
    given |= {"pool": build("parallel", {"name": PARALLEL})} | keywords
    task = training_task(name, str(data), **given)
    assert isinstance(task, SupernetTask)
    return task


def trainer_in(directory: Path, data: Path, **keywords: Any) -> SupernetTrainer:
    trainer = replace(task_on(data, **keywords).trainer, keep_in=directory)
    assert isinstance(trainer, SupernetTrainer)
    return trainer


def parsed(*texts: str) -> IntArray:
    return SPACE.parse(list(texts))


def test_interrupted_as_often_as_you_like_it_comes_to_the_same(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, broken = trainer_in(tmp_path / "a", npz), trainer_in(tmp_path / "b", npz)
    monkeypatch.setattr(supernet_trainer, "TAUGHT_AT_ONCE", 1000.0)
    assert [straight.teach("")["taught"] for _ in range(2)] == [3, 0]
    monkeypatch.setattr(supernet_trainer, "TAUGHT_AT_ONCE", 0.0)
    for epoch in (1, 2, 3):
        taught = broken.teach("")
        assert (taught["epochs"], taught["taught"]) == (epoch, 1)
    once, thrice = load_file(straight.path), load_file(broken.path)
    assert once.keys() == thrice.keys()
    assert all(torch.equal(once[name], thrice[name]) for name in once)
    assert SupernetFile.read(straight.path, "cpu").losses == SupernetFile.read(broken.path, "cpu").losses


def test_what_is_taught_depends_on_the_seed(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    monkeypatch.setattr(supernet_trainer, "TAUGHT_AT_ONCE", 1000.0)
    for number, seed in enumerate((0, 0, 1)):
        trainer = trainer_in(tmp_path / str(number), npz, settings=SETTINGS | {"seed": seed})
        losses.append(trainer.teach("")["train_loss"])
    assert losses[0] == losses[1] != losses[2]


def test_networks_inherit_what_the_supernet_has_learned(npz: Path) -> None:
    good, nothing = task_on(npz, supernet={"epochs": 20}).evaluate(parsed(GOOD, NOTHING))
    assert list(good.metrics) == ["valid_error", "test_error", "params", "flops"]
    assert max(good.metrics["valid_error"], good.metrics["test_error"]) < 25
    assert nothing.metrics["valid_error"] > 40
    assert good.metrics["params"] > nothing.metrics["params"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_has_one(kind: str, npz: Path) -> None:
    task = task_on(npz, f"{kind}@supernet", supernet={"epochs": 1})
    (outcome,) = task.evaluate(parsed(GOOD))
    assert outcome.status == "ok"
    assert task.trainer.path.is_file()


@pytest.mark.slow
def test_evaluations_are_those_of_the_run_and_do_not_depend_on_the_workers(npz: Path, tmp_path: Path) -> None:
    genotypes = SPACE.sample(3, np.random.default_rng(0))
    first, second = task_on(npz), task_on(npz, pool=LokyPool(2))
    first.keep_in(tmp_path / "run")
    metrics = [[outcome.metrics for outcome in task.evaluate(genotypes)] for task in (first, second)]
    assert metrics[0] == metrics[1]
    assert [path.name for path in (tmp_path / "run" / "trained" / first.name).iterdir()] == [
        "supernet.safetensors"
    ]
    trainer = first.trainer
    assert trainer(SPACE.format(genotypes)[0]) == metrics[0][0]


def test_a_supernet_that_is_there_is_not_trained_again(
    npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for said in (3, 0):
        task = task_on(npz)
        task.keep_in(tmp_path)
        assert task.evaluate(parsed(GOOD))[0].status == "ok"
        assert task.evaluate(parsed(NOTHING))[0].status == "ok"
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == min(said, 1)
        if said:
            assert lines[0].startswith("supernet classification@supernet: 3/3 epochs, loss ")
    assert task.evaluate(parsed()[:0]) == []


def test_latency_is_measured_where_it_is_wanted(npz: Path) -> None:
    task = task_on(npz, supernet={"epochs": 1})
    task.measure_latency()
    (outcome,) = task.evaluate(parsed(GOOD))
    assert 0 < outcome.metrics["latency_ms"] < 1000


@pytest.mark.parametrize("space", ["transnas_micro", "darts", "darts_emtnas"])
def test_other_spaces_of_cells(space: str, npz: Path) -> None:
    loaded = load_space(space)
    settings = {"batch": 16, "network": {"channels": 2}, "place": "cpu"}
    task = task_on(npz, space=loaded, settings=settings, supernet={"epochs": 1})
    outcomes = task.evaluate(loaded.sample(2, np.random.default_rng(0)))
    assert all(0 <= outcome.metrics["valid_error"] <= 100 for outcome in outcomes)


def test_a_trainer_travels_as_what_it_is(npz: Path, tmp_path: Path) -> None:
    taught = pickle.loads(pickle.dumps(trainer_in(tmp_path, npz).teach))
    assert isinstance(taught.__self__, SupernetTrainer)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"space": load_space("nasbench_macro")},
            "classification@supernet: the networks of space nasbench_macro, of family chain, share no w",
        ),
        ({"space": load_space("nasbench101")}, "of family adjacency_cell, share no weights"),
        ({"space": load_space("nasbench_graph")}, "networks of graphs, which cannot be trained on images"),
        ({"supernet": {"epoch": 1}}, "Unknown key of benchmark.supernet: 'epoch'. Did you mean epochs"),
        ({"supernet": {"network": {}}}, "Unknown key of benchmark.supernet: 'network'"),
        ({"supernet": {"epochs": 0}}, "benchmark.supernet.epochs=0: must be 1 or more"),
        ({"settings": {"epochs": 0}}, "benchmark.training.epochs=0: must be 1 or more"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        task_on("digits", **keywords)


def test_a_supernet_that_diverges_stops_the_search(npz: Path) -> None:
    wild = task_on(npz, supernet={"learning_rate": 1e38, "weight_decay": 1e3})
    with pytest.raises(UserError, match="classification@supernet cannot be trained: training diverged"):
        wild.evaluate(parsed(GOOD))


def test_a_file_that_is_no_supernet_is_named(npz: Path, tmp_path: Path) -> None:
    task = task_on(npz)
    task.keep_in(tmp_path)
    path = tmp_path / "trained" / task.name / "supernet.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"supernet.safetensors is no supernet that a search .* Delete it"):
        task.evaluate(parsed(GOOD))


def test_a_directory_that_cannot_be_written_is_named(npz: Path, tmp_path: Path) -> None:
    (tmp_path / "trained").write_text("no directory")
    task = task_on(npz)
    task.keep_in(tmp_path)
    with pytest.raises(UserError, match=r"cannot be trained: Cannot write .*supernet.safetensors"):
        task.evaluate(parsed(GOOD))


def test_shipped_presets_of_ktnas_on_medmnist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They say which file is missing, and search once the files are there."""
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    arguments = ["search", "benchmark=medmnist", "algorithm=ktnas_paper_darts", "objectives=[error]"]
    assert main([*arguments, "hydra.run.dir=run"]) == 2
    said = capsys.readouterr().err
    assert "There is no file 'pathmnist.npz' in" in said
    assert "https://medmnist.com" in said
    assert not (tmp_path / "run").exists()

    rng = np.random.default_rng(0)
    for name, shape in (("pathmnist", (28, 28, 3)), ("organamnist", (28, 28))):
        parts = {"train": 16, "val": 8, "test": 8}
        arrays = {f"{part}_images": rng.integers(0, 255, (n, *shape), np.uint8) for part, n in parts.items()}
        arrays |= {f"{part}_labels": np.arange(n)[:, None] % 2 for part, n in parts.items()}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    network = {"channels": 1, "layers": 3}
    result = ktnas.search(
        {"name": "medmnist", "training": {"network": network}, "supernet": {"epochs": 1}},
        target=["pathmnist@supernet", "organamnist@supernet"],
        objectives="error",
        algorithm="ktnas_paper_darts",
        budget=2,
        overrides={"encoding": "onehot", "parallel": PARALLEL},
    )
    assert result.evaluations["status"].tolist() == ["ok"] * 4


def test_a_supernet_that_got_lost_is_no_fault_of_an_architecture(npz: Path, tmp_path: Path) -> None:
    task = task_on(npz)
    task.keep_in(tmp_path)
    task.evaluate(parsed(GOOD))
    task.trainer.path.unlink()
    with pytest.raises(UserError, match=r"^There is no trained supernet in .*supernet.safetensors"):
        task.evaluate(parsed(GOOD))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_in_the_middle_of_the_supernet_a_run_goes_on_with_it(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        "benchmark=train", f"benchmark.data={npz}", "benchmark.training.network={channels: 2}",
        "benchmark.training.batch=8", "benchmark.supernet.epochs=30", "target=[classification@supernet]",
        "objectives=[error]", "algorithm=random", "initial=2", "budget=4", f"parallel={PARALLEL}",
    ]  # fmt: skip
    path = tmp_path / "run" / "trained" / "classification@supernet" / "supernet.safetensors"
    command = [sys.executable, "-c", EPOCH_BY_EPOCH, "search", *arguments, "hydra.run.dir=run"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with running(command, env=environment, stdout=subprocess.DEVNULL) as search:
        while not path.exists():
            assert search.poll() is None
            time.sleep(0.05)
    assert 0 < len(SupernetFile.read(path, "cpu").losses) < 30

    assert main(["search", "resume=run"]) == 0
    assert main(["search", *arguments, "hydra.run.dir=straight"]) == 0
    tables = [pd.read_csv(tmp_path / name / "evaluations.csv") for name in ("run", "straight")]
    clock = ["seconds", "host", "answered"]
    pd.testing.assert_frame_equal(*(table.drop(columns=clock) for table in tables))
