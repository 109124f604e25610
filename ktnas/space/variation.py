"""How genotypes of a space are changed, whole batches at a time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ktnas.arrays import IntArray, Rng

if TYPE_CHECKING:
    from ktnas.space.base import SearchSpace

DRAWS = 1000
PATIENCE = 10


def mutate(space: "SearchSpace", genotypes: IntArray, rng: Rng, rate: float | None) -> IntArray:
    """``SearchSpace.mutate`` of genotypes (N, V) in range."""
    free = np.flatnonzero(space.n_choices > 1)
    if not len(free):
        return genotypes.copy()
    probability = 1 / len(free) if rate is None else rate

    def change(rows: IntArray, attempt: int) -> IntArray:
        changed = rng.random(rows.shape) < probability / max(1, attempt - PATIENCE)
        changed[np.arange(len(rows)), rng.choice(free, size=len(rows))] |= ~changed[:, free].any(axis=1)
        shift = rng.integers(1, np.maximum(space.n_choices, 2), size=rows.shape)
        return (rows + changed * shift) % space.n_choices

    return space.representative(redraw(space, genotypes, change, differ=space.distinct == "canonical"))


def neighbours(space: "SearchSpace", origins: IntArray) -> IntArray:
    """``SearchSpace.neighbours`` of genotypes (N, V) in range."""
    variables = np.repeat(np.arange(space.n_variables), space.n_choices - 1)
    shifts = np.concatenate([np.arange(1, n) for n in space.n_choices])
    owner = np.repeat(np.arange(len(origins)), len(variables))
    rows = np.repeat(origins, len(variables), axis=0)
    rows[np.arange(len(rows)), np.tile(variables, len(origins))] += np.tile(shifts, len(origins))
    rows %= space.n_choices
    valid = space.valid(rows)
    rows, owner = rows[valid], owner[valid]
    if space.distinct == "canonical":
        identities = space.identities(rows)
        order = np.lexsort((identities, owner))
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (np.diff(owner[order]) != 0) | (identities[order][1:] != identities[order][:-1])
        first = order[new]
        first = first[identities[first] != space.identities(origins)[owner[first]]]
        owned = np.column_stack([owner[first], space.representative(rows[first])])
        rows = np.unique(owned, axis=0)[:, 1:]
    return rows


def redraw(
    space: "SearchSpace", rows: IntArray, draw: Callable[[IntArray, int], IntArray], differ: bool = False
) -> IntArray:
    """Redraw rows until each is valid and, with ``differ``, another architecture than it was.

    ``draw`` gets the rows still to be drawn and the number of attempts before.
    """
    result = rows.copy()
    pending = np.arange(len(rows))
    before = space.identities(rows) if differ else None
    for attempt in range(DRAWS):
        drawn = draw(rows[pending], attempt)
        accepted = space.valid(drawn)
        if before is not None:
            accepted[accepted] = space.identities(drawn[accepted]) != before[pending[accepted]]
        result[pending[accepted]] = drawn[accepted]
        pending = pending[~accepted]
        if not len(pending):
            break
    return result
