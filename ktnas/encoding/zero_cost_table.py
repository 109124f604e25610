"""Zero-cost scores that others computed: a CSV file with a column ``arch`` and one per proxy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from ktnas.arrays import FloatArray, IntArray
from ktnas.errors import UserError, unknown
from ktnas.space import SearchSpace, TextError


class ScoreTable:
    """Scores by architecture; the first row of an architecture counts.

    Attributes:
        space: the space of its architectures.
        genotypes: (R, V) int64.
        scores: (R, P); NaN where missing, infinite, or a proxy that the file lacks.
    """

    def __init__(self, space: SearchSpace, genotypes: IntArray, scores: FloatArray) -> None:
        self.space = space
        identities, first = np.unique(space.identities(genotypes), return_index=True)
        self.genotypes, self.scores, self._identities = genotypes[first], scores[first], identities

    @classmethod
    def read(cls, path: Path, space: SearchSpace, proxies: Sequence[str], task: str) -> Self:
        """Read ``path``, compressed or not; of a file with a column ``task`` the rows of ``task`` alone.

        Raises:
            UserError: a file that cannot be read, without architectures or any of ``proxies``, a score that
                is no number, a text that is no architecture of ``space``, or no row of ``task``.
        """
        frame = _read(path)
        if "task" in frame:
            known = frame["task"].astype(str).unique()
            frame = frame[frame["task"].astype(str) == task]
            if frame.empty:
                raise unknown(f"task of {path}:", task, known)
        there = [name for name in proxies if name in frame]
        if not there:
            raise UserError(f"{path}: no column of a proxy. Expected some of {', '.join(proxies)}.")
        scores = np.full((len(frame), len(proxies)), np.nan)
        for name in there:
            try:
                scores[:, list(proxies).index(name)] = pd.to_numeric(frame[name])
            except (ValueError, TypeError) as problem:
                raise UserError(f"{path}: column '{name}' is not of numbers ({problem}).") from None
        try:
            genotypes = space.parse(frame["arch"].tolist())
        except TextError as problem:
            raise UserError(f"{path}, line {frame.index[problem.position] + 2}: {problem}") from None
        return cls(space, genotypes, np.where(np.isfinite(scores), scores, np.nan))

    def rows(self, genotypes: IntArray) -> IntArray:
        """Row (N,) of each genotype (N, V), -1 where the file does not have it."""
        identities = self.space.identities(genotypes)
        place = np.minimum(np.searchsorted(self._identities, identities), len(self._identities) - 1)
        return np.where(self._identities[place] == identities, place, -1)


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype={"arch": "str"})
    except (OSError, ValueError, EOFError) as problem:
        raise UserError(f"{path} cannot be read as comma-separated values ({problem}).") from None
    if "arch" not in frame:
        raise unknown(f"column of {path}:", "arch", map(str, frame.columns))
    if frame.empty or frame["arch"].isna().any():
        raise UserError(f"{path}: column 'arch' is empty, expected an architecture in every row.")
    return frame
