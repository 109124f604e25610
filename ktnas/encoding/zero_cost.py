"""Zero-cost proxies as an encoding: what an untrained network shows, the same numbers in every space."""

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Self

import numpy as np
from rich.console import Console

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.base import Encoding
from ktnas.encoding.cache import cache_dir
from ktnas.encoding.score_store import ScoreStore
from ktnas.encoding.zero_cost_scale import SCALES, Scale
from ktnas.encoding.zero_cost_table import ScoreTable
from ktnas.errors import UserError, unknown
from ktnas.registry import PLUGINS
from ktnas.space.base import SearchSpace
from ktnas.tables.files import locate

FORMAT = 1
ALL = "all"
CHUNK = 32


@dataclass
class ZeroCost(Encoding):
    """Scores of the untrained network by zero-cost proxies, each brought to one scale per space.

    The space-independent encoding of Multi-Predict (Akhauri and Abdelfattah, AutoML-Conf 2023), which scales
    by minimum and maximum (``scale=minmax``). Proxies have heavy tails, so that one architecture may decide a
    range; ``scale=quantile`` takes normal scores of the places in a sample of the space instead.

    Scores come from ``table`` where it has the architecture, and else from the network, on random images. A
    computed score is kept in the cache directory (``KTNAS_CACHE``, else the user's), since it costs 0.05 s to
    seconds of one core. Scales are learned from the whole table for its scores, and for computed ones from
    ``sample`` architectures drawn with a fixed seed, from the table where there is one, else from the space:
    the two may be in other units.

    A score that is not defined is taken for typical of the space (see the scales); so is one that a row of
    the table lacks.

    Attributes:
        proxies: names, separated by commas, or ``all``.
        task: what the networks are for; of a table with a column ``task`` its rows of this name.
        table: CSV file with a column ``arch`` and one per proxy; none if empty.
        scale: ``quantile`` or ``minmax``.
        size: pixels of an image's side; 0 for those of the task.
        batch: images that a network is shown.
        seed: of initial weights, images and labels.
        sample: architectures that the scales of computed scores are learned from.
    """

    proxies: str = ALL
    task: str = "cifar10"
    table: str = ""
    scale: str = "quantile"
    size: int = 0
    batch: int = 8
    seed: int = 0
    sample: int = 100
    _names: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    _table: ScoreTable | None = field(default=None, init=False, repr=False, compare=False)
    _table_scale: Scale | None = field(default=None, init=False, repr=False, compare=False)
    _computed_scale: Scale | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise unknown("scale", self.scale, SCALES)
        for name, least in (("size", 0), ("batch", 2), ("sample", 2)):
            if getattr(self, name) < least:
                raise UserError(f"encoding.{name}={getattr(self, name)}: expected {least} or more.")
        self._names = _proxies(self.proxies)

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Bind ``space`` and learn the scales; the ``seed`` of a search plays no part.

        Raises:
            UserError: a table that cannot be read; without one, a space or task whose networks have no
                scores.
        """
        super().fit(space, seed)
        self._table = self._table_scale = self._computed_scale = None
        if self.table:
            self._table = ScoreTable.read(locate(self.table), space, self._names, self.task)
            self._table_scale = SCALES[self.scale].of(self._table.scores)
        else:
            self._computed_scale = self._learn_scale()
        return self

    @property
    def dim(self) -> int:
        """Number of proxies."""
        return len(self._names)

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, D) float64 of genotypes (N, V).

        Raises:
            UserError: an architecture that the table lacks, of a space whose networks have no scores.
            ValueError: as ``checked``, or a genotype that is no architecture.
        """
        genotypes = self.checked(genotypes)
        vectors = np.empty((len(genotypes), self.dim))
        rows = np.full(len(genotypes), -1)
        if self._table is not None and self._table_scale is not None:
            rows = self._table.rows(genotypes)
            vectors[rows >= 0] = self._table_scale(self._table.scores[rows[rows >= 0]])
        missing = rows < 0
        if missing.any():
            if self._computed_scale is None:
                self._computed_scale = self._learn_scale()
            vectors[missing] = self._computed_scale(self._compute(genotypes[missing]))
        return vectors

    def _learn_scale(self) -> Scale:
        rng = np.random.default_rng(0)
        if self._table is None:
            drawn = self.space.sample(self.sample, rng)
        else:
            everything = self._table.genotypes
            drawn = everything[rng.permutation(len(everything))[: self.sample]]
        return SCALES[self.scale].of(self._compute(np.unique(drawn, axis=0)))

    def _compute(self, genotypes: IntArray) -> FloatArray:
        """Raw scores (N, D), computed where they were not before."""
        texts = self.space.format(genotypes)
        store = ScoreStore(cache_dir() / "zero_cost" / f"{self.space.name}-{self._fingerprint()}.sqlite")
        known = store.get(list(dict.fromkeys(texts)), self._names)
        missing = {text: row for row, text in enumerate(texts) if text not in known}
        names, rows = list(missing), list(missing.values())
        for start in range(0, len(names), CHUNK):
            done = f"{start}/{len(names)}"
            with Console(stderr=True).status(f"Scoring networks of {self.space.name}: {done} …"):
                scores = self._score(genotypes[rows[start : start + CHUNK]])
            store.put(names[start : start + CHUNK], self._names, scores)
            known |= dict(zip(names[start : start + CHUNK], scores, strict=True))
        return np.array([known[text] for text in texts]).reshape(len(texts), self.dim)

    def _score(self, genotypes: IntArray) -> FloatArray:
        from ktnas.network.task import network_task
        from ktnas.proxy import score

        changes = {"size": self.size} if self.size else {}
        try:
            task = network_task(self.task, **changes)
            scores = score(self.space, genotypes, task, self._names, batch=self.batch, seed=self.seed)
        except UserError as problem:
            where = f"{self.table} lacks {self.space.format(genotypes[:1])[0]}. " if self.table else ""
            raise UserError(f"encoding zero_cost: {where}{problem}") from None
        return scores.to_numpy(dtype=np.float64)

    def _fingerprint(self) -> str:
        """Short hash of all that decides a score beside the architecture's text and the proxy."""
        settings = [FORMAT, self.space.network, self.task, self.size, self.batch, self.seed]
        return blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8).hexdigest()


def _proxies(text: str) -> list[str]:
    known = PLUGINS["proxy"]
    names = list(known) if text == ALL else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise unknown("proxy", name, [ALL, *known])
    return list(dict.fromkeys(names))
