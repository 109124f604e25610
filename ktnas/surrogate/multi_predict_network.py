"""The network of Multi-Predict: a small ensemble over space-independent vectors, an embedding per task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ktnas.arrays import FloatArray, IntArray
from ktnas.surrogate.base import Progress
from ktnas.threads import one_torch_thread

if TYPE_CHECKING:
    from torch import Generator, Tensor

Weights = dict[str, NDArray[np.float32]]
LAYERS = ("first", "second", "last")
EMBEDDING = 8
WEIGHT_DECAY = 0.03


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes:
        members: networks of the ensemble, which differ in their start and in what they see when.
        hidden: width of the two hidden layers.
        steps: of AdamW, each on ``batch`` observations; the learning rate falls to 0.
        batch: observations per step and member.
        learning_rate: of AdamW at the start.
        masking: share of the entries of a vector that a step sets to 0, their typical value, so that no one
            entry is relied on: another space may lack it, or it may mean less there.
    """

    members: int
    hidden: int
    steps: int
    batch: int
    learning_rate: float
    masking: float


def train(
    vectors: FloatArray,
    tasks: IntArray,
    values: FloatArray,
    n_tasks: int,
    training: Training,
    seed: int,
    start: Weights | None = None,
    progress: Progress | None = None,
) -> Weights:
    """Weights of an ensemble that predicts ``values`` by least squares, float32 as numpy arrays.

    From a random generator of its own and on one thread: the same arguments give the same weights on one
    machine.

    Args:
        vectors: (N, D) of any scale, with 0 for what is not known.
        tasks: (N,) in ``[0, n_tasks)``.
        values: (N,) of about unit variance.
        n_tasks: number of embeddings.
        training: how.
        seed: of the first weights, the batches and the masks.
        start: weights to go on from, over vectors of the same D; embeddings start at the mean of its own.
        progress: told the steps done and their number.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with one_torch_thread():
        if start is None:
            first, unit = _initial(vectors.shape[1], n_tasks, training, generator), _unit(vectors)
        else:
            first, unit = _adopted(start, n_tasks), start["unit"]
        weights = {name: torch.from_numpy(array.copy()).requires_grad_() for name, array in first.items()}
        data = [torch.from_numpy(np.asarray(array, dtype=np.float32)) for array in (vectors * unit, values)]
        _descend(weights, data[0], torch.from_numpy(tasks), data[1], training, generator, progress)
        return {name: weight.detach().numpy() for name, weight in weights.items()} | {"unit": unit}


def predict(weights: Mapping[str, NDArray[Any]], vectors: FloatArray) -> FloatArray:
    """What each member says of each of its tasks, (K, N, T), of vectors (N, D)."""
    return _outputs(weights, _hidden(weights, vectors))


def consult(weights: Mapping[str, NDArray[Any]], vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the ensemble says of each of its tasks, (N, T), and its last hidden layer, (N, K H).

    The layer is the mean over tasks, the members side by side.
    """
    hidden = _hidden(weights, vectors)
    side_by_side = hidden.mean(axis=1).transpose(1, 0, 2).reshape(len(vectors), -1)
    return _outputs(weights, hidden).mean(axis=0), np.asarray(side_by_side, dtype=np.float64)


def width(weights: Mapping[str, NDArray[Any]]) -> int:
    """Length D of the vectors that the network takes."""
    return int(weights["first"].shape[1] - EMBEDDING)


def _hidden(weights: Mapping[str, NDArray[Any]], vectors: FloatArray) -> NDArray[Any]:
    """Last hidden layer of members and tasks (K, T, N, H)."""
    size = width(weights)
    inputs = vectors * weights["unit"]
    of_vector = np.matmul(inputs, weights["first"][:, :size].astype(np.float64)) + weights["first_bias"]
    of_task = np.matmul(weights["embedding"], weights["first"][:, size:])
    first = np.maximum(of_vector[:, None] + of_task[:, :, None], 0)
    second = np.matmul(first, weights["second"][:, None]) + weights["second_bias"][:, None]
    return np.asarray(np.maximum(second, 0))


def _outputs(weights: Mapping[str, NDArray[Any]], hidden: NDArray[Any]) -> FloatArray:
    said = np.matmul(hidden, weights["last"][:, None]) + weights["last_bias"][:, None]
    return np.asarray(said[..., 0].transpose(0, 2, 1), dtype=np.float64)


def _initial(size: int, n_tasks: int, training: Training, generator: "Generator") -> Weights:
    import torch

    members, hidden = training.members, training.hidden
    shapes = ((size + EMBEDDING, hidden), (hidden, hidden), (hidden, 1))
    weights: Weights = {}
    for name, (inputs, outputs) in zip(LAYERS, shapes, strict=True):
        gain = 0.3 if name == "last" else 2**0.5
        drawn = torch.randn(members, inputs, outputs, generator=generator) * gain / inputs**0.5
        weights[name] = drawn.numpy()
        weights[f"{name}_bias"] = np.zeros((members, 1, outputs), dtype=np.float32)
    embedding = 0.1 * torch.randn(members, n_tasks, EMBEDDING, generator=generator)
    return weights | {"embedding": embedding.numpy()}


def _adopted(start: Weights, n_tasks: int) -> Weights:
    mean = start["embedding"].mean(axis=1, keepdims=True)
    kept = {name: array for name, array in start.items() if name != "unit"}
    return kept | {"embedding": np.repeat(mean, n_tasks, axis=1)}


def _unit(vectors: FloatArray) -> NDArray[np.float32]:
    """What entries are multiplied by to be of about unit size, (1,)."""
    size = float(np.sqrt((vectors**2).mean())) if vectors.size else 0.0
    return np.array([1 / size if size > 0 else 1.0], dtype=np.float32)


def _descend(
    weights: "dict[str, Tensor]",
    vectors: "Tensor",
    tasks: "Tensor",
    values: "Tensor",
    training: Training,
    generator: "Generator",
    progress: Progress | None,
) -> None:
    import torch

    members = len(weights["embedding"])
    optimizer = torch.optim.AdamW(weights.values(), lr=training.learning_rate, weight_decay=WEIGHT_DECAY)
    each = torch.arange(members)[:, None]
    for step in range(training.steps):
        optimizer.param_groups[0]["lr"] = training.learning_rate * (1 - step / training.steps)
        rows = torch.randint(len(values), (members, min(training.batch, len(values))), generator=generator)
        seen = vectors[rows]
        kept = torch.rand(seen.shape, generator=generator) >= training.masking
        inputs = torch.cat([seen * kept, weights["embedding"][each, tasks[rows]]], dim=2)
        loss = ((_forward(weights, inputs) - values[rows]) ** 2).mean(dim=1).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        if progress is not None:
            progress(step + 1, training.steps)


def _forward(weights: "dict[str, Tensor]", inputs: "Tensor") -> "Tensor":
    """Values (K, B) of inputs (K, B, D + E)."""
    import torch

    for name in LAYERS:
        inputs = torch.baddbmm(weights[f"{name}_bias"], inputs, weights[name])
        if name != "last":
            inputs = torch.relu(inputs)
    return inputs[..., 0]
