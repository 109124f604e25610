"""Official texts of architectures: a template with one named place per variable."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from types import MappingProxyType

import numpy as np

from ktnas.arrays import IntArray
from ktnas.errors import UserError

SHOWN = 100

Derived = Callable[[IntArray], Sequence[str]]


class TextError(UserError):
    """A text that is no architecture of the space.

    Attributes:
        position: index of the text in the batch that was parsed.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True)
class OtherText:
    """A form of text that is read beside the official one.

    Attributes:
        text: template, as the space's own.
        symbols: what the operations are written as in it; empty where it is as in the space's own.
    """

    text: str
    symbols: tuple[str, ...] = ()


class TextForm:
    """How genotypes are written: ``template`` with a ``{variable}`` for each variable, in any order.

    Args:
        space: name of the space, for messages.
        template: for example ``64-{edge_0_1}_{edge_0_2}{edge_1_2}``; ``{{`` and ``}}`` stand for braces.
        variables: name of each variable and what its values are written as, in index order.
        derived: name of what follows from the variables, to its text for each genotype; free to be named.

    Raises:
        UserError: a variable that the template lacks, repeats or invents.
    """

    def __init__(
        self,
        space: str,
        template: str,
        variables: Mapping[str, Sequence[str]],
        derived: Mapping[str, Derived] = MappingProxyType({}),
    ) -> None:
        named: list[str] = []
        self._literals = [""]
        try:
            for literal, name, _, _ in Formatter().parse(template):
                self._literals[-1] += literal
                if name is not None:
                    named.append(name)
                    self._literals.append("")
        except ValueError as problem:
            raise UserError(f"text: {problem} in {template!r}.") from None
        if sorted(set(named) - set(derived)) != sorted(variables) or len(set(named)) < len(named):
            raise UserError(f"text: {template!r} must name each variable once: {', '.join(variables)}.")
        self.space = space
        order = list(variables)
        self._named = named
        self._values = {name: tuple(variables[name]) for name in named if name in variables}
        self._columns = {name: order.index(name) for name in self._values}
        self._derived = {name: derived[name] for name in named if name in derived}
        self._exact = self._pattern(self._literals)
        self._loose = self._pattern([_normal(literal) for literal in self._literals])

    def _pattern(self, literals: Sequence[str]) -> re.Pattern[str]:
        groups = []
        for name in self._named:
            longest = sorted(self._values.get(name, ()), key=len, reverse=True)
            groups.append("(" + ("|".join(map(re.escape, longest)) or "[^=]*?") + ")")
        return re.compile(
            "".join(
                re.escape(literal) + group for literal, group in zip(literals, [*groups, ""], strict=True)
            )
        )

    def format(self, genotypes: IntArray) -> list[str]:
        """Text of each genotype (N, V), whose values must be in range."""
        pattern = "%s".join(literal.replace("%", "%%") for literal in self._literals)
        columns = [
            self._derived[name](genotypes)
            if name in self._derived
            else np.array(self._values[name], dtype=object)[genotypes[:, self._columns[name]]]
            for name in self._named
        ]
        return [pattern % row for row in zip(*columns, strict=True)]

    def parse(self, texts: Sequence[str]) -> IntArray:
        """Genotypes (N, V) of ``texts``; white space around punctuation and the kind of quotes are free.

        Raises:
            TextError: the first text that does not have this form, or says otherwise what follows from it.
        """
        rows = [self._match(text, position) for position, text in enumerate(texts)]
        genotypes = np.empty((len(rows), len(self._columns)), dtype=np.int64)
        read = dict(zip(self._named, zip(*rows, strict=True), strict=True)) if rows else {}
        for name, column in self._columns.items():
            index = {value: position for position, value in enumerate(self._values[name])}
            genotypes[:, column] = [index[group] for group in read.get(name, ())]
        for name, derive in self._derived.items():
            for position, (given, wanted) in enumerate(
                zip(read.get(name, ()), derive(genotypes), strict=True)
            ):
                if _listed(given) != _listed(wanted):
                    raise TextError(
                        f"{quote(texts[position])} is not in {self.space}: its {name} must be {wanted}.",
                        position,
                    )
        return genotypes

    def _match(self, text: str, position: int) -> tuple[str, ...]:
        if isinstance(text, str):
            match = self._exact.fullmatch(text) or self._loose.fullmatch(_normal(text))
            if match:
                return match.groups()
        known = [value for values in self._values.values() for value in values if value]
        raise TextError(
            f"Cannot read {quote(text)} as an architecture of {self.space}. "
            f"Expected the form {self.example} with values of {', '.join(dict.fromkeys(known))}.",
            position,
        )

    @property
    def example(self) -> str:
        """A text of this form, showing many values; not always an architecture."""
        return self.format(self.example_genotype)[0]

    @property
    def example_genotype(self) -> IntArray:
        """Genotype (1, V) of ``example``."""
        genotype = np.zeros((1, len(self._columns)), dtype=np.int64)
        for place, (name, values) in enumerate(self._values.items()):
            genotype[0, self._columns[name]] = place % len(values)
        return genotype


def quote(text: object) -> str:
    """``text`` in quotes, shortened for a message."""
    shown = repr(text)
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"


def _normal(text: str) -> str:
    return re.sub(r" ?([^\w\s]) ?", r"\1", " ".join(text.split())).replace('"', "'")


def _listed(text: str) -> list[int]:
    """Numbers of ``[2, 3]``, or of ``range(2, 4)`` where it is no longer than a cell can be."""
    numbers = [int(number) for number in re.findall(r"\d{1,9}", text)]
    if text.strip().startswith("range") and len(numbers) == 2 and numbers[1] - numbers[0] < SHOWN:
        return list(range(*numbers))
    return numbers
