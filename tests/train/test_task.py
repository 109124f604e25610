import json
import pickle
import resource
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ktnas.arrays import IntArray
from ktnas.cli.main import main
from ktnas.errors import UserError
from ktnas.network.count import count_parameters
from ktnas.report.networks import load_network
from ktnas.space import list_spaces, load_space
from ktnas.space.chain import Requirement
from ktnas.task.isolation import load
from ktnas.task.loky_pool import LokyPool
from ktnas.task.thread_pool import ThreadPool
from ktnas.train.kept import weights_path
from ktnas.train.kinds import KINDS
from ktnas.train.settings import TrainingSettings
from ktnas.train.task import TrainingTask, training_task
from ktnas.train.trainer import Trainer
from tests.task.contract import TaskContract
from tests.train.pools import PARALLEL
from tests.train.stripes import Arrays, write

SPACE = load_space("nasbench201")
SETTINGS = {"epochs": 1, "batch": 16, "network": {"channels": 2}, "place": "cpu"}

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from ktnas.record.files import write_atomically

os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), b"weights")
"""


def task_on(data: Path | str, name: str = "classification", **keywords: Any) -> TrainingTask:
    given = {"space": SPACE, "settings": SETTINGS, "subsets": {}} | keywords
    return training_task(name, str(data), **given)


def texts(n: int) -> list[str]:
    return SPACE.format(SPACE.enumerate()[7 : 7 + 100 * n : 100])


def key_of(genotype: IntArray) -> str:
    return f"{int(SPACE.identities(genotype[None])[0]):016x}"


MACRO = load_space("nasbench_macro")
UNBUILT = replace(
    MACRO,
    operations=("identity", "mb9_k7", "mb3_k3", "mb6_k5"),
    symbols=("0", "3", "1", "2"),
    require=(Requirement(("mb9_k7",), most=1),),
)
"""A space of which some networks cannot be built: nobody has written the block ``3``."""


class TestTrainingTask(TaskContract):
    @pytest.fixture
    def genotypes(self) -> IntArray:
        return UNBUILT.parse(["00010000", "00030000"])

    @pytest.fixture
    def task(self, npz: Path) -> TrainingTask:
        return task_on(npz, space=UNBUILT)

    def test_metrics_and_failures(self, task: TrainingTask, genotypes: IntArray) -> None:
        fine, failed = task.evaluate(genotypes)
        assert list(fine.metrics) == [
            "valid_error", "test_error", "train_loss", "epochs", "best_epoch", "params", "flops",
        ]  # fmt: skip
        assert fine.seconds > 0
        assert "Unknown block of NAS-Bench-Macro's networks '3'" in failed.message


@pytest.mark.parametrize("space", [name for name in list_spaces() if name != "nasbench_graph"])
def test_networks_of_every_space_travel_to_a_worker(space: str) -> None:
    task = task_on("digits", "jigsaw", space=load_space(space), settings={"place": "cpu"})
    trainer = load(task._payload)
    assert isinstance(trainer, Trainer)
    text = task.space.format(task.space.sample(1, np.random.default_rng(1)))[0]
    network = trainer.network(trainer.space.parse([text])[0])
    assert count_parameters(network) < 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_kept_networks_answer_as_they_did(kind: str, npz: Path, tmp_path: Path) -> None:
    task, genotype = task_on(npz, kind), SPACE.parse(texts(1))[0]
    task.keep_in(tmp_path / "run")
    metrics = task.evaluate(genotype[None])[0].metrics
    path = weights_path(tmp_path / "run", kind, key_of(genotype)).with_suffix(".json")
    kept = json.loads(path.read_text())
    assert kept["metrics"] == metrics
    assert len(kept["curve"]) == metrics["epochs"] == 1
    assert kept["architecture"] == texts(1)[0]

    network, trainer = load_network(path), task.trainer
    assert not network.training
    images = torch.from_numpy(trainer.images.test.images).permute(0, 3, 1, 2).float() / 255
    normal = (images - torch.tensor(kept["mean"])[:, None, None]) / torch.tensor(kept["deviation"])[
        :, None, None
    ]
    inputs, targets = trainer.task.samples(
        normal.float(), torch.from_numpy(trainer.images.test.labels), torch.Generator().manual_seed(0)
    )
    with torch.inference_mode():
        errors = trainer.task.errors(network(inputs), targets)
    if kind != "autoencoding":
        assert 100 * errors / len(targets) == pytest.approx(metrics["test_error"])


def test_files_that_hold_no_trained_network(npz: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read .*none.json"):
        load_network(tmp_path / "none.json")
    task, genotype = task_on(npz), SPACE.parse(texts(1))[0]
    task.keep_in(tmp_path)
    task.evaluate(genotype[None])
    path = weights_path(tmp_path, task.name, key_of(genotype)).with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"network": {"channels": 3, "cells": 1}}))
    with pytest.raises(UserError, match="are not what ktnas has written"):
        load_network(path)
    with pytest.raises(UserError, match="Unknown space 'nowhere'"):
        load_network(path, space="nowhere")


@pytest.mark.slow
def test_results_do_not_depend_on_the_workers(npz: Path) -> None:
    genotypes = SPACE.parse(texts(3))
    one, two = (
        [outcome.metrics for outcome in task_on(npz, pool=LokyPool(workers)).evaluate(genotypes)]
        for workers in (1, 2)
    )
    assert one == two


def test_training_that_fails_or_takes_too_long_is_an_outcome(npz: Path) -> None:
    genotypes = SPACE.parse(texts(1))
    wild = task_on(npz, settings=SETTINGS | {"learning_rate": 1e38, "weight_decay": 1e3})
    (outcome,) = wild.evaluate(genotypes)
    assert outcome.status == "failed"
    assert "training diverged" in outcome.message
    (outcome,) = task_on(npz, settings=SETTINGS | {"epochs": 10_000}, timeout=0.5).evaluate(genotypes)
    assert outcome.status == "timeout"


def test_memory_that_runs_out_is_an_outcome(npz: Path) -> None:
    """An architecture too large for any machine's addresses: torch's allocator refuses it."""
    vast = task_on(npz)
    settings = TrainingSettings.of(SETTINGS | {"network": {"channels": 1 << 23}})
    vast._use(replace(vast.trainer, settings=settings), None, None)
    (outcome,) = vast.evaluate(SPACE.parse(texts(1)))
    assert outcome.status == "failed"
    assert "memory" in outcome.message


def test_latency_is_measured_where_it_is_wanted(npz: Path) -> None:
    task = task_on(npz)
    task.measure_latency()
    (outcome,) = task.evaluate(SPACE.parse(texts(1)))
    assert 0 < outcome.metrics["latency_ms"] < 1000


def test_a_subset_tells_its_classes_apart() -> None:
    task = task_on("digits", "low", subsets={"low": (0, 1, 2)})
    assert task.trainer.images.classes == 3
    assert task.trainer.task.network.outputs == 3


def test_a_trainer_travels_with_its_images_read(npz: Path) -> None:
    trainer = pickle.loads(pickle.dumps(task_on(npz).trainer))
    assert {"images", "task"} <= set(vars(trainer))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"name": "classify"}, "Unknown task on images 'classify'. Did you mean classification"),
        ({"name": "low", "subsets": {"low": (0,)}}, r"subsets.low=\[0\]: expected two different classes"),
        ({"name": "low", "subsets": {"low": (0, 0)}}, "expected two different classes"),
        ({"name": "low", "subsets": {"low": (0, 10)}}, "digits has no class 10, only 0 to 9"),
        ({"name": "low", "subsets": {"low": (-1, 1)}}, "digits has no class -1"),
        ({"name": "jigsaw", "subsets": {"jigsaw": (0, 1)}}, "there is a task of that name already"),
        ({"space": load_space("nasbench_graph")}, "networks of graphs, which cannot be trained on images"),
        ({"space": replace(SPACE, network={})}, "has no networks to train"),
        ({"settings": {"network": {"chanels": 3}}}, "chanels"),
        ({"settings": {"network": {"channels": 0}}}, "channels=0"),
        ({"settings": {"epochs": 0}}, "benchmark.training.epochs=0"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        task_on("digits", **keywords)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(UserError, match="torch finds no GPU on this machine"):
        task_on("digits", settings=SETTINGS | {"place": "cuda"})


def test_no_threads_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    with pytest.raises(UserError, match=r"parallel=threads: on a machine with a GPU.* Use parallel=loky\."):
        task_on("digits", pool=ThreadPool())
    assert task_on("digits", pool=LokyPool()).pool == LokyPool()


def test_one_class_is_no_classification(tmp_path: Path, arrays: Arrays) -> None:
    same = {name: array * 0 if "labels" in name else array for name, array in arrays.items()}
    path = write(tmp_path / "one.npz", same)
    with pytest.raises(UserError, match=r"one.npz: task classification needs images of two classes or more"):
        task_on(path)
    assert task_on(path, "rotation").trainer.task.network.outputs == 4


def test_calls_from_python(npz: Path) -> None:
    trainer = Trainer("t", "rotation", None, str(npz), SPACE, TrainingSettings.of(SETTINGS))
    first, again = (trainer(texts(1)[0]) for _ in range(2))
    assert first == again
    assert np.isfinite(list(first.values())).all()


def test_weights_that_find_no_room_stop_the_search(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is no fault of the architecture, so that there is no evaluation to record."""
    task = task_on(npz)
    task.keep_in(tmp_path / "run")
    monkeypatch.chdir(tmp_path)  # where no workers are yet, so that new ones start under the limit
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(UserError, match=r"^Cannot write .*safetensors: File too large\. Free space, or"):
            task.evaluate(SPACE.parse(texts(1)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


def test_weights_that_were_being_written_are_gone_when_the_run_goes_on(npz: Path, tmp_path: Path) -> None:
    path = weights_path(tmp_path, "classification", "0" * 16)
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(path.parent.iterdir())) == 1
    task_on(npz).keep_in(tmp_path)
    assert not list(path.parent.iterdir())


def test_what_stops_a_search_says_how_to_go_on(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        "benchmark=train", f"benchmark.data={npz}", "benchmark.training.network={channels: 2}",
        "benchmark.training.epochs=1", "target=[rotation]", "source=[]", "objectives=[error]",
        "algorithm=random", "budget=2", f"parallel={PARALLEL}", "hydra.run.dir=a run",
    ]  # fmt: skip
    in_the_way = tmp_path / "a run" / "trained" / "rotation"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    assert main(["search", *arguments]) == 2
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert error.startswith(f"error: Cannot write {in_the_way}")
    assert hint == "Stopped; every evaluation so far is kept. Continue with: ktnas search resume='a run'"

    in_the_way.unlink()
    assert main(["search", *shlex.split(hint.partition("ktnas search ")[2])]) == 0
    assert len(pd.read_csv(tmp_path / "a run" / "evaluations.csv")) == 2
    assert main(["search", *arguments, "budget=3"]) == 2
    assert "Stopped" not in capsys.readouterr().err
