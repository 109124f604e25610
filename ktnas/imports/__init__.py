"""Import of published benchmark files into one compact format of ours."""

from ktnas.imports.importing import FORMATS, import_benchmark
from ktnas.imports.store import Imported, imported, remove, verify

__all__ = ["FORMATS", "Imported", "import_benchmark", "imported", "remove", "verify"]
