"""Sequences of positions with a choice each."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import ClassVar

import numpy as np

from ktnas.arrays import BoolArray, IntArray, KeyArray
from ktnas.errors import UserError, unknown
from ktnas.space.base import ENUMERATION_LIMIT, SearchSpace
from ktnas.space.graph import GraphBatch, mix, word


@dataclass(frozen=True)
class Choice:
    """A name and its values."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Requirement:
    """How often some operations may occur in a chain, together.

    Attributes:
        operations: their names.
        least: how often at least.
        most: how often at most.
    """

    operations: tuple[str, ...]
    least: int = 0
    most: int = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain(SearchSpace):
    """Positions one after the other, each an operation (FBNet, Once-for-All, TransNAS-Bench-101 macro).

    Variable ``block_i`` is the operation at position i, from 1. With ``factors``, an operation is a choice of
    each factor: variables ``ks_i``, ``e_i`` and so on, and the operations are named like ``ks3_e6``. A chain
    may be shorter than its positions in two ways: the last positions are ``absent``, down to ``shortest``; or
    the positions fall into ``stages`` of equal length and variable ``d_j`` says how many of stage j are
    there. ``settings`` are variables of the whole network (its resolution, say).

    The graph is the chain itself, settings first; a position that is not there is a node ``absent``, so that
    a node's place tells its position.

    Attributes:
        operations: names of the operations; left out with ``factors``, of which they follow.
        positions: number of positions.
        factors: names and values, of which an operation is a choice each.
        absent: operation of a position that is not there, or None.
        shortest: positions that are always there; None is all of them.
        stages: number of stages of variable depth; 0 for none.
        depths: numbers of positions a stage may have.
        settings: names and values of variables of the whole network.
        require: how often operations may occur.
    """

    family: ClassVar[str] = "chain"

    operations: tuple[str, ...] = ()
    positions: int
    factors: tuple[Choice, ...] = ()
    absent: str | None = None
    shortest: int | None = None
    stages: int = 0
    depths: tuple[str, ...] = ()
    settings: tuple[Choice, ...] = ()
    require: tuple[Requirement, ...] = ()

    def __post_init__(self) -> None:
        if self.positions < 1:
            raise UserError(f"positions: {self.positions} must be 1 or more.")
        if self.factors:
            object.__setattr__(self, "operations", self._combined())
        if self.absent is not None and self.absent not in self.operations:
            raise unknown("operation of absent:", self.absent, self.operations)
        if self.absent is None and (self.stages or self.shortest is not None):
            raise UserError("absent: must name the operation of a position that is not there.")
        self._check_stages()
        for requirement in self.require:
            for operation in requirement.operations:
                if operation not in self.operations:
                    raise unknown("operation of require:", operation, self.operations)
        super().__post_init__()

    def _combined(self) -> tuple[str, ...]:
        if self.operations:
            raise UserError("operations: with factors they follow from these; leave them out.")
        parts = [[f"{factor.name}{value}" for value in factor.values] for factor in self.factors]
        names = map("_".join, product(*parts))
        return (*names, *([] if self.absent is None else [self.absent]))

    def _check_stages(self) -> None:
        if bool(self.stages) != bool(self.depths) or self.stages < 0:
            raise UserError("stages: stages and depths are given together or not at all.")
        if not self.stages:
            return
        if self.positions % self.stages:
            raise UserError(
                f"stages: {self.positions} positions do not fall into {self.stages} equal stages."
            )
        length = self.positions // self.stages
        for depth in self.depths:
            if not depth.isdecimal() or not 0 <= int(depth) <= length:
                raise UserError(f"depths: {depth!r} must be a whole number from 0 to {length}.")

    def _variables(self, symbols: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        places = range(1, self.positions + 1)
        if self.factors:
            variables = {
                f"{factor.name}_{i}": tuple(factor.values) for factor in self.factors for i in places
            }
        else:
            variables = {f"block_{i}": symbols for i in places}
        variables |= {f"d_{stage}": tuple(self.depths) for stage in range(1, self.stages + 1)}
        return variables | {setting.name: tuple(setting.values) for setting in self.settings}

    @property
    def n_architectures(self) -> int | None:
        """Number of distinct architectures; None in a space too large to count them."""
        if self.size <= ENUMERATION_LIMIT or self.require or self.shortest is not None:
            return super().n_architectures
        if not self.stages:
            return self.size
        choices = len(self.operations) - 1
        per_stage = sum(choices ** int(depth) for depth in self.depths)
        return int(per_stage**self.stages) * prod(len(setting.values) for setting in self.settings)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Operations of the graphs' nodes: input, output, operations, then values of settings."""
        values = [f"{setting.name}{value}" for setting in self.settings for value in setting.values]
        return ("input", "output", *self.operations, *values)

    def blocks(self, genotypes: IntArray) -> IntArray:
        """Operation (N, positions) int64 at each position of genotypes, ``absent`` where there is none."""
        genotypes = self._in_range(genotypes)
        blocks = np.zeros((len(genotypes), self.positions), dtype=np.int64)
        for number, n_values in enumerate([len(factor.values) for factor in self.factors] or [0]):
            part = genotypes[:, number * self.positions : (number + 1) * self.positions]
            blocks = blocks * n_values + part
        if self.stages and self.absent is not None:
            length = self.positions // self.stages
            start = self.positions * max(1, len(self.factors))
            depths = np.array([int(depth) for depth in self.depths])[
                genotypes[:, start : start + self.stages]
            ]
            there = np.arange(length) < depths[:, :, None]
            blocks[~there.reshape(blocks.shape)] = self.operations.index(self.absent)
        return blocks

    def _admitted(self, genotypes: IntArray) -> BoolArray:
        mask = super()._admitted(genotypes)
        blocks = self.blocks(genotypes)
        if self.absent is not None and not self.stages:
            absent = blocks == self.operations.index(self.absent)
            shortest = self.positions if self.shortest is None else self.shortest
            mask &= ~absent[:, :shortest].any(axis=1) & (absent[:, 1:] >= absent[:, :-1]).all(axis=1)
        for requirement in self.require:
            indices = [self.operations.index(operation) for operation in requirement.operations]
            times = np.isin(blocks, indices).sum(axis=1)
            mask &= (times >= requirement.least) & (times <= requirement.most)
        return mask

    @property
    def _rule(self) -> str:
        rules = [] if self.allow_empty else [super()._rule]
        if self.absent is not None and not self.stages:
            rules.append(
                f"have {self.shortest or self.positions} to {self.positions} positions without a gap"
            )
        for requirement in self.require:
            names = " or ".join(requirement.operations)
            rules.append(f"have {names} {requirement.least} to {requirement.most} times")
        return " and ".join(rules)

    def _labels(self, genotypes: IntArray) -> IntArray:
        """Operations (N, settings + positions) of the chain's nodes, as indices into the vocabulary."""
        n_values = [len(setting.values) for setting in self.settings]
        first = 2 + len(self.operations) + np.cumsum([0, *n_values])[:-1]
        settings = genotypes[:, self.n_variables - len(n_values) :] + first
        return np.hstack([settings, self.blocks(genotypes) + 2])

    def _graphs(self, genotypes: IntArray) -> GraphBatch:
        operations = np.pad(self._labels(genotypes), ((0, 0), (1, 1)))
        operations[:, -1] = 1
        wiring = np.eye(operations.shape[1], k=1, dtype=np.uint8)
        return GraphBatch(operations, np.repeat(wiring[None], len(genotypes), axis=0), self.vocabulary)

    def keys(self, genotypes: IntArray) -> KeyArray:
        """Canonical keys (N,) uint64, equal for equal chains of operations.

        Those of the pruned graphs where the space has a zero or an identity operation.
        """
        if self.zero is not None or self.identity is not None:
            return super().keys(genotypes)
        words = np.array([word(name) for name in self.vocabulary], dtype=np.uint64)
        labels = self._labels(self._in_range(genotypes))
        keys = np.full(len(labels), labels.shape[1], dtype=np.uint64)
        for column in labels.T:
            keys = mix(keys ^ words[column])
        return keys
