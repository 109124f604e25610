"""The space of a run, from what its ledger says."""

from collections.abc import Mapping
from typing import Any

from ktnas.errors import UserError
from ktnas.space import SearchSpace, load_space


def space_reference(config: Mapping[str, Any]) -> str:
    """Name, or path of the YAML file, of the space that a run's configuration names.

    Raises:
        UserError: it names none.
    """
    named = config.get("space") or (config.get("benchmark") or {}).get("space")
    if not named:
        raise UserError("The configuration of the run names no space.")
    return str(named)


def run_space(config: Mapping[str, Any]) -> SearchSpace:
    """The space of a run's configuration.

    Raises:
        UserError: it names none, or one that cannot be read any more.
    """
    return load_space(space_reference(config))
