"""A run as one page for people."""
