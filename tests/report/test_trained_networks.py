"""Networks that a run has trained, exported: they answer as they did in the search."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from ktnas.engine.config import plain_config
from ktnas.errors import UserError
from ktnas.presets import compose
from ktnas.record.description import Objective
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import RunRecord, read_ledger
from ktnas.report.networks import export_networks, load_network
from ktnas.resources import resource_dir
from ktnas.space import load_space
from ktnas.threads import one_torch_thread
from ktnas.train.kinds import KINDS
from ktnas.train.task import training_task
from ktnas.train.trainer import Trainer
from tests.train.stripes import arrays_of, striped, write

SETTINGS = {"epochs": 2, "batch": 16, "network": {"channels": 2}, "place": "cpu"}


@pytest.fixture(autouse=True)
def one_thread():
    with one_torch_thread():
        yield


class Run:
    """A run that has trained two architectures on each of its tasks."""

    def __init__(self, directory: Path, write_run: Any) -> None:
        self.directory, self.write_run = directory, write_run
        self.data = write(directory / "stripes.npz", arrays_of(striped()))
        self.trainers: dict[str, Trainer] = {}

    def train(
        self,
        *tasks: str,
        space: str = "nasbench201",
        settings: dict[str, Any] = SETTINGS,
        subsets: dict[str, tuple[int, ...]] | None = None,
    ) -> RunRecord:
        built, evaluations = load_space(space), []
        genotypes = built.sample(2, np.random.default_rng(0))
        for name in tasks:
            task = training_task(name, str(self.data), built, settings, subsets or {})
            task.keep_in(self.directory / "run")
            self.trainers[name] = task.trainer
            for text, key in zip(built.format(genotypes), built.identities(genotypes), strict=True):
                metrics = task.trainer(text)
                order = len(evaluations)
                evaluations.append(
                    Evaluation(
                        order, 0, name, "target", text, f"{int(key):016x}", "ok",
                        metrics | {"error": metrics["valid_error"]}, answered=order,
                    )
                )  # fmt: skip
        benchmark = plain_config(compose("nsga2", "train"))["benchmark"]
        changes = {"benchmark": benchmark | {"data": str(self.data), "space": space, "training": settings}}
        objectives = (Objective("error", "error", unit="%"),)
        return read_ledger(self.write_run("run", evaluations, objectives=objectives, changes=changes))


@pytest.fixture
def run(tmp_path, write_run):
    return Run(tmp_path, write_run)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_files_err_as_often_as_the_networks_did(kind, run, tmp_path, monkeypatch, capsys):
    path, _, card = export_networks(run.train(kind), tmp_path / "out", "onnx")

    kept = json.loads(path.with_suffix(".json").read_text())
    test = run.trainers[kind].images.test
    images = (test.images / 255 - kept["mean"]) / kept["deviation"]
    inputs, targets = run.trainers[kind].task.samples(
        torch.from_numpy(images.astype(np.float32).transpose(0, 3, 1, 2)),
        torch.from_numpy(test.labels),
        torch.Generator().manual_seed(0),
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    outputs = np.concatenate([session.run(None, {given.name: one[None].numpy()})[0] for one in inputs])
    if kind == "autoencoding":
        with torch.no_grad():
            same = load_network(tmp_path / "run" / "trained" / kind / f"{path.stem[-16:]}.json")(inputs)
        np.testing.assert_allclose(outputs, same.numpy(), atol=1e-4)
    else:
        wrong = (outputs.argmax(axis=1) != targets.numpy()).mean()
        assert 100 * wrong == pytest.approx(kept["metrics"]["test_error"])

    run_the_card(card, monkeypatch)
    said = capsys.readouterr().out
    assert (len(re.findall(r"[\d.]+", said)) == 64) if kind == "autoencoding" else said.strip().isdigit()


def run_the_card(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the card says about using the network, typed in where its files are."""
    (code,) = re.findall(r"```python\n(.*?)```", card.read_text(), flags=re.S)
    monkeypatch.chdir(card.parent)
    exec(code, {})


def test_state_dicts_of_several_tasks(run, tmp_path, monkeypatch):
    record = run.train("classification", "left/right", subsets={"left/right": (1, 0)})
    written = export_networks(record, tmp_path / "out", "torch")

    assert {re.sub("[0-9a-f]{16}", "KEY", path.name) for path in written} == {
        f"{task}_KEY.{ending}"
        for task in ("classification", "left%2Fright")
        for ending in ("safetensors", "json", "md")
    }
    for path in written[::3]:
        task, _, key = path.stem.rpartition("_")
        exported = load_network(path.with_suffix(".json"))
        kept = load_network(tmp_path / "run" / "trained" / task / f"{key}.json").state_dict()
        assert not exported.training
        assert all(torch.equal(value, kept[name]) for name, value in exported.state_dict().items())
        run_the_card(path.with_suffix(".md"), monkeypatch)
    assert "| classes | 1, 0 |" in written[-1].read_text()
    assert "| outputs | logits of the classes named above, in that order |" in written[-1].read_text()


def test_the_card_tells_what_was_trained(run, tmp_path):
    card = export_networks(run.train("classification"), tmp_path / "out", "torch")[-1].read_text()

    kept = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    for said in (
        "A network of the front of classification, found and trained by ktnas.",
        "| built for | `classification`: classification, 2 outputs |",
        "stripes.npz` |",
        "| classes | all |",
        "| images | 8 × 8 pixels, 1 channel |",
        f"with mean {kept['mean'][0]:.4g} and deviation {kept['deviation'][0]:.4g} of each channel",
        "logits of the classes 0 to 1: their labels",
        f"| `valid_error` | {kept['metrics']['valid_error']:.5g} |",
        f"| `test_error` | {kept['metrics']['test_error']:.5g} |",
        "| `params` |",
        "| `flops` |",
        "The numbers are of these weights.",
        f"**Trained** for 2 of 2 epochs on the training part of the data set; they are those of epoch "
        f"{kept['metrics']['best_epoch']:.0f}",
        "16 images a step, learning rate 0.1 falling to 0",
        "training images shifted at random, seed 0",
        f"ktnas {kept['ktnas']}",
    ):
        assert said in card, said


def test_a_network_that_takes_another_size_says_so(run, tmp_path, monkeypatch):
    settings = SETTINGS | {"network": {"width": 0.1}, "size": 32, "epochs": 1}
    record = run.train("classification", space="mobilenetv3", settings=settings)
    path, recipe, card = export_networks(record, tmp_path, "onnx")

    trainer = run.trainers["classification"]
    genotype = trainer.space.parse([json.loads(recipe.read_text())["architecture"]])[0]
    size = trainer.input_task(genotype).size
    assert size < 32
    (given,) = onnxruntime.InferenceSession(path).get_inputs()
    assert given.shape == [1, 1, size, size]
    assert f"| images | {size} × {size} pixels, 1 channel; those of the data set, 32 × 32" in card.read_text()
    run_the_card(card, monkeypatch)


def test_a_space_of_ones_own(run, tmp_path, monkeypatch):
    text = (resource_dir("spaces") / "nasbench201.yaml").read_text()
    mine = tmp_path / "mine.yaml"
    mine.write_text(re.sub("(?m)^name: .*$", "name: mine", text))
    recipe = export_networks(run.train("rotation", space=str(mine)), tmp_path / "out", "torch")[1]

    assert load_network(recipe)(torch.zeros(1, 1, 8, 8)).shape == (1, 4)
    kept = tmp_path / "run" / "trained" / "rotation" / recipe.name.removeprefix("rotation_")
    with pytest.raises(UserError, match="Unknown space 'mine'"):
        load_network(kept)
    load_network(kept, space=mine)


def test_weights_that_are_gone(run, tmp_path):
    record = run.train("rotation")
    (lost, *_) = export_networks(record, tmp_path / "out", "torch")
    shutil.rmtree(tmp_path / "out")
    weights = tmp_path / "run" / "trained" / "rotation" / lost.name.removeprefix("rotation_")
    content = weights.read_bytes()

    for file in (weights, weights.with_suffix(".json")):
        file.rename(tmp_path / "elsewhere")
        with pytest.raises(UserError) as caught:
            export_networks(record, tmp_path / "out", "torch")
        assert f"There is no file {file}, where the run kept what it trained of |" in str(caught.value)
        assert "Restore it from a copy; or make it again by the same search" in str(caught.value)
        (tmp_path / "elsewhere").rename(file)
    for cut in (content[:-1], content[:5], b""):
        weights.write_bytes(cut)
        with pytest.raises(UserError, match=rf"{weights.name} are not what ktnas has written .*from a copy"):
            export_networks(record, tmp_path / "out", "torch")
    shutil.rmtree(tmp_path / "run" / "trained")
    with pytest.raises(UserError, match="There is no file"):
        export_networks(record, tmp_path / "out", "torch")
    assert not list(tmp_path.glob("out/*"))


def test_what_concerns_untrained_networks_is_refused_unless_a_task_is_named(run, tmp_path):
    record = run.train("rotation")
    for options in ({"size": 16}, {"seed": 0}):
        (option,) = options
        with pytest.raises(UserError, match=rf"^{option} .* has trained its networks"):
            export_networks(record, tmp_path / "out", "torch", **options)
    _, recipe, card = export_networks(record, tmp_path / "out", "torch", task="cifar10", size=8, seed=1)
    assert load_network(recipe)(torch.zeros(1, 3, 8, 8)).shape == (1, 10)
    assert "**Not trained.** They are the initial weights of seed 1" in card.read_text()
