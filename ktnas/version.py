"""Version of ktnas."""

__version__ = "0.1.0"
