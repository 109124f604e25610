"""Rows of the tables of NAS-Bench-Suite-Zero, to check networks against."""

import pandas as pd
import torch

from ktnas.network.count import count_flops, count_parameters
from ktnas.network.task import network_task


def check_counts(space, table, rows, outputs=None):
    """Parameters and FLOPs of random ``rows`` of every task in ``table`` are those of the network.

    Args:
        space: the space.
        table: file with the columns ``arch``, ``task``, ``params`` and ``flops``, both in millions.
        rows: number of rows per task.
        outputs: outputs of a task's network where they are not the task's.
    """
    published = pd.read_csv(table)
    for name, group in published.groupby("task"):
        task = network_task(name, **{"outputs": (outputs or {}).get(name, network_task(name).outputs)})
        for row in group.sample(rows, random_state=0).itertuples():
            with torch.device("meta"):
                network = space.build(row.arch, task)
            assert count_parameters(network) == round(row.params * 1e6), (row.arch, name)
            flops = count_flops(network, task.inputs(1), "suite_zero")
            assert flops == round(row.flops * 1e6), (row.arch, name)
