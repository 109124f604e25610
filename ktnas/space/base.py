"""What every search space offers: variables, sampling, variation, text, graphs, keys. All on batches."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ktnas.arrays import BoolArray, IntArray, KeyArray, Rng, check_genotypes
from ktnas.errors import UserError, unknown
from ktnas.space.architecture import Architecture
from ktnas.space.graph import GraphBatch, canonical_keys, hash_rows, prune
from ktnas.space.text import OtherText, TextError, TextForm, quote
from ktnas.space.variation import mutate, neighbours, redraw

if TYPE_CHECKING:
    import networkx as nx
    from torch import nn

    from ktnas.network.base import NetworkBuilder
    from ktnas.network.task import NetworkTask

ENUMERATION_LIMIT = 2_000_000
BLOCK = 16_384


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchSpace(ABC):
    """Categorical variables that form a graph, are written as text and become a network.

    A genotype is an integer vector (V,), its v-th entry in ``[0, n_choices[v])``; a batch is (N, V) int64.
    The fields are the keys of ``spaces/<name>.yaml``, beside ``family``.

    Attributes:
        family: name of the family, as in the registry.
        name: the space's name.
        description: one line on what it is.
        paper: where it was published.
        operations: names of the operations, in index order.
        text: template of the official text, with a ``{variable}`` for each variable.
        symbols: what the operations are written as in a text; empty where it is their names.
        also: other forms that are read as well: a template and, where they differ, symbols.
        zero: operation that passes nothing on, or None.
        identity: operation that passes its input on unchanged, or None.
        distinct: ``genotype`` where every genotype is an architecture of its own (isomorphic ones were
            trained apart), ``canonical`` where genotypes with equal canonical keys are one architecture.
        allow_empty: whether a genotype whose pruned graph has no operation left is an architecture.
        count: published number of distinct architectures, where there are too many to count.
        network: what builds its networks: ``name`` in the registry and parameters; empty where nothing does.
    """

    family: ClassVar[str]

    name: str
    description: str
    paper: str
    operations: tuple[str, ...]
    text: str
    symbols: tuple[str, ...] = ()
    also: tuple[OtherText, ...] = ()
    zero: str | None = None
    identity: str | None = None
    distinct: str = "genotype"
    allow_empty: bool = True
    count: int | None = None
    network: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        object.__setattr__(self, "symbols", tuple(self.symbols) or self.operations)
        if not self.operations or len(set(self.operations)) < len(self.operations):
            raise UserError(f"operations: {list(self.operations)} must be one or more different names.")
        if len(set(self.symbols)) != len(self.operations):
            raise UserError(f"symbols: {list(self.symbols)} must be {len(self.operations)} different texts.")
        for other in self.also:
            if other.symbols and len(set(other.symbols)) != len(self.operations):
                raise UserError(
                    f"also: symbols {list(other.symbols)} must be {len(self.operations)} different texts."
                )
        for key, operation in (("zero", self.zero), ("identity", self.identity)):
            if operation is not None and operation not in self.operations:
                raise unknown(f"operation of {key}:", operation, self.operations)
        if not self.allow_empty and set(self.operations) <= {self.zero, self.identity}:
            raise UserError("operations: with allow_empty false one must be neither zero nor identity.")
        if self.distinct not in ("genotype", "canonical"):
            raise unknown("value of distinct:", self.distinct, ("genotype", "canonical"))
        self._forms  # noqa: B018 - the templates are checked when the space is made

    def without_memory(self) -> Self:
        """A copy without what the space remembers of earlier questions, which may be large."""
        copied = copy(self)
        for name in vars(copied).keys() - {item.name for item in fields(copied)}:
            del vars(copied)[name]
        return copied

    @property
    def variables(self) -> dict[str, tuple[str, ...]]:
        """Name of each variable and what its values are written as, in index order."""
        return self._variables(self.symbols)

    @abstractmethod
    def _variables(self, symbols: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """The variables where operations are written as ``symbols``."""

    @abstractmethod
    def _graphs(self, genotypes: IntArray) -> GraphBatch:
        """Graphs of checked genotypes (N, V) with values in range."""

    @cached_property
    def _forms(self) -> tuple[TextForm, ...]:
        """Forms of texts that are read; the first one is written."""
        others = [(other.text, tuple(other.symbols) or self.symbols) for other in self.also]
        return tuple(
            TextForm(self.name, text, self._variables(symbols))
            for text, symbols in [(self.text, self.symbols), *others]
        )

    @property
    def _form(self) -> TextForm:
        return self._forms[0]

    @cached_property
    def n_choices(self) -> IntArray:
        """Number of choices of each variable, (V,) int64."""
        return np.array([len(values) for values in self.variables.values()], dtype=np.int64)

    @property
    def n_variables(self) -> int:
        """Number of variables V."""
        return len(self.n_choices)

    @cached_property
    def size(self) -> int:
        """Number of genotypes (valid or not), as an exact Python integer."""
        return int(np.prod(self.n_choices.astype(object)))

    @property
    def n_architectures(self) -> int | None:
        """Number of distinct architectures, None in a space too large to count them."""
        return len(self.architectures()) if self.size <= ENUMERATION_LIMIT else self.count

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Operations of the graphs' nodes: ``("input", "output", *operations)``."""
        return ("input", "output", *self.operations)

    @cached_property
    def cell_of_places(self) -> IntArray:
        """Cell (M,) that each node place of the graphs belongs to; the input and the output are of cell 0."""
        return np.zeros(self.graphs(self.sample(1, np.random.default_rng(0))).n_nodes, dtype=np.int64)

    def graphs(self, genotypes: IntArray) -> GraphBatch:
        """Graphs as written, operations on nodes, node 0 the input and the last node the output.

        Raises:
            ValueError: genotypes of another shape or with a value out of range.
        """
        return self._graphs(self._in_range(genotypes))

    def pruned(self, genotypes: IntArray) -> GraphBatch:
        """Graphs with zero operations gone, identities contracted and dead ends dropped."""
        return prune(self.graphs(genotypes), self.zero, self.identity)

    def keys(self, genotypes: IntArray) -> KeyArray:
        """Canonical keys (N,) uint64: equal for genotypes whose pruned graphs are isomorphic."""
        return np.concatenate([canonical_keys(self.pruned(block)) for block in _blocks(genotypes)])

    def identities(self, genotypes: IntArray) -> KeyArray:
        """Keys (N,) uint64 by which an architecture is the same one, following ``distinct``."""
        if self.distinct == "genotype":
            return hash_rows(self._in_range(genotypes))
        if self._table is None:
            return self.keys(genotypes)
        return self._table.keys[self._encode(self._in_range(genotypes))]

    def valid(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes that are architectures of this space."""
        genotypes = check_genotypes(genotypes, self.n_variables)
        mask = np.asarray(((genotypes >= 0) & (genotypes < self.n_choices)).all(axis=1), dtype=np.bool_)
        mask[mask] = self._admitted(genotypes[mask])
        return mask

    def _admitted(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes in range that are architectures."""
        return np.ones(len(genotypes), dtype=np.bool_) if self.allow_empty else self._has_operation(genotypes)

    @property
    def _rule(self) -> str:
        """What ``_admitted`` asks for, after «an architecture must»."""
        return "have an operation left"

    def _has_operation(self, genotypes: IntArray) -> BoolArray:
        """Mask (N,) of the genotypes in range whose pruned graph has an operation left."""
        if "_table" in self.__dict__ and self._table is not None:
            return np.asarray(self._table.codes[self._encode(genotypes)] >= 0)
        blocks = _blocks(genotypes)
        return np.concatenate([(self.pruned(block).operations > 1).any(axis=1) for block in blocks])

    def format(self, genotypes: IntArray) -> list[str]:
        """Official text of each genotype."""
        return self._form.format(self._in_range(genotypes))

    def parse(self, texts: Sequence[str]) -> IntArray:
        """Genotypes (N, V) of official texts, as written (not of their representatives).

        Raises:
            TextError: the first bad text, with its ``position`` and the form that was expected.
        """
        genotypes = self._read(texts)
        for position in np.flatnonzero(~self.valid(genotypes))[:1].tolist():
            raise TextError(
                f"{quote(texts[position])} is not in {self.name}: an architecture must {self._rule}.",
                position,
            )
        return genotypes

    def _read(self, texts: Sequence[str]) -> IntArray:
        """Genotypes of texts that are all of one form; the error is that of the form that reads furthest."""
        errors: list[TextError] = []
        for form in self._forms:
            try:
                return form.parse(texts)
            except TextError as problem:
                errors.append(problem)
        raise max(errors, key=lambda problem: problem.position)

    @property
    def example(self) -> str:
        """The text of an architecture, showing many values."""
        genotype = self._form.example_genotype
        if not self.valid(genotype).all():
            genotype = self.sample(1, np.random.default_rng(0))
        return self.format(genotype)[0]

    def architecture(self, text: str) -> Architecture:
        """The architecture of one official text."""
        return Architecture(self, self.parse([text])[0])

    def choices(self, genotype: IntArray) -> dict[str, str]:
        """What each variable of one genotype (V,) is written as."""
        row = self._in_range(np.asarray(genotype)[None])[0].tolist()
        return {
            name: values[index] for (name, values), index in zip(self.variables.items(), row, strict=True)
        }

    def build(
        self,
        architecture: "Architecture | IntArray | str",
        task: "NetworkTask | str",
        seed: int = 0,
        **settings: Any,
    ) -> "nn.Module":
        """Network of an architecture, a torch module initialised from ``seed``.

        Args:
            architecture: an architecture of this space, its genotype (V,) or its official text.
            task: what it is for: a name (``cifar10``, ``class_scene``, ``cora``, …) or a task of one's own.
            seed: of the initial weights.
            settings: parameters of the space's builder other than those of its authors, ``channels=8`` say.

        Raises:
            UserError: a space without networks, an unknown task or setting.
        """
        from ktnas.registry import build

        if not self.network:
            raise UserError(f"Space {self.name} has no networks: its YAML file has no key 'network'.")
        if isinstance(architecture, str):
            architecture = self.architecture(architecture)
        if isinstance(architecture, Architecture):
            architecture = architecture.genotype
        builder: NetworkBuilder = build("network", self.network | settings)
        return builder.build(self, self._in_range(architecture[None])[0], task, seed)

    def sample(self, n: int, rng: Rng) -> IntArray:
        """Draw ``n`` representatives (n, V), duplicates possible.

        Uniform over distinct architectures; in a space too large to enumerate, over valid genotypes.
        """
        if self._table is not None:
            return self._decode(rng.choice(self._distinct_codes, size=n))

        empty = np.zeros((n, self.n_variables), dtype=np.int64)
        return redraw(self, empty, lambda rows, _: self._draw(len(rows), rng))

    def _draw(self, n: int, rng: Rng) -> IntArray:
        """Draw ``n`` genotypes (n, V) uniformly, as many of them valid as can be."""
        return rng.integers(self.n_choices, size=(n, self.n_variables))

    def mutate(self, genotypes: IntArray, rng: Rng, rate: float | None = None) -> IntArray:
        """Change each variable with probability ``rate`` (default 1/V), at least one per row.

        The results (N, V) are representatives of architectures other than the row's own. Rows that 10 draws
        leave without one change less with each further draw; a row for which 1000 find none gives its own.
        """
        return mutate(self, self._in_range(genotypes), rng, rate)

    def crossover(self, first: IntArray, second: IntArray, rng: Rng) -> IntArray:
        """Cross row pairs uniformly, (N, V) representatives; an invalid child becomes its first parent.

        Variables that only make sense together (the inputs of one node, say) come from the same parent.
        """
        first, second = self._in_range(first), self._in_range(second)
        if len(first) != len(second):
            raise ValueError(f"crossover needs pairs of rows, got {len(first)} and {len(second)}")
        from_first = rng.random((len(first), self._linked.max(initial=-1) + 1)) < 0.5
        children = np.where(from_first[:, self._linked], first, second)
        return self.representative(np.where(self.valid(children)[:, None], children, first))

    @cached_property
    def _linked(self) -> IntArray:
        """Group (V,) of each variable; variables of one group are inherited together."""
        return np.arange(self.n_variables)

    def neighbours(self, genotypes: IntArray) -> IntArray:
        """Representatives (M, V) of the architectures one changed variable away from genotypes (N, V).

        Those of the first genotype come first; one that several have comes with each.
        """
        return neighbours(self, self._in_range(genotypes))

    def enumerate(self) -> IntArray:
        """Every valid genotype (N, V) in lexicographic order; ``ValueError`` beyond ``ENUMERATION_LIMIT``."""
        if self.size > ENUMERATION_LIMIT:
            raise ValueError(
                f"{self.name} has {self.size} genotypes, too many to enumerate ({ENUMERATION_LIMIT})"
            )
        rows = self._decode(np.arange(self.size))
        return rows[self.valid(rows)]

    def architectures(self) -> IntArray:
        """Representatives (N, V) of all architectures, ordered; ``ValueError`` as for ``enumerate``."""
        return self.enumerate() if self._table is None else self._decode(self._distinct_codes)

    def representative(self, genotypes: IntArray) -> IntArray:
        """Map each genotype (N, V) to the one that stands for its architecture.

        It is the lexicographically smallest valid genotype of the same canonical key, so that an architecture
        has one text; the genotype itself where ``distinct`` is ``genotype``. A look-up in a table of the
        whole space, made on first use in about 3 s and 8 MB per million genotypes. The genotype itself, too,
        where it is invalid and in a space beyond ``ENUMERATION_LIMIT``, which has no such table: there one
        architecture can have several texts, and ``identities`` knows them as one.
        """
        genotypes = self._in_range(genotypes)
        if self._table is None:
            return genotypes
        codes = self._table.codes[self._encode(genotypes)]
        return np.where(codes[:, None] >= 0, self._decode(codes), genotypes)

    def to_networkx(self, genotype: IntArray, pruned: bool = False) -> "nx.MultiDiGraph":
        """Multigraph of one genotype (V,), with the node attribute ``operation``."""
        genotypes = np.asarray(genotype)[None]
        batch = self.pruned(genotypes) if pruned else self.graphs(genotypes)
        import networkx as nx

        graph = nx.MultiDiGraph()
        for node in np.flatnonzero(batch.operations[0] >= 0).tolist():
            graph.add_node(node, operation=batch.vocabulary[batch.operations[0, node]])
        for source, target in np.argwhere(batch.adjacency[0]).tolist():
            graph.add_edges_from([(source, target)] * int(batch.adjacency[0, source, target]))
        return graph

    @cached_property
    def _table(self) -> "_Table | None":
        """What stands for each code of the space; None where a genotype stands for itself."""
        if self.distinct == "genotype" or self.size > ENUMERATION_LIMIT:
            return None
        rows = self.enumerate()
        codes = self._encode(rows)
        keys = np.zeros(self.size, dtype=np.uint64)
        keys[codes] = self.keys(rows)
        _, first, inverse = np.unique(keys[codes], return_index=True, return_inverse=True)
        representatives = np.full(self.size, -1, dtype=np.int64)
        representatives[codes] = codes[first[inverse]]
        return _Table(representatives, keys)

    @cached_property
    def _distinct_codes(self) -> IntArray:
        codes = np.arange(0) if self._table is None else self._table.codes
        return np.unique(codes[codes >= 0])

    def _encode(self, genotypes: IntArray) -> IntArray:
        return np.asarray(
            np.ravel_multi_index(tuple(genotypes.T), tuple(self.n_choices.tolist())), dtype=np.int64
        )

    def _decode(self, codes: IntArray) -> IntArray:
        columns = np.unravel_index(np.maximum(codes, 0), tuple(self.n_choices.tolist()))
        return np.stack(columns, axis=1).astype(np.int64, copy=False)

    def _in_range(self, genotypes: IntArray) -> IntArray:
        genotypes = check_genotypes(genotypes, self.n_variables)
        if ((genotypes < 0) | (genotypes >= self.n_choices)).any():
            raise ValueError(f"genotypes of {self.name} must lie in [0, {self.n_choices.tolist()})")
        return genotypes


@dataclass(frozen=True, eq=False)
class _Table:
    """By code of a genotype: the code of its representative (-1 where invalid) and its canonical key."""

    codes: IntArray
    keys: KeyArray


def _blocks(genotypes: IntArray) -> list[IntArray]:
    """Parts of a batch, at least one, that keep memory small and caches warm."""
    return [genotypes[start : start + BLOCK] for start in range(0, len(genotypes) or 1, BLOCK)]
