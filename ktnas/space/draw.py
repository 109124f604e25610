"""Pictures of cells."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Line

from ktnas.arrays import FloatArray
from ktnas.errors import UserError
from ktnas.space.architecture import Architecture
from ktnas.space.graph import prune
from ktnas.space.layout import Point, layered_layout

PALETTE = ("#8ecae6", "#ffb703", "#95d5b2", "#f4978e", "#cdb4db", "#e9c46a", "#90be6d", "#a8dadc", "#f7b267")
TERMINAL, IDENTITY, INK, FAINT_INK, FAINT = "#495057", "#e9ecef", "#343a40", "#adb5bd", "#ced4da"
CHARACTER, PADDING, HEIGHT, PITCH, GAP, MARGIN, CAPTION = 0.085, 0.28, 0.38, 0.62, 0.8, 0.25, 0.068  # inches
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
    widths = np.zeros(1 + max(layer for layer, _ in layout.nodes.values()))
    for node, (layer, _) in layout.nodes.items():
        widths[layer] = max(widths[layer], boxes[node])
    content = widths.sum() + GAP * (len(widths) - 1)
    caption = (
        architecture.text if graph.edges() else f"{architecture.text}  (the input does not reach the output)"
    )
    width = max(content, CAPTION * len(caption)) + 2 * MARGIN
    centres = (width - content) / 2 + np.cumsum(widths) - widths / 2 + GAP * np.arange(len(widths))
    levels = [height for points in (*layout.edges.values(), layout.nodes.values()) for _, height in points]
    bottom, top = min(levels) * PITCH - HEIGHT / 2 - MARGIN, max(levels) * PITCH + HEIGHT / 2 + 2 * MARGIN

    figure = Figure(figsize=(width, top - bottom))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(bottom, top))
    axes.set_axis_off()
    axes.text(
        width / 2, top - MARGIN, caption, ha="center", va="center", family="monospace", size=8, color=INK
    )
    for (source, target), points in layout.edges.items():
        line = _line(points, centres, widths, boxes[source], boxes[target])
        _add_edge(axes, line, graph.number_of_edges(source, target), bool(in_use[source] and in_use[target]))
    for node, (layer, height) in layout.nodes.items():
        colour = _colour(architecture, names[node])
        _add_node(
            axes, (centres[layer], height * PITCH), boxes[node], names[node], colour, bool(in_use[node])
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


def _add_edge(axes: Axes, line: Line, count: int, in_use: bool) -> None:
    arrow = FancyArrowPatch(path=line, arrowstyle="-|>", mutation_scale=9, linewidth=1.1, zorder=1 + in_use)
    arrow.set(fill=False, color=INK if in_use else FAINT, linestyle="-" if in_use else "--")
    axes.add_patch(arrow)
    if count > 1:
        vertices = np.asarray(line.vertices)
        middle = len(vertices) // 2
        x, y = vertices[middle - 1 : middle + 1].mean(axis=0)
        patch = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        axes.text(x, y, f"×{count}", ha="center", va="center", size=9, color=INK, zorder=3, bbox=patch)


def _add_node(
    axes: Axes, at: tuple[float, float], width: float, name: str, colour: str, in_use: bool
) -> None:
    corner = (at[0] - width / 2, at[1] - HEIGHT / 2)
    face, edge, ink, line = (colour, INK, INK, "-") if in_use else ("white", FAINT, FAINT_INK, "--")
    shape = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch(
            corner, width, HEIGHT, boxstyle=shape, facecolor=face, edgecolor=edge, linestyle=line, zorder=4
        )
    )
    ink = "white" if colour == TERMINAL else ink
    axes.text(*at, name, ha="center", va="center_baseline", size=9.5, color=ink, zorder=5)


def _colour(architecture: Architecture, name: str) -> str:
    if name in ("input", "output"):
        return TERMINAL
    if name == architecture.space.identity:
        return IDENTITY
    return PALETTE[architecture.space.operations.index(name) % len(PALETTE)]
