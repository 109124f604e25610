"""What the files of one format hold, in the same form for every format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ktnas.arrays import FloatArray
from ktnas.errors import UserError

ARCH = "arch"
EVERY_TASK = ""
ENERGY = "energy_mj"
COSTS = ("params", "flops")
SLOWEST_IN_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Part:
    """Scores and latencies of one space. Frames have a column ``arch`` of texts and columns of float64.

    Attributes:
        origin: the file or files, for messages.
        format: name of their format.
        space: name or YAML file of the space of the architectures.
        tasks: by task, its metrics. Costs are called ``params``, ``flops`` (counts) and ``…_energy_mj``.
        latencies: by task, or ``EVERY_TASK``, the latency on each device in ms.
        searched: metric that is searched, None where there are no scores.
        reported: metric that is only reported.
        units: unit of the scores by task; ``%`` or left out.
        derive: the part that follows for architectures of other files, from their texts.
        repeats: whether an architecture may come again, where the first of its rows is the one that counts.
        notes: what a user should know.
    """

    origin: str
    format: str
    space: str
    tasks: dict[str, pd.DataFrame] = field(default_factory=dict)
    latencies: dict[str, pd.DataFrame] = field(default_factory=dict)
    searched: str | None = None
    reported: str | None = None
    units: dict[str, str] = field(default_factory=dict)
    derive: "Callable[[Sequence[str]], Part] | None" = None
    repeats: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What the user says of the files.

    Attributes:
        space: name or YAML file of the space, where files do not tell.
        arch: column of architectures in CSV files.
        devices: columns of latencies in CSV files.
        say: told how far a long read has come.
    """

    space: str | None = None
    arch: str = ARCH
    devices: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda text: None


def latencies_in_ms(values: object, origin: str) -> FloatArray:
    """Latencies of a published list, (N,) float64, checked.

    Raises:
        UserError: values that are no finite positive numbers, or so small that they must be seconds.
    """
    numbers = finite_numbers(values, origin)
    if (numbers < 0).any():
        position = int(np.argmax(numbers < 0))
        raise UserError(f"{origin}: latency number {position + 1} is {numbers[position]:g}, below 0.")
    if len(numbers) and numbers.max() < SLOWEST_IN_SECONDS:
        raise UserError(
            f"{origin}: the largest latency is {numbers.max():g}; these look like seconds, expected ms."
        )
    return numbers


def finite_numbers(values: object, origin: str) -> FloatArray:
    """Numbers (N,) float64 of a list, an array or a tensor; ``UserError`` where one is not finite."""
    listed = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(listed, list) or not all(type(value) in (int, float) for value in listed):
        raise UserError(f"{origin}: expected a list of numbers.")
    try:
        numbers = np.array(listed, dtype=np.float64)
    except OverflowError:
        raise UserError(f"{origin}: a number is too large.") from None
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        raise UserError(f"{origin}: number {wrong[0] + 1} is {numbers[wrong[0]]}, expected a finite one.")
    return numbers
