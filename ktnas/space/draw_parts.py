"""Boxes, arrows and captions of the pictures of architectures."""

from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Line

from ktnas.space.architecture import Architecture

PALETTE = ("#8ecae6", "#ffb703", "#95d5b2", "#f4978e", "#cdb4db", "#e9c46a", "#90be6d", "#a8dadc", "#f7b267")
TERMINAL, IDENTITY, INK, FAINT_INK, FAINT = "#495057", "#e9ecef", "#343a40", "#adb5bd", "#ced4da"
CHARACTER, PADDING, HEIGHT, PITCH, MARGIN, CAPTION = 0.085, 0.28, 0.38, 0.62, 0.25, 0.068  # inches
LINE = 0.16  # of a caption
SHORTEST_LINE = 80  # characters


def wrap_caption(text: str, width: float) -> list[str]:
    """Lines of a caption above a drawing of ``width`` inches."""
    return wrap(text, max(SHORTEST_LINE, int(width / CAPTION)), break_on_hyphens=False)


def page(width: float, bottom: float, top: float, caption: list[str]) -> tuple[Figure, Axes]:
    """Page for a drawing between ``bottom`` and ``top``, in inches, with ``caption`` above it."""
    upper = top + MARGIN + LINE * (len(caption) - 1)
    figure = Figure(figsize=(width, upper - bottom))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(bottom, upper))
    axes.set_axis_off()
    axes.text(
        width / 2,
        (upper + top) / 2 - MARGIN / 2,
        "\n".join(caption),
        ha="center",
        va="center",
        family="monospace",
        size=8,
        color=INK,
    )
    return figure, axes


def add_edge(axes: Axes, line: Line, count: int, in_use: bool) -> None:
    """Draw an arrow along ``line``, marked ×n where it stands for several edges."""
    arrow = FancyArrowPatch(path=line, arrowstyle="-|>", mutation_scale=9, linewidth=1.1, zorder=1 + in_use)
    arrow.set(fill=False, color=INK if in_use else FAINT, linestyle="-" if in_use else "--")
    axes.add_patch(arrow)
    if count > 1:
        vertices = np.asarray(line.vertices)
        middle = len(vertices) // 2
        x, y = vertices[middle - 1 : middle + 1].mean(axis=0)
        patch = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        axes.text(x, y, f"×{count}", ha="center", va="center", size=9, color=INK, zorder=3, bbox=patch)


def add_node(
    axes: Axes, at: tuple[float, float], width: float, architecture: Architecture, name: str, in_use: bool
) -> None:
    """Draw the box of an operation."""
    colour = _colour(architecture, name)
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
    if name == architecture.space.identity or name not in architecture.space.operations:
        return IDENTITY
    return PALETTE[architecture.space.operations.index(name) % len(PALETTE)]
