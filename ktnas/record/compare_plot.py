"""The picture of a comparison: convergence over evaluations."""

from collections.abc import Sequence

import numpy as np
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
