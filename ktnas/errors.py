"""Exceptions for what a user can mend, and the words that help to mend it."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in what the user gave: a file, a key, a value.

    The message names it, says what was expected and what to do. The command line prints the message alone
    (no traceback) and exits with 2.
    """


class StoppedError(UserError):
    """What stops a search that had begun, a full disk say; what was evaluated before is kept."""


def unknown(kind: str, name: object, options: Iterable[str]) -> UserError:
    """Error for a ``name`` that is not one of ``options``, the nearest valid names first."""
    known = sorted(options)
    near = get_close_matches(str(name), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    shown = ", ".join(known[:40]) + (f", … ({len(known)} in all)" if len(known) > 40 else "")
    return UserError(f"Unknown {kind} '{name}'.{hint} Valid: {shown or 'none'}.")
