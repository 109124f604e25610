"""Figures of a contest, as plotly's JSON. What is said of a point is put together in the page.

A trace of evaluations names in ``meta.table`` the table they stand in, and in ``customdata`` their rows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ktnas.arrays import FloatArray
from ktnas.record.compare_plot import COLOURS
from ktnas.record.contest import TITLES, Contest, Member
from ktnas.record.description import FrontSpec, Objective
from ktnas.record.front import best_so_far, non_dominated
from ktnas.record.plot import Window
from ktnas.record.view import FrontView

INK, TRUTH, LIMIT = "#343a40", "#222222", "#777777"
GRID = "#e9ecef"
FAINT = 0.35
DIGITS = 7


@dataclass(frozen=True)
class Figure:
    """One figure of the page.

    Attributes:
        name: unique on the page.
        kind: ``front`` or ``convergence``.
        title: for people.
        data: plotly's traces.
        layout: plotly's layout.
        beyond: evaluations outside what the axes show at first.
        predicted: whether some of its points are predictions.
    """

    name: str
    kind: str
    title: str
    data: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    beyond: int = 0
    predicted: bool = False


def table_name(run: int, task: str) -> str:
    """Of the evaluations of ``task`` in run number ``run`` of the page."""
    return f"{run}/{task}"


def contest_figures(contest: Contest, number: int, numbers: Mapping[int, int]) -> list[Figure]:
    """The fronts of all runs of a contest, a figure for each objective beside the first, and convergence.

    Args:
        contest: with at least one run.
        number: of the contest on the page.
        numbers: ``id`` of a run to its number on the page.
    """
    objectives = _spec(contest).objectives
    figures = [_front(contest, f"c{number}f{axis}", axis, numbers) for axis in range(1, len(objectives))]
    if not figures:
        figures = [_best(contest, f"c{number}f0", numbers)]
    several = sum(map(len, contest.groups.values())) > 1
    measures = contest.measures if len(objectives) > 1 or several else []
    return figures + [_convergence(contest, f"c{number}{measure}", measure) for measure in measures]


def _front(contest: Contest, name: str, axis: int, numbers: Mapping[int, int]) -> Figure:
    spec = _spec(contest)
    across, up = spec.objectives[axis], spec.objectives[0]
    views = [member.view for members in contest.groups.values() for member in members]
    truth = _true_front(contest)
    data = _truth_trace(truth, axis) if len(truth) else []
    for index, (group, members) in enumerate(contest.groups.items()):
        for first, member in zip([True, *[False] * len(members)], members, strict=False):
            table = table_name(numbers[id(member.run)], contest.task)
            style = {"colour": COLOURS[index % len(COLOURS)], "group": group, "first": first}
            data += _front_traces(member, table, across, axis, style)
    x_window, y_window = _windows(views, truth, axis)
    layout = _layout(_axis(across.label, x_window), _axis(up.label, y_window))
    layout["shapes"] = _limits(spec, across, up)
    points = np.concatenate([view.points for view in views])
    shown = x_window.holds(points[:, axis]) & y_window.holds(points[:, 0])
    beyond = int((np.isfinite(points).all(axis=1) & ~shown).sum())
    predicted = any("error_x" in trace for trace in data)
    return Figure(name, "front", f"{up.name} against {across.name}", data, layout, beyond, predicted)


def _front_traces(
    member: Member, table: str, across: Objective, axis: int, style: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Evaluations off the front, and the front with the deviations of what is predicted."""
    view, colour = member.view, style["colour"]
    known = np.isfinite(view.points).all(axis=1)
    others = np.flatnonzero(known & ~view.front)
    front = np.flatnonzero(view.front)
    front = front[np.argsort(view.points[front, axis], kind="stable")]
    deviation = view.column(across.uncertainty)
    places = _table_rows(view)
    common = {"type": "scatter", "meta": {"table": table}, "hoverinfo": "text", "legendgroup": style["group"]}
    stairs = len(view.spec.objectives) == 2
    return [
        {
            **common,
            "mode": "markers",
            "name": "evaluated",
            "showlegend": False,
            "x": _numbers(view.points[others, axis]),
            "y": _numbers(view.points[others, 0]),
            "customdata": places[others].tolist(),
            "marker": {"size": 6, "color": colour, "opacity": FAINT, "line": {"width": 0}},
        },
        {
            **common,
            "mode": "lines+markers" if stairs else "markers",
            "name": style["group"],
            "showlegend": style["first"],
            "x": _numbers(view.points[front, axis]),
            "y": _numbers(view.points[front, 0]),
            "customdata": places[front].tolist(),
            "line": {"shape": "hv", "width": 2, "color": colour},
            "marker": {
                "size": 11,
                "color": "#ffffff",
                "line": {"width": 2.4, "color": colour},
                "symbol": ["diamond" if deviation[row] > 0 else "circle" for row in front],
            },
            **_error_bars(deviation[front], colour),
        },
    ]


def _error_bars(deviation: FloatArray, colour: str) -> dict[str, Any]:
    if not (deviation > 0).any():
        return {}
    bars = {"type": "data", "array": _numbers(np.nan_to_num(deviation)), "color": colour, "thickness": 1.2}
    return {"error_x": {**bars, "width": 4}}


def _best(contest: Contest, name: str, numbers: Mapping[int, int]) -> Figure:
    """Every evaluation of a search of one objective, in order, and the best so far."""
    objective = _spec(contest).objectives[0]
    views = [member.view for members in contest.groups.values() for member in members]
    truth = _true_front(contest)
    data: list[dict[str, Any]] = []
    for index, (group, members) in enumerate(contest.groups.items()):
        colour = COLOURS[index % len(COLOURS)]
        for position, member in enumerate(members):
            view = member.view
            known = np.flatnonzero(np.isfinite(view.points[:, 0]))
            places = _table_rows(view)
            front = np.flatnonzero(view.front)
            table = table_name(numbers[id(member.run)], contest.task)
            common = {"type": "scatter", "legendgroup": group, "hoverinfo": "text", "meta": {"table": table}}
            for rows, marker, shown in (
                (known, {"size": 6, "color": colour, "opacity": FAINT}, False),
                (front, {"size": 11, "color": "#ffffff", "line": {"width": 2.4, "color": colour}}, True),
            ):
                data.append(
                    {
                        **common,
                        "mode": "markers",
                        "name": group,
                        "showlegend": shown and position == 0,
                        "x": (rows + 1).tolist(),
                        "y": _numbers(view.points[rows, 0]),
                        "customdata": places[rows].tolist(),
                        "marker": marker,
                    }
                )
            best = best_so_far(view.admitted[:, 0])
            data.append(_line(np.arange(1, len(best) + 1), best, group, colour, legend=False, shape="hv"))
    errors = np.concatenate([view.points[:, 0] for view in views])
    fronts = np.concatenate([*(view.points[view.front, 0] for view in views), truth[:, 0]])
    window = Window.upwards(errors, fronts)
    layout = _layout(_axis("evaluations", None), _axis(objective.label, window))
    if len(truth):
        layout["shapes"] = [_rule("y", float(truth[:, 0].min()), TRUTH, "dot")]
    beyond = int((np.isfinite(errors) & ~window.holds(errors)).sum())
    return Figure(name, "front", f"{objective.name} of each evaluation", data, layout, beyond)


def _convergence(contest: Contest, name: str, measure: str) -> Figure:
    """Mean over the runs of each group after each evaluation, and its standard error."""
    data: list[dict[str, Any]] = []
    settled: list[float] = []
    for index, (group, members) in enumerate(contest.groups.items()):
        colour = COLOURS[index % len(COLOURS)]
        curve = contest.curve(measure, group)
        number = np.arange(1, len(curve.mean) + 1)
        error = np.nan_to_num(curve.error)
        if len(members) > 1:
            data.append(_band(number, curve.mean - error, curve.mean + error, group, colour))
        label = group if len(members) == 1 else f"{group} (mean of {len(members)} runs)"
        line = _line(number, curve.mean, label, colour, legend=True, shape="hv")
        data.append({**line, "legendgroup": group, "hovertemplate": "%{y:.5g} after %{x}"})
        for edge in (curve.mean - error, curve.mean + error):
            settled += edge[len(number) // 20 :].tolist()
    layout = _layout(_axis("evaluations", None), _axis(TITLES[measure], _settled(np.array(settled))))
    layout["hovermode"] = "x unified"
    truth = _true_front(contest)
    if measure == "error" and len(truth) and "error" in _spec(contest).columns:
        lowest = float(truth[:, _spec(contest).columns.index("error")].min())
        layout["shapes"] = [_rule("y", lowest, TRUTH, "dot")]
    return Figure(name, "convergence", TITLES[measure], data, layout)


def _line(x: Any, y: FloatArray, name: str, colour: str, *, legend: bool, shape: str) -> dict[str, Any]:
    line = {"color": colour, "width": 2, "shape": shape}
    trace = {"type": "scatter", "mode": "lines", "name": name, "showlegend": legend, "line": line}
    return {**trace, "x": x.tolist(), "y": _numbers(y), "hoverinfo": "skip"}


def _band(x: Any, low: FloatArray, high: FloatArray, group: str, colour: str) -> dict[str, Any]:
    known = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[known], low[known], high[known]
    return {
        "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": f"{colour}2b", "hoverinfo": "skip",
        "line": {"width": 0, "shape": "linear"}, "showlegend": False, "legendgroup": group,
        "x": np.concatenate([x, x[::-1]]).tolist(), "y": _numbers(np.concatenate([high, low[::-1]])),
    }  # fmt: skip


def _truth_trace(truth: FloatArray, axis: int) -> list[dict[str, Any]]:
    points = truth[np.argsort(truth[:, axis], kind="stable")]
    stairs = truth.shape[1] == 2
    return [
        {
            "type": "scatter", "mode": "lines+markers" if stairs else "markers", "name": "true front",
            "x": _numbers(points[:, axis]), "y": _numbers(points[:, 0]), "hoverinfo": "skip",
            "line": {"shape": "hv", "width": 1, "color": TRUTH}, "marker": {"size": 4, "color": TRUTH},
        }
    ]  # fmt: skip


def _limits(spec: FrontSpec, across: Objective, up: Objective) -> list[dict[str, Any]]:
    limits = (("x", across), ("y", up))
    return [
        _rule(axis, spec.limits[objective.column], LIMIT, "dash")
        for axis, objective in limits
        if objective.column in spec.limits
    ]


def _rule(axis: str, value: float, colour: str, dash: str) -> dict[str, Any]:
    """Line across the whole figure at ``value`` of ``axis``."""
    other = "y" if axis == "x" else "x"
    place = {f"{axis}0": value, f"{axis}1": value, f"{other}0": 0, f"{other}1": 1, f"{other}ref": "paper"}
    return {"type": "line", **place, "layer": "below", "line": {"color": colour, "width": 1, "dash": dash}}


def _windows(views: list[FrontView], truth: FloatArray, axis: int) -> tuple[Window, Window]:
    """What the axes show at first: the surroundings of the fronts."""
    points = np.concatenate([view.points for view in views])
    fronts = np.concatenate([truth, *(view.points[view.front] for view in views)])
    known = np.isfinite(points).all(axis=1)
    up = Window.upwards(points[known, 0], fronts[:, 0])
    inside = fronts[up.holds(fronts[:, 0]), axis]
    return Window.across(points[known & up.holds(points[:, 0]), axis], inside), up


def _settled(values: FloatArray) -> Window | None:
    values = values[np.isfinite(values)]
    if not len(values) or values.max() == values.min():
        return None
    margin = 0.05 * float(values.max() - values.min())
    return Window(float(values.min()) - margin, float(values.max()) + margin)


def _axis(title: str, window: Window | None) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "title": {"text": title, "standoff": 6}, "gridcolor": GRID, "linecolor": INK, "zeroline": False,
        "ticks": "outside", "automargin": True,
    }  # fmt: skip
    if window is None:
        return axis
    if not window.log:
        return {**axis, "range": [window.low, window.high]}
    low, high = math.log10(window.low), math.log10(window.high)
    decades = range(math.floor(low) - 2, math.ceil(high) + 3)
    ticks = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    labels = [f"{tick:g}" for tick in ticks]
    return {**axis, "type": "log", "range": [low, high], "tickvals": ticks, "ticktext": labels}


def _layout(x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    return {
        "xaxis": x, "yaxis": y, "hovermode": "closest", "plot_bgcolor": "#ffffff", "paper_bgcolor": "#ffffff",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "margin": {"l": 56, "r": 12, "t": 30, "b": 46},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        "hoverlabel": {"align": "left", "bgcolor": "#ffffff", "font": {"size": 12, "color": INK}},
    }  # fmt: skip


def _table_rows(view: FrontView) -> Any:
    """Row (N,) of each evaluation in its table, which holds those that succeeded."""
    succeeded = np.array([e.status == "ok" for e in view.evaluations], dtype=np.bool_)
    return np.cumsum(succeeded) - 1


def _true_front(contest: Contest) -> FloatArray:
    truth = contest.true_front
    if truth is None:
        return np.empty((0, len(_spec(contest).objectives)))
    return truth[non_dominated(truth)]


def _spec(contest: Contest) -> FrontSpec:
    return next(iter(contest.groups.values()))[0].view.spec


def _numbers(values: FloatArray) -> list[float | None]:
    """Seven digits each; what is not finite as null."""
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]
