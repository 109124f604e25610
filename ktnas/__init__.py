"""ktnas: evolutionary, multi-task, hardware-aware neural architecture search."""

from typing import TYPE_CHECKING, Any

from ktnas.version import __version__

if TYPE_CHECKING:
    from ktnas.api import search

__all__ = ["__version__", "search"]


def __getattr__(name: str) -> Any:
    if name == "search":
        from ktnas.api import search

        return search
    raise AttributeError(f"module 'ktnas' has no attribute '{name}'")
