"""One runnable module per published table: ``python -m experiments.NAME --help``."""
