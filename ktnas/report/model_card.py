"""A network's model card: what it is, how it was found, what its weights are, how it is used."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ktnas.record.description import uncertainty_column
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import RunRecord
from ktnas.report import trained_card
from ktnas.space import SearchSpace

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ktnas.report.networks import FrontNetwork


def model_card(
    record: RunRecord,
    chosen: "FrontNetwork",
    space: SearchSpace,
    network: "nn.Module",
    inputs: "Tensor",
    files: Sequence[Path],
    checked: str,
) -> str:
    """The card, as Markdown.

    Args:
        record: of the run.
        chosen: what was exported.
        space: of the architecture.
        network: as exported.
        inputs: a batch of one that it takes.
        files: the network's, the one to open first.
        checked: what was found when the file was checked.
    """
    from ktnas.network.count import count_flops, count_parameters

    evaluation, task, path = chosen.evaluation, chosen.task, files[0]
    trained = chosen.kept is not None
    facts = {
        "space": f"`{space.name}`: {space.description}",
        "architecture": f"`{evaluation.architecture}`",
        "key": f"`{evaluation.key}`",
        "built for": f"`{task.name}`: {task.kind}, {task.outputs} outputs",
        "files": ", ".join(f"`{file.name}`" for file in files),
        "inputs": f"float32, {' × '.join(map(str, inputs.shape))}",
        "parameters": f"{count_parameters(network):,}",
        "multiply-accumulates": f"{count_flops(network, inputs):,}",
    }
    if trained:
        facts |= trained_card.task_facts(chosen.recipe, inputs.shape[-1])
    minimised = ", ".join(f"`{objective.column}`" for objective in record.description.objectives)
    fronts = " on ".join([evaluation.task, *([", ".join(chosen.devices)] if chosen.devices else [])])
    whose = "these weights" if trained else "the evaluation that the search paid for, not of these weights"
    return "\n".join(
        [
            f"# {path.stem}",
            "",
            f"A network of the front of {fronts}, found{' and trained' * trained} by ktnas.",
            "",
            *_table(("", ""), facts),
            "",
            "## What was measured in the search",
            "",
            *_table(("metric", "value"), _metrics(evaluation)),
            "",
            f"The search minimised {minimised}. The numbers are of {whose}.",
            "",
            "## Weights",
            "",
            _weights(record, chosen),
            "",
            "## How it was made",
            "",
            *(f"- {line}" for line in _origin(record, evaluation)),
            f"- {checked}",
            "",
            "## Use",
            "",
            "```python",
            *(
                trained_card.example(path, chosen.recipe, inputs.shape[-1])
                if trained
                else _example(path, inputs)
            ),
            "```",
            "",
        ]
    )


def _weights(record: RunRecord, chosen: "FrontNetwork") -> str:
    if chosen.kept is not None:
        return trained_card.weights_told(chosen.recipe, record.description.config)
    return (
        f"**Not trained.** They are the initial weights of seed {chosen.recipe['seed']}: train the network "
        "before you use it for more than measuring it."
    )


def _table(head: tuple[str, str], rows: dict[str, str]) -> list[str]:
    cells = [head, ("---", "---"), *rows.items()]
    return [f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in cells]


def _metrics(evaluation: Evaluation) -> dict[str, str]:
    known = {name: value for name, value in evaluation.metrics.items() if not math.isnan(value)}
    deviations = {uncertainty_column(name) for name in known} & known.keys()
    return {
        f"`{name}`": _value(value, known.get(uncertainty_column(name)))
        for name, value in known.items()
        if name not in deviations
    }


def _value(value: float, deviation: float | None) -> str:
    text = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.5g}"
    if deviation is None:
        return text
    return f"{text} ± {deviation:.3g} (predicted)" if deviation > 0 else f"{text} (measured)"


def _origin(record: RunRecord, evaluation: Evaluation) -> list[str]:
    config: dict[str, Any] = record.description.config
    benchmark = (config.get("benchmark") or {}).get("name")
    told = {"benchmark": benchmark, "algorithm": config.get("algorithm"), "seed": config.get("seed")}
    settings = " ".join(f"{name}={value}" for name, value in told.items() if value is not None)
    return [
        f"`ktnas search {settings}`, ktnas {record.version}; all of its configuration is in `config.yaml` of "
        "the run",
        f"evaluation {evaluation.order + 1} of the {len(record.evaluations)} recorded in "
        f"`{record.run_dir.name}`",
    ]


def _example(path: Path, inputs: "Tensor") -> list[str]:
    shape = ", ".join(map(str, inputs.shape))
    if path.suffix == ".onnx":
        return [
            "import numpy as np",
            "import onnxruntime",
            "",
            f'session = onnxruntime.InferenceSession("{path.name}")',
            f"inputs = np.zeros(({shape}), dtype=np.float32)",
            "(outputs,) = session.run(None, {session.get_inputs()[0].name: inputs})",
        ]
    return [
        "import torch",
        "",
        "from ktnas.report.networks import load_network",
        "",
        f'network = load_network("{path.stem}.json")',
        f"outputs = network(torch.zeros({shape}))",
    ]
