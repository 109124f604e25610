"""Tables of architectures and numbers, from files in the formats people have them in."""

from ktnas.tables.files import data_dir, locate
from ktnas.tables.formats import FORMATS, read_table
from ktnas.tables.table import Table

__all__ = ["FORMATS", "Table", "data_dir", "locate", "read_table"]
