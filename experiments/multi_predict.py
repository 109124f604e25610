"""Multi-Predict: learned on one (space, task) set, adapted to another by 20 observations, for all pairs."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV

from experiments.common import Job, command_line, config_hash, names_among, options, run_jobs, start
from experiments.multi_predict_report import (
    FROM_SCRATCH,
    REFERENCE,
    losers,
    matrix,
    summary,
    without_source,
)
from experiments.report import origin, publish
from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.zero_cost import ZeroCost
from ktnas.registry import PLUGINS, build
from ktnas.space import load_space
from ktnas.surrogate.base import Surrogate
from ktnas.surrogate.normal_scores import normal_scores
from ktnas.tables.files import locate

NAME = "multi_predict"
PROXIES = tuple(PLUGINS["proxy"])


@dataclass(frozen=True)
class Set:
    """Architectures of a space with their scores and their accuracy on a task.

    Attributes:
        space: name of the space.
        accuracy: file and column of what is predicted, higher is better.
        scores: file of the proxies' scores.
        task: value of that file's column ``task``, where it has one.
    """

    space: str
    accuracy: tuple[str, str]
    scores: str
    task: str


def _transnas(family: str, task: str) -> Set:
    space = f"transnas_{family}"
    return Set(space, (f"{space}_score.csv.gz", task), f"{space}_zero_cost.csv.gz", task)


def _nasbench201(task: str) -> Set:
    return Set(
        "nasbench201",
        ("nasbench201_accuracy.csv.gz", f"{task}_val"),
        "nasbench201_zero_cost.csv.gz",
        task,
    )


def _sample(space: str, file: str) -> Set:
    return Set(space, (file, "val_accuracy"), file, "cifar10")


SETS = {
    "NB101": _sample("nasbench101", "nasbench101_sample.csv.gz"),
    "NB201 cifar10": _nasbench201("cifar10"),
    "NB201 cifar100": _nasbench201("cifar100"),
    "NB201 ImageNet16": _nasbench201("ImageNet16-120"),
    "NB301": _sample("darts", "darts_nasbench301_sample.csv.gz"),
    "micro object": _transnas("micro", "class_object"),
    "micro scene": _transnas("micro", "class_scene"),
    "micro layout": _transnas("micro", "room_layout"),
    "micro jigsaw": _transnas("micro", "jigsaw"),
    "macro scene": _transnas("macro", "class_scene"),
    "macro jigsaw": _transnas("macro", "jigsaw"),
}

PUBLISHED: Mapping[str, Any] = {
    "name": "multi_predict", "adaptation": "fine_tuned", "members": 1, "masking": 0.0,
}  # fmt: skip
OURS: Mapping[str, Any] = {"name": "multi_predict"}

TRANSFERRED: dict[str, tuple[Mapping[str, Any], str]] = {
    "multi_predict": (OURS, "quantile"),
    "published recipe": (PUBLISHED, "minmax"),
}
"""Surrogate and scale of the methods that start from another set."""

SCRATCH: dict[str, tuple[Mapping[str, Any], str]] = {
    "multi_predict": (OURS, "quantile"),
    "published recipe": (PUBLISHED, "minmax"),
    "its network, quantiles": (OURS | {"adaptation": "fine_tuned"}, "quantile"),
    "multitask_gp": ({"name": "multitask_gp"}, "quantile"),
}
"""Those that learn from the observations alone; ridge regression is beside them."""


ALONE = {
    **{name: (name,) for name in ("params", "flops", "synflow", "nwot")},
    "all proxies": PROXIES,
}
"""Proxies whose mean orders the target without an observation."""

CHEAP = ("multi_predict", "multitask_gp")
"""Methods from scratch that train no network."""


@dataclass(frozen=True)
class Data:
    """A set in memory: genotypes (N, V), accuracies (N,), and its encoding under a scale."""

    genotypes: IntArray
    accuracies: FloatArray
    encoding: ZeroCost


@cache
def load(name: str, scale: str) -> Data:
    """The architectures of a set that have scores and an accuracy, in the order of the accuracies' file."""
    chosen = SETS[name]
    space = load_space(chosen.space)
    scored = pd.read_csv(locate(chosen.scores), usecols=lambda column: column in ("arch", "task"))
    if "task" in scored:
        scored = scored[scored["task"] == chosen.task]
    file, column = chosen.accuracy
    frame = pd.read_csv(locate(file), usecols=["arch", column]).dropna()
    frame = frame[frame["arch"].isin(scored["arch"])]
    encoding = ZeroCost(table=chosen.scores, task=chosen.task, scale=scale).fit(space, 0)
    return Data(space.parse(frame["arch"].tolist()), frame[column].to_numpy(dtype=np.float64), encoding)


@dataclass(frozen=True)
class Split:
    """What is observed of a set, and the rest. Values are normal scores of the observed accuracies."""

    seen: IntArray
    values: FloatArray
    rest: IntArray
    truth: FloatArray

    @classmethod
    def draw(cls, data: Data, samples: int, seed: int) -> "Split":
        """``samples`` architectures drawn at random, the same ones for the same ``seed``."""
        order = np.random.default_rng(seed).permutation(len(data.genotypes))
        seen, rest = order[:samples], order[samples:]
        return cls(
            data.genotypes[seen],
            -normal_scores(data.accuracies[seen]),
            data.genotypes[rest],
            data.accuracies[rest],
        )

    def spearman(self, predicted: FloatArray) -> float | None:
        """Rank correlation of predictions, smaller is better, with the rest; None of equal predictions."""
        return float(spearmanr(-predicted, self.truth).statistic) if np.ptp(predicted) > 0 else None


def adapted(
    source: str, method: str, targets: Sequence[str], samples: int, source_samples: int, seed: int
) -> dict[str, float | None]:
    """Spearman on each target of a surrogate that learned on ``source`` first; None on ``source`` itself."""
    surrogate, scale = TRANSFERRED[method]
    data = load(source, scale)
    lender = _fit(surrogate, data, Split.draw(data, source_samples, seed), seed)
    return {
        target: None if target == source else _measure(surrogate, scale, target, samples, seed, lender)
        for target in targets
    }


def from_scratch(method: str, targets: Sequence[str], samples: int, seed: int) -> dict[str, float | None]:
    """Spearman on each target of a method that sees its observations alone."""
    surrogate, scale = SCRATCH[method]
    return {target: _measure(surrogate, scale, target, samples, seed) for target in targets}


def ridge(targets: Sequence[str], samples: int, seed: int) -> dict[str, float | None]:
    """Spearman of ridge regression, its penalty by leave-one-out."""
    found: dict[str, float | None] = {}
    for target in targets:
        data = load(target, "quantile")
        split, vectors = Split.draw(data, samples, seed), data.encoding.features
        model = RidgeCV(np.logspace(-4, 2, 25)).fit(vectors.get(split.seen), split.values)
        found[target] = split.spearman(model.predict(vectors.get(split.rest)))
    return found


def proxies_alone(
    which: Sequence[str], targets: Sequence[str], samples: int, seed: int
) -> dict[str, float | None]:
    """Spearman of the mean normal score of some proxies on the same rest; None where none is defined."""
    columns = [PROXIES.index(name) for name in which]
    found: dict[str, float | None] = {}
    for target in targets:
        data = load(target, "quantile")
        split = Split.draw(data, samples, seed)
        vectors = data.encoding.features.get(split.rest)[:, columns]
        found[target] = split.spearman(-vectors.mean(axis=1))
    return found


def _measure(
    surrogate: Mapping[str, Any],
    scale: str,
    target: str,
    samples: int,
    seed: int,
    lender: Surrogate | None = None,
) -> float | None:
    data = load(target, scale)
    split = Split.draw(data, samples, seed)
    return split.spearman(_fit(surrogate, data, split, seed, lender).predict(split.rest, 0))


def _fit(
    surrogate: Mapping[str, Any], data: Data, split: Split, seed: int, lender: Surrogate | None = None
) -> Surrogate:
    model: Any = build("surrogate", surrogate).prepare(data.encoding, 1, seed)
    if lender is not None:
        model.start_from(lender)
    fitted: Surrogate = model.fit(split.seen, np.zeros(len(split.seen), dtype=np.int64), split.values)
    return fitted


NOTES = """Spearman correlation of predictions with accuracy over the architectures of the target that were
not observed, mean ± standard error over draws. A draw is one random sample of the target; every method sees
the same one. Observed accuracies are handed over as normal scores. `multi_predict` starts from a network that
learned on at most {source_samples} architectures of the source, and blends it with what it learns from the
target alone. The published recipe is one network on proxies scaled by minimum and maximum, trained on the
source and then fine-tuned by least squares (Akhauri and Abdelfattah, AutoML-Conf 2023; the figures of the
paper are on other samples and are not repeated here).

Differences are on the same draws from a method that sees the observations of the target alone: from
`multi_predict` without a source, a Gaussian process on the proxies, or from the published recipe without one.
A pair is helped where the mean difference over draws is above 0, and worse by an error where it is more than
one standard error below 0; of pairs without any difference about 19 % (6 % by two) would be so by chance at
five draws, and as many would be better.

Proxies alone are means of their normal scores, which need no observation. nwot and zen are not in the table
of NB101, zen is not in that of NB301: they count as typical there, and the mean of nwot is over the others.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = options(NAME, __doc__ or "", list(TRANSFERRED))
    parser.set_defaults(seeds=5)
    parser.add_argument("--cheap-seeds", type=int, default=20, help="draws without a network (default: 20)")
    parser.add_argument("--samples", type=int, default=20, help="observations of the target (default: 20)")
    parser.add_argument("--source-samples", type=int, default=1000, help="of the source (default: 1000)")
    parser.add_argument("--sets", type=names_among(list(SETS)), default=list(SETS), help="default: all")
    given = parser.parse_args(arguments)
    rows = run_jobs(given.out / f"{NAME}.csv", _jobs(given), given.workers, given.replace)
    compared = {name: dict.fromkeys((REFERENCE, name)) for name in given.methods}
    parts = [
        summary(rows, given.sets, {name: list(against) for name, against in compared.items()}),
        *(
            f"## {name} after each source\n\n{_after_sources(rows, name, given.sets)}"
            for name in given.methods
        ),
        f"## Without a source\n\n{without_source(rows, given.sets)}",
        NOTES.format(source_samples=f"{given.source_samples:,}"),
        origin(command_line(NAME, arguments), rows),
    ]
    title = f"Multi-Predict: {given.samples} observations of a target, after another space or task"
    publish(given.out / f"{NAME}.md", title, parts)


def _after_sources(rows: pd.DataFrame, name: str, sets: Sequence[str]) -> str:
    note = "In parentheses the difference from `multi_predict` without a source.\n"
    return "\n".join([matrix(rows, name, sets), note, losers(rows, name, sets)])


def _jobs(given: argparse.Namespace) -> list[Job]:
    drawn = {"targets": given.sets, "samples": given.samples}
    jobs = []
    for seed in range(given.first_seed, given.first_seed + max(given.seeds, given.cheap_seeds)):
        cheap: dict[str, Callable[..., Mapping[str, float | None]]] = {
            "ridge": ridge,
            **{name: partial(proxies_alone, which) for name, which in ALONE.items()},
        }
        neural = seed < given.first_seed + given.seeds
        if seed < given.first_seed + given.cheap_seeds:
            for name, measure in cheap.items():
                jobs.append(_job(FROM_SCRATCH, name, seed, drawn, measure))
        for name in SCRATCH:
            if neural or (name in CHEAP and seed < given.first_seed + given.cheap_seeds):
                jobs.append(_job(FROM_SCRATCH, name, seed, drawn, partial(from_scratch, name)))
        for name in given.methods if neural else ():
            lent = drawn | {"source_samples": given.source_samples}
            jobs += [_job(source, name, seed, lent, partial(adapted, source, name)) for source in given.sets]
    return jobs


def _job(
    setting: str,
    method: str,
    seed: int,
    drawn: Mapping[str, Any],
    measure: Callable[..., Mapping[str, float | None]],
) -> Job:
    plain = {"method": method, "surrogate": str(TRANSFERRED.get(method) or SCRATCH.get(method)), **drawn}
    return Job(setting, method, seed, config_hash(plain), partial(measure, seed=seed, **drawn))


if __name__ == "__main__":
    start(NAME)
