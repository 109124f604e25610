"""Pictures of cells."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.path import Path as Line

from ktnas.arrays import FloatArray
from ktnas.errors import UserError
from ktnas.space.architecture import Architecture
from ktnas.space.draw_chain import LONGEST_ROW, chain_figure
from ktnas.space.draw_parts import (
    CAPTION,
    CHARACTER,
    HEIGHT,
    MARGIN,
    PADDING,
    PITCH,
    add_edge,
    add_node,
    page,
    wrap_caption,
)
from ktnas.space.graph import prune
from ktnas.space.layout import Point, layered_layout

GAP = 0.8  # inches between layers
STUB = 0.1  # straight piece of an edge beside a box


def draw(architecture: Architecture, path: Path, pruned: bool = False) -> None:
    """Draw the cell of ``architecture``, operations as boxes, from the input at the left to the output.

    What takes no part in the result (zero operations, dead ends) is faint and dashed; ``pruned`` leaves it
    out, and the identities. Parallel edges are one line marked ×n. The same architecture gives the same file.

    Args:
        architecture: what to draw.
        path: file to write, ``.svg`` or ``.png``.
        pruned: whether to draw the pruned graph.

    Raises:
        UserError: another kind of file, or one that cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in (".svg", ".png"):
        raise UserError(f"Cannot draw to '{path}': the name must end in .svg or .png.")
    figure = _figure(architecture, pruned)
    with matplotlib.rc_context({"svg.hashsalt": "ktnas"}):
        try:
            figure.savefig(path, dpi=150, metadata={"Date": None} if kind == ".svg" else None)
        except OSError as problem:
            raise UserError(f"Cannot write '{path}': {problem.strerror}.") from None


def _figure(architecture: Architecture, pruned: bool) -> Figure:
    space = architecture.space
    graph = architecture.graph(pruned)
    names: dict[int, str] = dict(graph.nodes(data="operation"))
    layout = layered_layout(graph, min(names), max(names))
    in_use = prune(space.graphs(architecture.genotype[None]), space.zero, None).operations[0] >= 0

    boxes = {node: CHARACTER * len(name) + PADDING for node, name in names.items()}
    if len(names) > LONGEST_ROW and max(degree for _, degree in graph.degree()) <= 2:
        return chain_figure(architecture, names, boxes)
    widths = np.zeros(1 + max(layer for layer, _ in layout.nodes.values()))
    for node, (layer, _) in layout.nodes.items():
        widths[layer] = max(widths[layer], boxes[node])
    content = widths.sum() + GAP * (len(widths) - 1)
    text = (
        architecture.text if graph.edges() else f"{architecture.text}  (the input does not reach the output)"
    )
    caption = wrap_caption(text, content)
    width = max(content, CAPTION * max(map(len, caption))) + 2 * MARGIN
    centres = (width - content) / 2 + np.cumsum(widths) - widths / 2 + GAP * np.arange(len(widths))
    levels = [height for points in (*layout.edges.values(), layout.nodes.values()) for _, height in points]
    bottom, top = min(levels) * PITCH - HEIGHT / 2 - MARGIN, max(levels) * PITCH + HEIGHT / 2 + MARGIN

    figure, axes = page(width, bottom, top, caption)
    for (source, target), points in layout.edges.items():
        line = _line(points, centres, widths, boxes[source], boxes[target])
        add_edge(axes, line, graph.number_of_edges(source, target), bool(in_use[source] and in_use[target]))
    for node, (layer, height) in layout.nodes.items():
        add_node(
            axes, (centres[layer], height * PITCH), boxes[node], architecture, names[node], bool(in_use[node])
        )
    return figure


def _line(
    points: Sequence[Point], centres: FloatArray, widths: FloatArray, first: float, last: float
) -> Line:
    """Line through ``points``, level within a layer and a curve between layers."""
    stops = [(centres[layer], widths[layer] / 2, height * PITCH) for layer, height in points]
    (x, _, y), (end, _, level) = stops[0], stops[-1]
    vertices, codes = [(x + first / 2, y)], [Line.MOVETO]
    for (before, half, y), (after, next_half, next_y) in pairwise(stops):
        start, stop = before + half + STUB, after - next_half - STUB
        middle = (start + stop) / 2
        vertices += [(start, y), (middle, y), (middle, next_y), (stop, next_y)]
        codes += [Line.LINETO, Line.CURVE4, Line.CURVE4, Line.CURVE4]
    return Line([*vertices, (end - last / 2, level)], [*codes, Line.LINETO])
