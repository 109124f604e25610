"""The networks of a run's fronts as files, each checked, each with a model card."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import numpy as np

from ktnas.errors import UserError
from ktnas.network.adapted import adapted_network
from ktnas.network.base import NetworkBuilder
from ktnas.network.task import NetworkTask, is_network_task, network_task
from ktnas.record.evaluation import Evaluation
from ktnas.record.files import json_bytes, write_atomically
from ktnas.record.ledger import RunRecord
from ktnas.record.view import FrontView
from ktnas.registry import build
from ktnas.report.model_card import model_card
from ktnas.report.run_space import run_space, space_reference
from ktnas.space import SearchSpace, load_space
from ktnas.threads import one_torch_thread
from ktnas.train.fidelity import full_name, is_supernet
from ktnas.train.kept import weights_path
from ktnas.version import __version__

if TYPE_CHECKING:
    from torch import Tensor, nn

NetworkFormat = Literal["onnx", "torch"]
NETWORK_FORMATS: tuple[NetworkFormat, ...] = ("onnx", "torch")
TOLERANCE = 1e-3
"""Largest difference of outputs between onnxruntime and torch, as a share of the largest output."""

CHECK_SEED = 1
MAX_POWER = 16


@dataclass(frozen=True)
class FrontNetwork:
    """An architecture on a front, as a network.

    Attributes:
        evaluation: of the architecture on its task.
        devices: on whose fronts it is; empty where fronts belong to none.
        task: what the network is built for.
        recipe: how it is built; of a trained network, also what it was trained on and what came of it.
        kept: file in the run, beside which its trained weights lie; None where it has its initial weights.
    """

    evaluation: Evaluation
    devices: tuple[str, ...]
    task: NetworkTask
    recipe: dict[str, Any]
    kept: Path | None = None

    @property
    def name(self) -> str:
        """Of its files: the task and the key of the architecture."""
        return quote(f"{self.evaluation.task}_{self.evaluation.key}", safe=" ,+=@()")


def export_networks(
    record: RunRecord,
    directory: Path,
    kind: NetworkFormat,
    task: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write the networks of the fronts of all target tasks.

    Their weights are those that the run has trained, where it trains (``benchmark=train``), else the initial
    ones.

    For each architecture ``<task>_<key>.onnx``, for a batch of one, checked in onnxruntime against torch; or
    ``<task>_<key>.safetensors``, its state dict, checked by loading it again. Beside it lie
    ``<task>_<key>.json``, which says how it is built, and ``<task>_<key>.md``, a model card. Some ONNX files
    keep their weights in ``<task>_<key>.onnx.data``.

    Args:
        record: of the run.
        directory: made if absent.
        kind: ``onnx`` or ``torch``.
        task: name of the task that networks are built for, untrained; None is each task's own.
        size: of the inputs of untrained networks: pixels of a side, nodes of a graph; None is the task's.
        seed: of initial weights; None is 0.
        tell: told how many networks of how many are written.

    Returns:
        The paths written.

    Raises:
        UserError: a space that is unknown or has no networks, a task that no network is known for, an empty
            front, trained weights that are not there, a network that cannot be written, or whose file does
            not compute what it computes.
    """
    space = run_space(record.description.config)
    if not space.network:
        raise UserError(f"Space {space.name} has no networks: its YAML file has no key 'network'.")
    if kind == "onnx":
        from ktnas.measure.onnx_file import check_onnx

        check_onnx("onnxruntime")
    chosen = list(front_networks(record, task, size, seed))
    if not chosen:
        raise UserError(f"{record.run_dir} has no front yet: no evaluation of a target task succeeded.")
    written: list[Path] = []
    with one_torch_thread():
        for done, network in enumerate(chosen, start=1):
            written += _export(record, space, network, directory, kind)
            if tell is not None:
                tell(done, len(chosen))
    return written


def front_networks(
    record: RunRecord, task: str | None = None, size: int | None = None, seed: int | None = None
) -> Iterator[FrontNetwork]:
    """Each architecture on a front of each target task once, the lowest error first.

    The arguments and errors are those of ``export_networks``.
    """
    trained = _trains(record) and task is None
    for option, value in (("size", size), ("seed", seed)):
        if trained and value is not None:
            raise UserError(
                f"{option} {value} is of untrained networks, but this run has trained its networks. Leave it "
                "out; or name a task, as in --task cifar10, to have them untrained."
            )
    views: dict[str, list[FrontView]] = {}
    for spec in record.description.fronts():
        if spec.role == "target":
            views.setdefault(spec.task, []).append(FrontView.of(spec, record.evaluations))
    for name, of_task in views.items():
        wanted = None if trained else _network_task(name, task, size)
        devices: dict[int, list[str]] = {}
        for view in of_task:
            for row in np.flatnonzero(view.front).tolist():
                devices.setdefault(row, []).extend([view.spec.device] if view.spec.device else [])
        evaluations = of_task[0].evaluations
        for row in sorted(devices, key=lambda row: (evaluations[row].metric("error"), row)):
            evaluation, where = evaluations[row], tuple(devices[row])
            if wanted is None:
                yield _trained(record, evaluation, where)
            else:
                recipe = _recipe(record, evaluation, wanted, seed or 0)
                yield FrontNetwork(evaluation, where, wanted, recipe)


def load_network(path: str | Path, space: str | Path | None = None) -> "nn.Module":
    """A network from its files, with its weights, in evaluation mode.

    A trained one takes the inputs of ``task`` in its file: images of floats, 0 black and 1 white, less
    ``mean`` and divided by ``deviation`` of each channel.

    Args:
        path: of the ``.json`` file that ``ktnas export --format torch`` wrote, or that a run has kept
            (``RUN/trained/TASK/KEY.json``); the ``.safetensors`` file lies beside it.
        space: name or YAML file of the space; None is the one that the file names.

    Raises:
        UserError: a file that is not there or cannot be read, a space or a task that is unknown.
    """
    from safetensors.torch import load_file

    path = Path(path)
    with _readable(path):
        recipe = json.loads(path.read_text(encoding="utf-8"))
        state = load_file(path.with_suffix(".safetensors"))
        network = _built(recipe, load_space(space or recipe["space"]))
        network.load_state_dict(state)
    return network.eval()


def _built(recipe: dict[str, Any], space: SearchSpace) -> "nn.Module":
    """The network of a recipe, with its initial weights."""
    task, seed, settings = recipe["task"], recipe["seed"], recipe["network"]
    if isinstance(task, str):
        return space.build(recipe["architecture"], network_task(task, size=recipe["size"]), seed, **settings)
    genotype = space.parse([recipe["architecture"]])[0]
    return adapted_network(_builder(space, recipe), space, genotype, NetworkTask(**task), seed)


def _builder(space: SearchSpace, recipe: dict[str, Any]) -> NetworkBuilder:
    builder: NetworkBuilder = build("network", space.network | recipe["network"])
    return builder


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the files of a network into a ``UserError``."""
    from safetensors import SafetensorError

    try:
        yield
    except UserError:
        raise
    except OSError as problem:
        raise UserError(f"Cannot read {problem.filename or path}: {problem.strerror or problem}.") from None
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as problem:
        raise UserError(
            f"{path} and {path.stem}.safetensors are not what ktnas has written ({problem}). "
            "Restore them from a copy."
        ) from None


def _trains(record: RunRecord) -> bool:
    """Whether a run trains networks on images, and keeps them."""
    return bool((record.description.config.get("benchmark") or {}).get("data"))


def _trained(record: RunRecord, evaluation: Evaluation, devices: tuple[str, ...]) -> FrontNetwork:
    """The network that a run has trained and kept."""
    if is_supernet(evaluation.task):
        raise UserError(
            f"The networks of {evaluation.task} inherit the weights of a supernet and are not kept one by "
            f"one. Train the best of them, by a search of target={full_name(evaluation.task)} with this run "
            "as its source=; or have untrained networks, as with --task cifar10."
        )
    weights = weights_path(record.run_dir, evaluation.task, evaluation.key)
    path = weights.with_suffix(".json")
    for file in (weights, path):
        if not file.is_file():
            raise UserError(
                f"There is no file {file}, where the run kept what it trained of {evaluation.architecture}. "
                "Restore it from a copy; or make it again by the same search in another run directory; or "
                "have untrained networks, as with --task cifar10."
            )
    with _readable(path):
        kept = json.loads(path.read_text(encoding="utf-8"))
        task = NetworkTask(**kept["task"])
    space = space_reference(record.description.config)
    return FrontNetwork(evaluation, devices, task, kept | {"space": space, "ktnas": __version__}, path)


def _recipe(record: RunRecord, evaluation: Evaluation, task: NetworkTask, seed: int) -> dict[str, Any]:
    """How an untrained network is built."""
    network = run_space(record.description.config).network
    return {
        "space": space_reference(record.description.config),
        "architecture": evaluation.architecture,
        "task": task.name,
        "size": task.size,
        "network": {name: value for name, value in network.items() if name != "name"},
        "seed": seed,
        "ktnas": __version__,
    }


def _network_task(name: str, given: str | None, size: int | None) -> NetworkTask:
    if given is None and not is_network_task(name):
        raise UserError(
            f"Nobody knows what networks of task '{name}' take in and give: name a task whose networks they "
            "are, as in --task cifar10; --size changes the size of its inputs."
        )
    return network_task(given or name) if size is None else network_task(given or name, size=size)


def _export(
    record: RunRecord, space: SearchSpace, chosen: FrontNetwork, directory: Path, kind: NetworkFormat
) -> list[Path]:
    if chosen.kept is None:
        network = _built(chosen.recipe, space).eval()
    else:
        network = load_network(chosen.kept, chosen.recipe["space"])
    genotype = space.parse([chosen.evaluation.architecture])[0]
    task = _builder(space, chosen.recipe).task_of(space, genotype, chosen.task)
    inputs = task.inputs(1, seed=CHECK_SEED)
    path = directory / f"{chosen.name}.{'onnx' if kind == 'onnx' else 'safetensors'}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".export-", dir=directory) as scratch:
            draft = Path(scratch) / path.name
            if kind == "onnx":
                checked = _write_onnx(network, inputs, draft)
            else:
                checked = _write_safetensors(network, chosen.recipe, inputs, draft)
            weights = [file.replace(directory / file.name) for file in sorted(Path(scratch).iterdir())]
    except OSError as problem:
        raise UserError(f"Cannot write {path}: {problem.strerror or problem}.") from problem
    recipe_path, card_path = path.with_suffix(".json"), path.with_suffix(".md")
    write_atomically(recipe_path, json_bytes(chosen.recipe))
    write_atomically(card_path, model_card(record, chosen, space, network, inputs, weights, checked).encode())
    return [*weights, recipe_path, card_path]


def _write_onnx(network: "nn.Module", inputs: "Tensor", path: Path) -> str:
    """Write the file and run it; what the check found, in words."""
    import onnxruntime
    import torch

    from ktnas.measure.onnx_file import export_onnx

    export_onnx(network, (inputs,), path)
    inputs, response = telling_inputs(network, inputs)
    session = onnxruntime.InferenceSession(str(path), _one_thread(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    with torch.no_grad():
        difference = float((torch.from_numpy(answer) - network(inputs)).abs().max()) / response
    if not difference <= TOLERANCE:
        raise UserError(
            f"{path.name} was not kept: in onnxruntime its outputs differ from torch's by "
            f"{difference:.1%} of the largest. Export it with --format torch."
        )
    return (
        f"Run by onnxruntime {onnxruntime.__version__} on random inputs, its outputs differ from those of "
        f"torch {torch.__version__} by at most {difference:.1e} of the largest."
    )


def telling_inputs(network: "nn.Module", inputs: "Tensor") -> "tuple[Tensor, float]":
    """``inputs`` as large as it takes for the outputs to depend on them, and by how much those then do.

    In an untrained network, whose batch norms pass on what they get, each layer may shrink what it is given
    until the outputs are the last biases and any file would agree on them. A network that ignores its inputs
    is given them as they are, and its largest output is returned (1 where all are 0).
    """
    import torch

    with torch.no_grad():
        silent = network(torch.zeros_like(inputs))
        size = float(silent.abs().max()) or 1.0
        for power in range(0, MAX_POWER + 1, 2):
            scaled = inputs * 10.0**power
            response = float((network(scaled) - silent).abs().max())
            if np.isfinite(response) and response >= size / 10:
                return scaled, response
    return inputs, size


def _one_thread() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def _write_safetensors(network: "nn.Module", recipe: dict[str, Any], inputs: "Tensor", path: Path) -> str:
    """Write the file and load it again; what the check found, in words."""
    import torch
    from safetensors.torch import save

    path.write_bytes(save({name: values.clone() for name, values in network.state_dict().items()}))
    draft = path.with_suffix(".json")
    draft.write_bytes(json_bytes(recipe))
    inputs, _ = telling_inputs(network, inputs)
    with torch.no_grad():
        same = torch.equal(load_network(draft)(inputs), network(inputs))
    draft.unlink()
    if not same:
        raise UserError(f"{path.name} was not kept: loaded again, it gives other outputs.")
    return "Loaded again from these files, it gives the same outputs to the bit."
