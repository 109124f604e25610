"""Pictures of long chains, row by row, each row read from where the last one ends."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from matplotlib.path import Path as Line

from ktnas.space.architecture import Architecture
from ktnas.space.draw_parts import HEIGHT, MARGIN, add_edge, add_node, page, wrap_caption

LONGEST_ROW = 8
GAP, ROW = 0.45, 0.8  # inches between boxes and rows


def chain_figure(architecture: Architecture, names: Mapping[int, str], boxes: Mapping[int, float]) -> Figure:
    """Figure of a chain; a position that is not there is faint.

    Args:
        architecture: what to draw.
        names: operation of each node, from the input to the output.
        boxes: width of the box of each node, in inches.
    """
    nodes = sorted(names)
    column = max(boxes.values()) + GAP
    n_columns = min(LONGEST_ROW, len(nodes))
    width = n_columns * column - GAP + 2 * MARGIN
    places = {}
    for number, node in enumerate(nodes):
        row, step = divmod(number, n_columns)
        shift = step if row % 2 == 0 else n_columns - 1 - step
        places[node] = (MARGIN + (column - GAP) / 2 + shift * column, -ROW * row)
    bottom = -ROW * ((len(nodes) - 1) // n_columns) - HEIGHT / 2 - MARGIN
    figure, axes = page(
        width, bottom, HEIGHT / 2 + MARGIN, wrap_caption(architecture.text, width - 2 * MARGIN)
    )
    absent = getattr(architecture.space, "absent", None)
    for source, target in pairwise(nodes):
        (x, y), (end, level) = places[source], places[target]
        ahead = np.sign(end - x)
        start = (x + ahead * boxes[source] / 2, y - HEIGHT / 2 * (y != level))
        stop = (end - ahead * boxes[target] / 2, level + HEIGHT / 2 * (y != level))
        add_edge(axes, Line([start, stop]), 1, True)
    for node in nodes:
        add_node(axes, places[node], boxes[node], architecture, names[node], names[node] != absent)
    return figure
