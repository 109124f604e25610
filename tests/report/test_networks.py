import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from ktnas.errors import UserError
from ktnas.network.task import NetworkTask, network_task
from ktnas.record.ledger import read_ledger
from ktnas.report import networks
from ktnas.report.networks import export_networks, front_networks, load_network, telling_inputs
from ktnas.resources import resource_dir
from ktnas.space import load_space
from ktnas.threads import one_torch_thread


@pytest.fixture(autouse=True)
def one_thread():
    with one_torch_thread():
        yield


@pytest.fixture
def record(write_run, evaluations):
    return read_ledger(write_run("run", evaluations("cifar100", "target", 2)))


def test_state_dicts_come_back(record, tmp_path):
    told = []
    written = export_networks(
        record, tmp_path / "out", "torch", size=8, seed=3, tell=lambda *of: told.append(of)
    )

    chosen = list(front_networks(record))
    assert told == [(done, len(chosen)) for done in range(1, len(chosen) + 1)]
    names = [f"cifar100_{network.evaluation.key}" for network in chosen]
    assert [path.name for path in written] == [
        f"{name}.{ending}" for name in names for ending in ("safetensors", "json", "md")
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(p.name for p in written)
    space, task = load_space("nasbench201"), network_task("cifar100", size=8)
    for path, network in zip(written[1::3], chosen, strict=True):
        loaded = load_network(path)
        built = space.build(network.evaluation.architecture, task, 3).state_dict()
        state = loaded.state_dict()
        assert state.keys() == built.keys()
        assert all(torch.equal(state[name], built[name]) for name in built)
        assert not loaded.training
        assert loaded(task.inputs(2)).shape == (2, 100)


def test_onnx_files_compute_what_torch_does(record, tmp_path):
    written = export_networks(record, tmp_path, "onnx", size=8)

    space, task = load_space("nasbench201"), network_task("cifar100", size=8)
    for path in written[::3]:
        recipe = json.loads(path.with_suffix(".json").read_text())
        network = space.build(recipe["architecture"], task, recipe["seed"]).eval()
        inputs, response = telling_inputs(network, task.inputs(1, seed=9))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (answer,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(answer, network(inputs).numpy(), atol=1e-5 * response)


@pytest.mark.slow
def test_what_only_one_exporter_knows_is_written_without_noise(write_run, evaluations, tmp_path, capfd):
    space = load_space("fbnet")
    (row,) = evaluations("cifar100", "target", 1)
    text = space.format(space.sample(1, np.random.default_rng(0)))[0]
    run = write_run("run", [replace(row, architecture=text)], changes={"space": "fbnet"})
    written = export_networks(read_ledger(run), tmp_path / "out", "onnx")

    assert capfd.readouterr().out == ""
    assert [path.name.partition(".")[2] for path in written] == ["onnx", "onnx.data", "json", "md"]
    assert set((tmp_path / "out").iterdir()) == set(written)
    session = onnxruntime.InferenceSession(written[0], providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert session.run(None, {given.name: np.zeros(given.shape, np.float32)})[0].shape == (1, 100)


def test_the_card_tells_what_it_is(record, tmp_path):
    path, _, card = export_networks(record, tmp_path, "torch", size=8, seed=3)[:3]
    text = card.read_text()

    (first, *_) = front_networks(record)
    assert text.startswith(f"# {path.stem}\n")
    for said in (
        first.evaluation.architecture.replace("|", r"\|"),
        "front of cifar100 on phone",
        f"| `error` | {first.evaluation.metrics['error']:.5g} |",
        "**Not trained.** They are the initial weights of seed 3",
        "`ktnas search benchmark=nasbench201 algorithm=nsga2 seed=0`",
        "float32, 1 × 3 × 8 × 8",
        "it gives the same outputs to the bit",
        f'load_network("{path.stem}.json")',
    ):
        assert said in text


def test_inputs_are_made_large_enough_to_matter():
    space, task = load_space("nasbench201"), NetworkTask("small", "classification", 3, 8)
    network = space.build(space.example, task).eval()
    inputs, response = telling_inputs(network, task.inputs(1))
    with torch.no_grad():
        plain = (network(task.inputs(1)) - network(0 * inputs)).abs().max()
        scaled = (network(inputs) - network(0 * inputs)).abs().max()

    assert plain < 1e-6 < response
    assert scaled == response
    deaf = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2))
    torch.nn.init.zeros_(deaf[1].weight)
    given = torch.ones(1, 3, 8, 8)
    same, size = telling_inputs(deaf, given)
    assert torch.equal(same, given)
    assert size == deaf[1].bias.abs().max()


def test_a_file_that_computes_something_else_is_refused(record, tmp_path, monkeypatch):
    telling = networks.telling_inputs
    monkeypatch.setattr(networks, "telling_inputs", lambda n, x: (telling(n, x)[0], 1e-12))
    with pytest.raises(UserError, match=r"onnx was not kept: in onnxruntime its outputs differ"):
        export_networks(record, tmp_path / "out", "onnx", size=8)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_task_nobody_knows_takes_the_networks_of_another(write_run, evaluations, tmp_path):
    record = read_ledger(write_run("run", evaluations("mine", "target", 2)))
    with pytest.raises(UserError, match=r"task 'mine' .* --task cifar10"):
        export_networks(record, tmp_path, "torch")
    (path, *_) = export_networks(record, tmp_path, "torch", task="cifar10", size=8)
    assert path.name.startswith("mine_")
    assert load_network(path.with_suffix(".json"))(torch.zeros(1, 3, 8, 8)).shape == (1, 10)


def test_mistakes(write_run, evaluations, tmp_path):
    failed = read_ledger(write_run("failed", evaluations("cifar100", "target", 4)[3:]))
    with pytest.raises(UserError, match="has no front yet"):
        export_networks(failed, tmp_path, "torch")
    with pytest.raises(UserError, match=r"Cannot read .*nothing\.json: No such file"):
        load_network(tmp_path / "nothing.json")
    for name, content in (("cut", "{"), ("other", '{"space": "nasbench201"}')):
        (tmp_path / f"{name}.json").write_text(content)
        (tmp_path / f"{name}.safetensors").write_bytes(b"0123")
        with pytest.raises(UserError, match=r"are not what ktnas has written \(.*Restore them from a copy"):
            load_network(tmp_path / f"{name}.json")


def test_a_space_without_networks(write_run, evaluations, tmp_path):
    file = tmp_path / "mine.yaml"
    text = (resource_dir("spaces") / "nasbench201.yaml").read_text()
    file.write_text("\n".join(line for line in text.splitlines() if not line.startswith("network")))
    run = write_run("run", evaluations("cifar100", "target", 2), changes={"space": str(file)})
    with pytest.raises(UserError, match="Space nasbench201 has no networks"):
        export_networks(read_ledger(run), tmp_path, "torch")
