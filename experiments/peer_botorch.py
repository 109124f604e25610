"""BoTorch's qLogNEHVI on one-hot inputs, on a task whose architectures are genotypes: pip install botorch."""

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.peers import Memory
from experiments.tables import Table
from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.onehot import one_hot
from ktnas.record.front import non_dominated
from ktnas.threads import one_torch_thread

if TYPE_CHECKING:
    from botorch.acquisition import AcquisitionFunction
    from botorch.models import ModelListGP
    from torch import Tensor

INITIAL = 10
"""Random architectures before the first model."""

DENSE = 50
"""Evaluations up to which hyper-parameters are fitted every time."""

REFIT = 5
"""Evaluations from one fit of the hyper-parameters to the next one from there on."""

ITERATIONS = 50
"""Of the optimiser at most in a fit that starts from an earlier one."""

RANDOM = 256
"""Random architectures among the candidates of a choice."""

STARTS = 3
"""Candidates from which local search goes on."""

STEPS = 4
"""Of local search at most."""

SAMPLES = 64
"""Quasi-random samples behind the acquisition."""

PRUNING = 256
"""Quasi-random samples by which evaluations that are hardly on the front are left out of the acquisition."""

SETTINGS: dict[str, Any] = {
    "initial": INITIAL,
    "dense": DENSE,
    "refit": REFIT,
    "iterations": ITERATIONS,
    "random": RANDOM,
    "starts": STARTS,
    "steps": STEPS,
    "samples": SAMPLES,
    "pruning": PRUNING,
}


def require_botorch() -> None:
    """Stop with a message where BoTorch is not installed."""
    if find_spec("botorch") is None:
        raise SystemExit(
            "botorch_qlognehvi needs BoTorch, which ktnas does not install: pip install botorch (0.18 was "
            "tried), or name the other methods with --methods."
        )


def botorch_search(table: Table, budget: int, seed: int) -> FloatArray:
    """Error and latency (budget, 2) of the distinct architectures that qLogNEHVI chooses, in order.

    One Gaussian process per objective on one-hot inputs, models and priors BoTorch's own, the reference point
    inferred from the front (Ament et al. 2023, "Unexpected improvements to expected improvement"; Daulton et
    al. 2021). Hyper-parameters are fitted from where they were, each time up to ``DENSE`` evaluations and at
    every ``REFIT``-th from there on, all but the first in ``ITERATIONS`` steps. The acquisition is maximised
    among ``RANDOM`` architectures and the neighbours of the front so far, then by local search from the
    ``STARTS`` best; what was evaluated is never a candidate.

    Args:
        table: what is searched.
        budget: evaluations, the first ``INITIAL`` of them random.
        seed: of the random architectures and of torch.
    """
    import torch

    memory = Memory(table, seed)
    for genotype in memory.draw(min(INITIAL, budget)):
        memory.answer(genotype)
    parameters: dict[str, Tensor] = {}
    with one_torch_thread(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numerical difficulties, which BoTorch overcomes by itself
        torch.manual_seed(seed)
        while len(memory) < budget:
            model = _model(table, memory)
            known = bool(parameters)
            if known:
                _set_parameters(model, parameters)
            if len(memory) <= DENSE or len(memory) % REFIT == 0:
                parameters = _fit(model, ITERATIONS if known else None)
            memory.answer(_choose(table, memory, _acquisition(table, memory, model)))
    return memory.points


def _model(table: Table, memory: Memory) -> "ModelListGP":
    from botorch.models import ModelListGP, SingleTaskGP

    inputs, gains = _tensors(table, memory)
    return ModelListGP(*(SingleTaskGP(inputs, gains[:, [j]]) for j in range(gains.shape[1])))


def _tensors(table: Table, memory: Memory) -> "tuple[Tensor, Tensor]":
    """One-hot inputs (N, D), and what is maximised (N, 2)."""
    import torch

    inputs = one_hot(memory.genotypes, table.task.space.n_choices)
    return torch.from_numpy(inputs), torch.from_numpy(-memory.points)


def _set_parameters(model: "ModelListGP", parameters: "dict[str, Tensor]") -> None:
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(parameters[name])


def _fit(model: "ModelListGP", iterations: int | None) -> "dict[str, Tensor]":
    """Fit the hyper-parameters of ``model``, in ``iterations`` at most if it is given; their values."""
    from botorch.fit import fit_gpytorch_mll
    from gpytorch.mlls import SumMarginalLogLikelihood

    options = {"maxiter": iterations} if iterations else {}
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model), optimizer_kwargs={"options": options})
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def _acquisition(table: Table, memory: Memory, model: "ModelListGP") -> "AcquisitionFunction":
    import torch
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.acquisition.multi_objective.utils import prune_inferior_points_multi_objective
    from botorch.sampling import SobolQMCNormalSampler
    from botorch.utils.multi_objective.hypervolume import infer_reference_point
    from botorch.utils.multi_objective.pareto import is_non_dominated

    inputs, gains = _tensors(table, memory)
    reference = infer_reference_point(gains[is_non_dominated(gains)])
    baseline = prune_inferior_points_multi_objective(model, inputs, reference, num_samples=PRUNING)
    sampler = SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=len(memory))
    return qLogNoisyExpectedHypervolumeImprovement(
        model, reference, baseline, sampler=sampler, prune_baseline=False
    )


def _choose(table: Table, memory: Memory, acquisition: "AcquisitionFunction") -> IntArray:
    """Genotype (V,) of the highest acquisition that was found, not evaluated yet."""
    space, n_choices = table.task.space, table.task.space.n_choices
    front = memory.genotypes[non_dominated(memory.points)]
    pool = np.vstack([memory.draw(RANDOM), space.neighbours(front)])
    pool = np.unique(pool[memory.unknown(pool)], axis=0)
    scores = _scores(acquisition, one_hot(pool, n_choices))
    for _ in range(STEPS):
        best = np.argsort(-scores, kind="stable")[:STARTS]
        pool, scores = pool[best], scores[best]
        around = space.neighbours(pool)
        around = np.unique(around[memory.unknown(around)], axis=0)
        values = _scores(acquisition, one_hot(around, n_choices))
        if values.max(initial=-np.inf) <= scores[0]:
            break
        pool, scores = np.vstack([pool, around]), np.append(scores, values)
    chosen: IntArray = pool[np.argmax(scores)]
    return chosen


def _scores(acquisition: "AcquisitionFunction", inputs: FloatArray) -> FloatArray:
    """Acquisition (P,) of one-hot inputs (P, D), one architecture at a time."""
    import torch

    if not len(inputs):
        return np.empty(0)
    with torch.no_grad():
        values: FloatArray = acquisition(torch.from_numpy(inputs)[:, None, :]).numpy()
    return values
