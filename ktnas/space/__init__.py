"""Search spaces: families of cells, each space one YAML file."""

from ktnas.space.architecture import Architecture
from ktnas.space.base import ENUMERATION_LIMIT, SearchSpace
from ktnas.space.graph import GraphBatch, canonical_keys, hash_rows, prune
from ktnas.space.load import list_spaces, load_space
from ktnas.space.text import TextError

__all__ = [
    "ENUMERATION_LIMIT",
    "Architecture",
    "GraphBatch",
    "SearchSpace",
    "TextError",
    "canonical_keys",
    "hash_rows",
    "list_spaces",
    "load_space",
    "prune",
]
