"""Proxies that read the gradient of the outputs by the inputs: whether samples are told apart."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ktnas.arrays import FloatArray
from ktnas.proxy.base import Pass, Proxy, Read, Subject

EPSILON = 1e-5
MANY_CLASSES = 100


@dataclass(frozen=True)
class Jacov(Proxy):
    """−Σ over the eigenvalues v of C of log(v + 1e-5) + 1 / (v + 1e-5).

    C (B, B) are the correlations of the samples' rows of the Jacobian. Mellor et al., "Neural Architecture
    Search without Training", first version of 2020 (arXiv 2006.04647v1).
    """

    sees: ClassVar[Pass] = Pass.INPUT

    def watch(self, subject: Subject) -> Read:
        """Reads the gradient."""

        def read() -> float:
            correlations = _correlations(_rows(subject))
            if not np.isfinite(correlations).all():
                return np.nan
            values = np.maximum(np.linalg.eigvalsh(correlations), 0) + EPSILON
            return -float(np.sum(np.log(values) + 1 / values))

        return read


@dataclass(frozen=True)
class EpeNas(Proxy):
    """Σ over the classes in the batch of |Σ log(|C| + 1e-5)|, C the correlations within a class.

    They are those of the samples' rows of the Jacobian. For a task of more than 100 classes each inner sum is
    divided by the samples of its class, and the score is the sum of the differences of all pairs of them,
    divided by the classes in the batch. NaN where samples are of no class, or all of different ones. Lopes et
    al., "EPE-NAS: Efficient Performance Estimation Without Training for Neural Architecture Search", ICANN
    2021, section 3.
    """

    sees: ClassVar[Pass] = Pass.INPUT

    def watch(self, subject: Subject) -> Read:
        """Reads gradient and classes."""

        def read() -> float:
            classes = subject.batch.classes
            if classes is None:
                return np.nan
            rows, labels = _rows(subject), classes.cpu().numpy()
            if len(np.unique(labels)) == len(labels):
                return np.nan
            blocks = [_correlations(rows[labels == label]) for label in np.unique(labels)]
            sums = np.array([np.log(np.abs(block) + EPSILON).sum() for block in blocks])
            if subject.batch.task.outputs <= MANY_CLASSES:
                return float(np.abs(sums).sum())
            means = sums / [len(block) for block in blocks]
            return float(np.abs(means[:, None] - means).sum() / len(means))

        return read


def _rows(subject: Subject) -> FloatArray:
    """The Jacobian's row of each sample (B, inputs) float64."""
    return np.asarray(subject.input_gradient.flatten(1).double().cpu().numpy())


def _correlations(rows: FloatArray) -> FloatArray:
    """Correlations (B, B) of rows (B, D); NaN for a row that is constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(rows))
