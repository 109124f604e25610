import numpy as np
import pytest
import torch
from torch import nn

from ktnas.network.task import NetworkTask
from ktnas.proxy.base import Subject
from ktnas.proxy.batch import Batch
from ktnas.proxy.passes import evaluate
from ktnas.registry import build


def value(name, rows, labels, outputs=10):
    """Score of a network whose Jacobian has these rows: the sum of x² / 2 · row."""
    rows = torch.as_tensor(rows, dtype=torch.float32)

    class Square(nn.Module):
        def forward(self, x):
            return x.square() / 2

    task = NetworkTask("t", "classification", outputs, 2)
    shown = Subject(Square(), Batch(task, rows, torch.tensor(labels)), 0)
    return evaluate(shown, [build("proxy", {"name": name})])[0]


ROWS = np.random.default_rng(0).normal(size=(6, 9))


def test_jacov_is_highest_for_uncorrelated_samples():
    values = np.linalg.eigvalsh(np.corrcoef(ROWS)) + 1e-5
    assert value("jacov", ROWS, [0] * 6) == pytest.approx(-np.sum(np.log(values) + 1 / values), rel=1e-3)
    apart = value("jacov", [[1, -1, 0, 0], [0, 0, 1, -1]], [0, 1])
    assert apart == pytest.approx(-2, abs=1e-3)
    assert value("jacov", [[1, -1, 0, 0], [1, -1, 0.1, -0.1]], [0, 1]) < apart


def test_epe_nas_looks_within_classes():
    labels = [0, 1, 0, 1, 2, 0]
    blocks = [np.corrcoef(ROWS[[i for i, label in enumerate(labels) if label == c]]) for c in (0, 1)]
    inner = [np.log(np.abs(block) + 1e-5).sum() for block in blocks] + [np.log(1 + 1e-5)]
    assert value("epe_nas", ROWS, labels) == pytest.approx(np.abs(inner).sum(), rel=1e-4)


def test_epe_nas_compares_many_classes():
    labels = [0, 1, 0, 1, 1, 0]
    means = [
        np.log(np.abs(np.corrcoef(ROWS[[i for i, label in enumerate(labels) if label == c]])) + 1e-5).sum()
        / 3
        for c in (0, 1)
    ]
    assert value("epe_nas", ROWS, labels, outputs=101) == pytest.approx(abs(means[0] - means[1]), rel=1e-4)


def test_what_is_not_defined_is_nan():
    assert np.isnan(value("epe_nas", ROWS[:3], [0, 1, 2]))
    constant = np.vstack([ROWS[:2], np.ones(9)])
    assert np.isnan(value("jacov", constant, [0, 0, 0]))
    assert np.isnan(value("epe_nas", constant, [0, 0, 0]))
