"""What a model card says of a network that was trained on images: its task, its training and its use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ktnas.train.fidelity import epochs_of, full_name
from ktnas.train.settings import TrainingSettings


def task_facts(recipe: Mapping[str, Any], size: int) -> dict[str, str]:
    """What goes in and comes out.

    Args:
        recipe: what the run kept beside the weights.
        size: height and width of the images that the network takes.
    """
    task, classes = recipe["task"], recipe["classes"]
    images = f"{size} × {size} pixels, {task['channels']} channel{'s' * (task['channels'] > 1)}"
    if size != task["size"]:
        images += f"; those of the data set, {task['size']} × {task['size']}, were scaled (bilinear)"
    return {
        "data set": f"`{recipe['data']}`",
        "classes": "all" if classes is None else ", ".join(map(str, classes)),
        "images": images,
        "normalised": "(image / 255 - mean) / deviation, with mean "
        f"{_numbers(recipe['mean'])} and deviation {_numbers(recipe['deviation'])} of each channel",
        "outputs": _outputs(task, classes),
    }


def weights_told(recipe: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """How the weights came about.

    Args:
        recipe: what the run kept beside the weights.
        config: of the run.
    """
    settings, metrics = TrainingSettings.of(config["benchmark"]["training"]), recipe["metrics"]
    epochs = epochs_of(recipe["task"]["name"], settings.epochs)
    colour = settings.flip if settings.flip is not None else recipe["task"]["channels"] >= 3
    return (
        f"**Trained** for {metrics['epochs']:.0f} of {epochs} epochs on the training part of the data set; "
        f"they are those of epoch {metrics['best_epoch']:.0f}, whose validation error was the lowest. "
        f"Stochastic gradient descent with Nesterov momentum, {settings.batch} images a step, learning rate "
        f"{settings.learning_rate:g} falling to 0 along a cosine, weight decay {settings.weight_decay:g}, "
        f"training images shifted{' and mirrored' * colour} at random, seed {recipe['seed']}. The validation "
        "part chose the epoch and the architecture; `test_error` is of images that had no part in either."
    )


def example(path: Path, recipe: Mapping[str, Any], size: int) -> list[str]:
    """Lines of Python that give the network an image.

    Args:
        path: of the network's file.
        recipe: what the run kept beside the weights.
        size: height and width of the images that the network takes, of a quarter where it takes quarters.
    """
    task = recipe["task"]
    several = task["pieces"] > 1
    whole = 2 * size if several else size
    use, load = _loading(path)
    return [
        "import numpy as np",
        *use,
        "",
        f"image = np.zeros(({whole}, {whole}, {task['channels']}), dtype=np.uint8)  # yours, 0 black",
        f"mean, deviation = {recipe['mean']}, {recipe['deviation']}",
        'inputs = ((image / 255 - mean) / deviation).astype("float32").transpose(2, 0, 1)',
        *(_QUARTERS.splitlines() if several else []),
        *load,
        _ANSWERS[task["kind"]],
    ]


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _outputs(task: Mapping[str, Any], classes: list[int] | None) -> str:
    if task["kind"] == "dense":
        return (
            f"the image ({task['channels']} × {task['size']} × {task['size']}), normalised as the inputs: "
            "times the deviation and plus the mean, 0 is black and 1 is white"
        )
    if task["pieces"] > 1:
        return (
            "logits of the 24 orders in which the quarters are shown: output i is the i-th of "
            "`itertools.permutations(range(4))`, which names the quarter (0 upper left, 1 upper right, 2 "
            "lower left, 3 lower right) at each place"
        )
    if full_name(task["name"]) == "rotation":
        return "logits of the quarter turns of the image, counter-clockwise: 0, 1, 2 or 3"
    if classes is not None:
        return "logits of the classes named above, in that order"
    return (
        f"logits of the classes 0 to {task['outputs'] - 1}: their labels, or directories in alphabetic order"
    )


def _loading(path: Path) -> tuple[list[str], list[str]]:
    """Imports, and lines from ``inputs`` to ``outputs``, arrays of numpy."""
    if path.suffix == ".onnx":
        return ["import onnxruntime"], [
            f'session = onnxruntime.InferenceSession("{path.name}")',
            "(outputs,) = session.run(None, {session.get_inputs()[0].name: inputs[None]})",
        ]
    return ["import torch", "", "from ktnas.report.networks import load_network"], [
        f'network = load_network("{path.stem}.json")',
        "with torch.no_grad():",
        "    outputs = network(torch.from_numpy(inputs[None])).numpy()",
    ]


_QUARTERS = """\
half = len(image) // 2
inputs = np.stack([inputs[:, i : i + half, j : j + half] for i in (0, half) for j in (0, half)])"""

_ANSWERS = {
    "classification": "print(outputs[0].argmax())",
    "dense": "print(outputs[0].transpose(1, 2, 0) * deviation + mean)",
}
