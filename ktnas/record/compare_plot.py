"""The pictures of a comparison: convergence over evaluations, and who beats whom."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ktnas.arrays import FloatArray
from ktnas.record.contest import TITLES, Contest
from ktnas.record.plot import DPI, png

COLOURS = ("#c8102e", "#3b6ea5", "#e08e0b", "#2f8f5b", "#7b4fa3", "#555555", "#a0522d", "#17a2b8")
MAX_PIXELS = 60_000


def convergence_png(contests: Sequence[Contest]) -> bytes:
    """Draw a row per contest: best error, and hypervolume with several objectives; mean ± standard error."""
    columns = max(len(contest.measures) for contest in contests)
    height = 3.4 * len(contests)
    dpi = min(DPI, MAX_PIXELS / height)
    figure = Figure(figsize=(4.8 * columns + 1, height), dpi=dpi, layout="constrained")
    grid = figure.subplots(len(contests), columns, squeeze=False)
    for row, contest in zip(grid, contests, strict=True):
        for ax, measure in zip(row, contest.measures, strict=False):
            _draw(ax, contest, measure)
        for ax in row[len(contest.measures) :]:
            ax.remove()
        row[0].legend(fontsize=8, frameon=False, loc="upper right")
    return png(figure)


def wins_png(wins: Mapping[str, pd.DataFrame]) -> bytes:
    """Draw a matrix per measure: the share of common seeds in which the row's group beats the column's."""
    size = max(len(matrix) for matrix in wins.values())
    names = max(len(str(group)) for matrix in wins.values() for group in matrix.index)
    side = 1.2 + 0.6 * size + 0.06 * names
    figure = Figure(figsize=(side * len(wins) + 1, side), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(wins), squeeze=False)[0]
    for ax, (measure, matrix) in zip(panels, wins.items(), strict=True):
        image = ax.imshow(matrix.to_numpy(), cmap="RdBu", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(matrix.to_numpy()):
            if np.isfinite(share):
                colour = "white" if abs(share - 0.5) > 0.35 else "black"
                ax.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(len(matrix)), matrix.columns, rotation=45, ha="right", fontsize=8)
        ax.set_yticks(range(len(matrix)), matrix.index, fontsize=8)
        ax.set_title(TITLES[measure], fontsize=10)
    figure.colorbar(image, ax=panels, shrink=0.7, label="row beats column")
    return png(figure)


def _draw(ax: Axes, contest: Contest, measure: str) -> None:
    settled: list[float] = []
    for index, group in enumerate(contest.groups):
        curve = contest.curve(measure, group)
        number = np.arange(1, len(curve.mean) + 1)
        colour = COLOURS[index % len(COLOURS)]
        style = "-" if index < len(COLOURS) else "--"
        error = np.nan_to_num(curve.error)
        label = f"{group} (n = {len(contest.groups[group])})"
        ax.plot(number, curve.mean, color=colour, linestyle=style, linewidth=1.7, label=label)
        ax.fill_between(number, curve.mean - error, curve.mean + error, color=colour, alpha=0.18, linewidth=0)
        for edge in (curve.mean - error, curve.mean + error):
            settled += edge[len(number) // 20 :].tolist()
    _focus(ax, np.array(settled))
    ax.set(xlabel="evaluations", ylabel=TITLES[measure])
    ax.set_title(contest.title, fontsize=10)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.25, linewidth=0.6)


def _focus(ax: Axes, settled: FloatArray) -> None:
    """Leave the first few evaluations out of the vertical range: they are far from all that matters."""
    settled = settled[np.isfinite(settled)]
    if len(settled) and settled.max() > settled.min():
        margin = 0.05 * (settled.max() - settled.min())
        ax.set_ylim(settled.min() - margin, settled.max() + margin)
