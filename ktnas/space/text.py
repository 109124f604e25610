"""Official texts of architectures: a template with one named place per variable."""

import re
from collections.abc import Mapping, Sequence
from string import Formatter

import numpy as np

from ktnas.arrays import IntArray
from ktnas.errors import UserError

SHOWN = 100


class TextError(UserError):
    """A text that is no architecture of the space.

    Attributes:
        position: index of the text in the batch that was parsed.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class TextForm:
    """How genotypes are written: ``template`` with a ``{variable}`` for each variable, in any order.

    Args:
        space: name of the space, for messages.
        template: for example ``64-{edge_0_1}_{edge_0_2}{edge_1_2}``; ``{{`` and ``}}`` stand for braces.
        variables: name of each variable and what its values are written as, in index order.

    Raises:
        UserError: a variable that the template lacks, repeats or invents.
    """

    def __init__(self, space: str, template: str, variables: Mapping[str, Sequence[str]]) -> None:
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
        if sorted(named) != sorted(variables):
            raise UserError(f"text: {template!r} must name each variable once: {', '.join(variables)}.")
        self.space = space
        self._values = [tuple(variables[name]) for name in named]
        self._indices = [{value: index for index, value in enumerate(values)} for values in self._values]
        order = list(variables)
        self._columns = [order.index(name) for name in named]
        self._exact = self._pattern(self._literals)
        self._loose = self._pattern([_normal(literal) for literal in self._literals])

    def _pattern(self, literals: Sequence[str]) -> re.Pattern[str]:
        groups = ["(" + "|".join(map(re.escape, values)) + ")" for values in self._values] + [""]
        return re.compile(
            "".join(re.escape(literal) + group for literal, group in zip(literals, groups, strict=True))
        )

    def format(self, genotypes: IntArray) -> list[str]:
        """Text of each genotype (N, V), whose values must be in range."""
        pattern = "%s".join(literal.replace("%", "%%") for literal in self._literals)
        columns = [
            np.array(values, dtype=object)[genotypes[:, column]]
            for values, column in zip(self._values, self._columns, strict=True)
        ]
        return [pattern % row for row in zip(*columns, strict=True)]

    def parse(self, texts: Sequence[str]) -> IntArray:
        """Genotypes (N, V) of ``texts``; white space around punctuation and the kind of quotes are free.

        Raises:
            TextError: the first text that does not have this form.
        """
        rows = [self._read(text, position) for position, text in enumerate(texts)]
        genotypes = np.empty((len(rows), len(self._values)), dtype=np.int64)
        for column, groups, index in zip(self._columns, zip(*rows, strict=True), self._indices, strict=False):
            genotypes[:, column] = [index[group] for group in groups]
        return genotypes

    def _read(self, text: str, position: int) -> tuple[str, ...]:
        if isinstance(text, str):
            match = self._exact.fullmatch(text) or self._loose.fullmatch(_normal(text))
            if match:
                return match.groups()
        values = ", ".join(dict.fromkeys(value for values in self._values for value in values))
        raise TextError(
            f"Cannot read {quote(text)} as an architecture of {self.space}. "
            f"Expected the form {self.example} with values of {values}.",
            position,
        )

    @property
    def example(self) -> str:
        """A text of this form, showing many values."""
        shown = [values[position % len(values)] for position, values in enumerate(self._values)]
        return "".join(literal + value for literal, value in zip(self._literals, [*shown, ""], strict=True))


def quote(text: object) -> str:
    """``text`` in quotes, shortened for a message."""
    shown = repr(text)
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"


def _normal(text: str) -> str:
    return re.sub(r" ?([^\w\s]) ?", r"\1", " ".join(text.split())).replace('"', "'")
