"""A function by the name of its module."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ktnas.errors import UserError


def import_callable(name: str) -> Callable[[str], Any]:
    """The function ``module:callable``; modules are also looked for in the working directory.

    Raises:
        UserError: a name of another form, a module that cannot be imported, no such callable in it.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise UserError(f"'{name}' is no function, expected module:callable.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as problem:  # importing runs the user's code
        raise UserError(
            f"The function '{name}' cannot be imported: {type(problem).__name__}: {problem}"
        ) from None
    if not callable(found):
        raise UserError(
            f"'{name}' is a {type(found).__name__}, expected a function of an architecture's text."
        )
    function: Callable[[str], Any] = found
    return function
