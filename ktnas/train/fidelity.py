"""Cheap fidelities: tasks whose name says how much of another task's training stands for all of it."""

from ktnas.errors import UserError

MARK = "@"
SUPERNET = "supernet"


def full_name(name: str) -> str:
    """The task that ``name`` is a cheap fidelity of; ``name`` itself where it is none."""
    return name.partition(MARK)[0]


def is_supernet(name: str) -> bool:
    """Whether the networks of the task ``name`` inherit the weights of a supernet."""
    return name.partition(MARK)[2] == SUPERNET


def epochs_of(name: str, full: int) -> int:
    """Epochs that the networks of the task ``name`` are trained for, where its full training has ``full``.

    Raises:
        UserError: after ``@`` neither ``supernet`` nor a number from 1 to ``full`` - 1.
    """
    _, marked, given = name.partition(MARK)
    if not marked or given == SUPERNET:
        return full
    epochs = int(given) if given.isdecimal() else 0
    if epochs < 1:
        raise UserError(
            f"Task {name}: after {MARK} stands a number of epochs, as in {full_name(name)}{MARK}2, or "
            f"{SUPERNET}."
        )
    if epochs >= full:
        raise UserError(
            f"Task {name}: {full_name(name)} itself is trained for {full} epochs. Give fewer, or raise "
            "benchmark.training.epochs."
        )
    return epochs
