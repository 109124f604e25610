"""Where the tests train: as quickly as the machine allows."""

import torch

PARALLEL = "loky" if torch.cuda.is_available() else "threads"
"""Name of the pool: on a machine with a GPU, torch does not train in what is forked from this process."""
