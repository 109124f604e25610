"""The picture of a front: ``front_<task>.png``."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ktnas.arrays import BoolArray, FloatArray
from ktnas.record.front import best_so_far, non_dominated
from ktnas.record.view import FrontView

DPI = 125
FOUND: dict[str, Any] = {
    "color": "#c8102e",
    "linewidth": 1.7,
    "marker": "o",
    "markersize": 6.5,
    "markerfacecolor": "none",
    "markeredgewidth": 1.5,
    "zorder": 4,
}
TRUE: dict[str, Any] = {"color": "#222222", "linewidth": 0.9, "marker": ".", "markersize": 4, "zorder": 3}
LIMIT: dict[str, Any] = {"color": "#777777", "linewidth": 1.0, "linestyle": "--", "zorder": 1}
PREDICTED: dict[str, Any] = {"fmt": "none", "ecolor": "#c8102e", "elinewidth": 1.0, "capsize": 2, "zorder": 3}
EVALUATED: dict[str, Any] = {"s": 20, "alpha": 0.85, "linewidths": 0, "zorder": 2}


def front_png(view: FrontView) -> bytes:
    """``front_figure`` as PNG."""
    return png(front_figure(view))


def front_figure(view: FrontView) -> Figure:
    """Draw the evaluated points coloured by order, the front found, the true front and limits where known.

    The first objective stands against each of the others, one panel each; with one objective it is the best
    so far against evaluations. The axes show the surroundings of the front, and the title says how many
    evaluations lie outside them or failed.
    """
    panels = max(1, len(view.spec.objectives) - 1)
    figure = Figure(figsize=(7.2 * panels, 4.6), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    if len(view.spec.objectives) == 1:
        outside = _draw_progress(axes[0], view)
    else:
        outside = np.any([_draw_front(figure, ax, view, i) for i, ax in enumerate(axes, start=1)], axis=0)
    figure.suptitle(_title(view, int(outside.sum())), fontsize=11)
    return figure


def png(figure: Figure) -> bytes:
    """``figure`` as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


@dataclass(frozen=True)
class Window:
    """Limits of an axis, from the smallest value to one that leaves the front room.

    Attributes:
        low: lower limit.
        high: upper limit.
        log: whether the axis is logarithmic: the values span more than a decade.
    """

    low: float
    high: float
    log: bool = False

    @classmethod
    def upwards(cls, values: FloatArray, front: FloatArray) -> "Window":
        """Window of the first objective: the worst quarters of the front and of ``values`` may lie outside.

        Args:
            values: (N,) of the evaluations; NaN does not count.
            front: (R,) of the front.
        """
        values = values[np.isfinite(values)]
        everything = np.concatenate([values, front])
        if not len(everything):
            return cls(0.0, 1.0)
        low, high = everything.min(), everything.max()
        if len(front) > 2 and len(values):
            high = min(high, max(low + 2 * (np.quantile(front, 0.75) - low), np.quantile(values, 0.75)))
        return cls._padded(low, high)

    @classmethod
    def across(cls, values: FloatArray, front: FloatArray) -> "Window":
        """Window of another objective, whose whole front is shown, and a quarter of its length beyond.

        Args:
            values: (N,) of the evaluations inside the window of the first objective.
            front: (R,) of the front inside that window.
        """
        everything = np.concatenate([values, front])
        if not len(everything):
            return cls(0.0, 1.0)
        log = everything.min() > 0 and everything.max() > 10 * everything.min()
        if log:
            everything, front = np.log10(everything), np.log10(front)
        low, high = everything.min(), everything.max()
        if len(front) > 2:
            high = min(high, front.max() + 0.25 * (front.max() - low))
        return cls._padded(low, high, log)

    @classmethod
    def _padded(cls, low: float, high: float, log: bool = False) -> "Window":
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        low, high = float(low - margin), float(high + margin)
        return cls(10**low, 10**high, True) if log else cls(low, high)

    def holds(self, values: FloatArray) -> BoolArray:
        """Which values lie inside."""
        return (values >= self.low) & (values <= self.high)


def _draw_front(figure: Figure, ax: Axes, view: FrontView, index: int) -> BoolArray:
    """Draw the first objective against objective ``index``; which evaluations (N,) lie outside the axes."""
    first, other = view.spec.objectives[0], view.spec.objectives[index]
    known = np.empty((0, view.points.shape[1])) if view.spec.true_front is None else view.spec.true_front
    truth, found = known[non_dominated(known)], view.points[view.front]
    x, y = view.points[:, index], view.points[:, 0]
    fronts = np.concatenate([truth, found])
    shown = np.isfinite(x) & np.isfinite(y)
    up = Window.upwards(y, fronts[:, 0])
    across = Window.across(x[shown & up.holds(y)], fronts[up.holds(fronts[:, 0]), index])
    order, last = np.flatnonzero(shown) + 1, max(2, len(y))
    dots = ax.scatter(x[shown], y[shown], c=order, cmap="viridis_r", vmin=1, vmax=last, **EVALUATED)
    figure.colorbar(dots, ax=ax, label="evaluation", pad=0.02, ticks=MaxNLocator(6, integer=True))
    stairs = len(view.spec.objectives) == 2
    for points, style, label in ((truth, TRUE, "true front"), (found, FOUND, "front found")):
        if len(points):
            _draw_line(
                ax,
                points[:, index],
                points[:, 0],
                (across, up) if stairs else None,
                {**style, "label": label},
            )
    deviation = view.column(other.uncertainty)[view.front]
    if (deviation > 0).any():
        ax.errorbar(
            found[:, index], found[:, 0], xerr=np.nan_to_num(deviation), label="predicted", **PREDICTED
        )
    _draw_limits(ax, view, {other.column: across, first.column: up})
    ax.set(xlabel=other.label, ylabel=first.label, xscale="log" if across.log else "linear")
    ax.set(xlim=(across.low, across.high), ylim=(up.low, up.high))
    if across.log:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    _add_legend(ax)
    return shown & ~(across.holds(x) & up.holds(y))


def _draw_line(
    ax: Axes, x: FloatArray, y: FloatArray, windows: tuple[Window, Window] | None, style: dict[str, Any]
) -> None:
    """Markers, joined by the staircase that bounds what they dominate; without ``windows`` markers alone."""
    if windows is None:
        ax.plot(x, y, **{**style, "linestyle": "none"})
        return
    order = np.argsort(x, kind="stable")
    across, up = windows
    beyond = 2 * up.high - up.low
    x = np.concatenate([x[order][:1], x[order], [max(across.high, x.max()) * 2]])
    y = np.concatenate([[max(beyond, y.max())], y[order], y[order][-1:]])
    ax.plot(x, y, drawstyle="steps-post", **style)


def _draw_limits(ax: Axes, view: FrontView, windows: dict[str, Window]) -> None:
    """Lines at the limits of the columns in ``windows``, across then up, where they are in sight."""
    for (column, window), draw in zip(windows.items(), (ax.axvline, ax.axhline), strict=True):
        limit = view.spec.limits.get(column, np.inf)
        if window.low < limit < window.high:
            draw(limit, label="limit", **LIMIT)


def _add_legend(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if labels:
        unique = dict(zip(labels, handles, strict=True))
        ax.legend(
            unique.values(), unique.keys(), loc="upper right", framealpha=0.7, edgecolor="none", fontsize=9
        )


def _draw_progress(ax: Axes, view: FrontView) -> BoolArray:
    """Draw the only objective against evaluations; which evaluations (N,) lie outside the axes."""
    objective = view.spec.objectives[0]
    y, best = view.points[:, 0], best_so_far(view.admitted[:, 0])
    number = np.arange(1, len(y) + 1)
    optimum = np.empty(0) if view.spec.true_front is None else view.spec.true_front[:, 0]
    up = Window.upwards(y, np.concatenate([best[np.isfinite(best)], optimum]))
    ax.scatter(number, y, color="#3b6ea5", label="evaluated", **EVALUATED)
    ax.plot(number, best, drawstyle="steps-post", label="best so far", **{**FOUND, "marker": None})
    if len(optimum):
        ax.axhline(optimum.min(), label="optimum", **{**TRUE, "marker": None})
    _draw_limits(ax, view, {"evaluation": Window(0, 0), objective.column: up})
    ax.set(xlabel="evaluation", ylabel=objective.label, ylim=(up.low, up.high))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _add_legend(ax)
    return np.isfinite(y) & ~up.holds(y)


def _title(view: FrontView, outside: int) -> str:
    count = len(view.evaluations)
    name = " on ".join([view.spec.task, *([view.spec.device] if view.spec.device else [])])
    notes = [f"{count} evaluation{'s' * (count != 1)}"]
    if np.isfinite(view.hypervolume_ratio):
        notes.insert(0, f"hypervolume ratio {view.hypervolume_ratio:.3f}")
    elif len(view.spec.objectives) == 1 and np.isfinite(view.regret):
        notes.insert(0, f"regret {view.regret:.3g}")
    notes += [f"{view.failed} failed"] * (view.failed > 0)
    notes += [f"{outside} beyond the axes"] * (outside > 0)
    return f"{name}: {', '.join(notes)}"
