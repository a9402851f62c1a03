"""One asset's chart: values and what was expected above, score and cut-off below, one time axis for all."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go

from anomscan.incidents.words import in_words
from anomscan.reports import palette
from anomscan.reports.chartdata import (
    MARKED_VERDICTS,
    ChartData,
    Curve,
    Normal,
    VerdictRun,
    chart_data,
    instant,
    shares,
)
from anomscan.reports.records import DETECT_SCHEMA, Anomaly, Record
from anomscan.reports.scores import ScoreTable
from anomscan.telemetry.series import Series

_SHADE = "rgba(213, 94, 0, 0.16)"
_BAND = "rgba(0, 158, 115, 0.2)"
_UNWATCHED = "rgba(240, 228, 66, 0.35)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
# Heights in pixels.
_TOP, _BOTTOM, _TITLE, _SCORE, _STRIP = 44, 40, 34, 190, 12
_TITLE_CHARS = 60
# With this many places or more, thin lines keep a curve readable.
_DENSE = 5_000
# More marks than this are drawn smaller and without the rim that sets a few apart.
_MANY = 60


def asset_chart(series: Series | None, scores: ScoreTable | None, record: Record) -> go.Figure:
    """Draw one asset.

    Parameters
    ----------
    series
        What was measured; None leaves only the values the record has of its anomalies.
    scores
        Score and cut-off of every judged sample; None leaves only those of the anomalies.
    record
        What was found.

    Returns
    -------
    A strip of incidents, a panel for each variable, a strip of verdicts where there are any to mark, the panel of the
    score, and one of the severity where there is any. What ``detect`` found with a severity has all variables in one
    panel, and marks the values of those that contributed most. The height is set, the width is left to the page.
    """
    data = chart_data(series, scores, record)
    # a history judged as a whole is shown as a whole: all values in one panel, and the contributors
    together = data.severity is not None and record.schema == DETECT_SCHEMA
    panels = ["values"] if together else [_title(variable) for variable in data.variables]
    heights = [_panel_height(len(panels))] * len(panels)
    last = [("score and cut-off" if data.score is None or data.cutoff is not None else "score", _SCORE)]
    if data.severity is not None:
        last.append(("severity", _SCORE))
    layout = _Layout([*zip(panels, heights, strict=True), *last], strip=bool(data.runs), top=bool(record.incidents))
    figure = go.Figure(layout=layout.as_plotly(data))
    if record.incidents:
        figure.add_traces([*_incidents(data, layout.top_axis)])
    if together:
        figure.add_traces([*_all_values(data, layout.axes[0])])
    else:
        figure.add_traces([*_values_apart(data, layout.axes)])
    axis = layout.axes[len(panels)]
    if data.score is not None:
        figure.add_trace(_line(data.score, axis, "score", color=palette.INK, width=1.2))
    if data.cutoff is not None:
        figure.add_trace(
            _line(data.cutoff, axis, "cut-off", color=palette.GREY, width=1.4, dash="6px,3px", shape="hv", legend=True)
        )
    elif data.score is None and record.anomalies:
        figure.add_trace(_marks(data, axis, [anomaly.cutoff for anomaly in record.anomalies], cutoff=True))
    figure.add_trace(_marks(data, axis, [anomaly.score for anomaly in record.anomalies], details=True))
    if data.severity is not None:
        figure.add_trace(_line(data.severity, layout.axes[-1], "severity", color=palette.INK, width=1.2))
    if record.spans:
        figure.add_trace(_key("span", _SHADE))
    if data.hardly_watched:
        figure.add_trace(_key("hardly watched", _UNWATCHED))
        for run in data.hardly_watched:
            figure.add_shape(_shade(run.start, run.end, data.step, _UNWATCHED, f"{axis} domain"))
    for verdict in MARKED_VERDICTS:
        if verdict in data.runs:
            figure.add_trace(_strip(verdict, data.runs[verdict], layout.strip_axis, data.step))
    return figure


def _values_apart(data: ChartData, axes: list[str]) -> Iterator[go.Scatter]:
    """Each variable in its own panel, with what was expected and its anomalous samples marked."""
    named = False
    for axis, variable in zip(axes, data.variables, strict=False):
        if variable in data.normal:
            yield from _expected(data.normal[variable], axis, legend=not named)
            named = True
        if variable in data.values:
            yield _line(data.values[variable], axis, variable, color=palette.BLUE, width=1.4)
        yield _marks(data, axis, [anomaly.values.get(variable) for anomaly in data.record.anomalies])


def _expected(normal: Normal, axis: str, *, legend: bool) -> Iterator[go.Scatter]:
    """The band of what was normal, the cohort's median and the expected value."""
    low, high = (_line(curve, axis, "band", color=_BAND, width=0, hover=False) for curve in (normal.low, normal.high))
    yield low
    yield high.update(fill="tonexty", fillcolor=_BAND, showlegend=legend)
    if normal.median is not None:
        yield _line(normal.median, axis, "cohort median", color=palette.PURPLE, width=1.0, dash="dot", legend=legend)
    yield _line(normal.expected, axis, "expected", color=palette.GREEN, width=1.2, legend=legend)


def _incidents(data: ChartData, axis: str) -> Iterator[go.Scatter]:
    """Each incident as a bar, with a mark at its onset and at its last sample."""
    incidents = data.record.incidents
    ends = [(incident.since.removesuffix("Z"), incident.last.removesuffix("Z")) for incident in incidents]
    yield go.Scatter(
        x=[at for since, last in ends for at in (since, last, None)],
        y=[at for _ in ends for at in (0.5, 0.5, None)],
        yaxis=axis,
        mode="lines",
        line={"color": palette.INK, "width": 3},
        hoverinfo="skip",
        showlegend=False,
    )
    words = [html.escape(in_words(incident)) for incident in incidents]
    still = ["still so" if incident.open else "over" for incident in incidents]
    for place, (name, symbol, texts) in enumerate(
        (("since", "triangle-right", words), ("last", "triangle-left", still))
    ):
        yield go.Scatter(
            x=[end[place] for end in ends],
            y=[0.5] * len(ends),
            yaxis=axis,
            name=name,
            mode="markers",
            marker={"color": palette.INK, "size": 10, "symbol": symbol},
            text=texts,
            hovertemplate="%{text}",
        )


def _all_values(data: ChartData, axis: str) -> Iterator[go.Scatter]:
    """All variables in one panel; where a sample is anomalous, the values of those that contributed most."""
    for place, variable in enumerate(data.variables):
        if variable in data.values:
            color = palette.VARIABLES[place % len(palette.VARIABLES)]
            yield _line(data.values[variable], axis, variable, color=color, width=1.4, legend=True)
    for rank, grey in enumerate(palette.CONTRIBUTORS):
        named = [anomaly for anomaly in data.record.anomalies if len(anomaly.contributions) > rank]
        if named:
            variables = [anomaly.contributions[rank][0] for anomaly in named]
            yield go.Scatter(
                x=[anomaly.timestamp.removesuffix("Z") for anomaly in named],
                y=[anomaly.values.get(variable) for anomaly, variable in zip(named, variables, strict=True)],
                yaxis=axis,
                name=f"top {rank + 1} contributor",
                mode="markers",
                marker={"color": grey, "size": 8},
                text=[_title(variable) for variable in variables],
                hovertemplate="%{text}",
            )


class _Layout:
    """The position of each panel, in pixels from the top."""

    def __init__(self, panels: list[tuple[str, int]], *, strip: bool, top: bool) -> None:
        self.panels = panels
        self.strip, self.top = strip, top
        self.axes = ["y" if i == 0 else f"y{i + 1}" for i in range(len(panels))]
        self.strip_axis, self.top_axis = f"y{len(panels) + 1}", f"y{len(panels) + 2}"
        self.above = _STRIP if top else 0
        self.inner = self.above + sum(height + _TITLE for _, height in panels) + (2 * _STRIP if strip else 0)

    def as_plotly(self, data: ChartData) -> dict[str, Any]:
        axes: dict[str, Any] = {}
        titles = []
        below = self.above
        for axis, (title, height) in zip(self.axes, self.panels, strict=True):
            top = self._share(below + _TITLE)
            below += _TITLE + height
            axes["yaxis" + axis[1:]] = {**_AXIS, "domain": [self._share(below), top], "nticks": 6, "zeroline": False}
            titles.append(_annotation(title, top))
        lowest = self.axes[-1]
        bar = {"visible": False, "range": [0, 1], "fixedrange": True}
        if self.top:
            axes["yaxis" + self.top_axis[1:]] = {**bar, "domain": [self._share(self.above), 1]}
        if self.strip:
            axes["yaxis" + self.strip_axis[1:]] = {**bar, "domain": [0, _STRIP / self.inner]}
            lowest = self.strip_axis
        axes["xaxis"] = {**_AXIS, "type": "date", "anchor": lowest, "showgrid": False, "ticks": "outside"}
        if data.window is not None:
            axes["xaxis"]["range"] = [str(end) for end in data.window]
        return {
            **axes,
            "template": {},
            "height": self.inner + _TOP + _BOTTOM,
            "margin": {"t": _TOP, "b": _BOTTOM, "l": 56, "r": 16, "autoexpand": True},
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "font": {"family": _FONT, "size": 12, "color": palette.INK},
            "hovermode": "x unified",
            "hoversubplots": "axis",
            "hoverlabel": {
                "bgcolor": "white",
                "bordercolor": palette.EDGE,
                "font": {"color": palette.INK},
                "align": "left",
                "namelength": 40,
            },
            "legend": {
                "orientation": "h",
                "traceorder": "normal",
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yanchor": "bottom",
                "itemclick": False,
            },
            "annotations": titles,
            "shapes": [
                *(_shade(instant(start), instant(end), data.step, _SHADE, "paper") for start, end in data.record.spans),
                *_ends(data),
            ],
            "bargap": 0,
            "barmode": "overlay",
        }

    def _share(self, below: int) -> float:
        """A height as plotly counts it: a share of the drawing, from the bottom."""
        return 1 - below / self.inner


_AXIS = {
    "gridcolor": palette.GRID,
    "linecolor": palette.EDGE,
    "tickcolor": palette.EDGE,
    "showline": True,
    "tickfont": {"color": palette.GREY, "size": 11},
    "showspikes": False,
}


def _panel_height(panels: int) -> int:
    return 260 if panels == 1 else 170 if panels <= 3 else 120


def _title(variable: str) -> str:
    """A variable's name, short and without markup: plotly reads tags in its texts."""
    short = variable if len(variable) <= _TITLE_CHARS else f"{variable[: _TITLE_CHARS - 1]}…"
    return html.escape(short)


def _annotation(title: str, top: float) -> dict[str, Any]:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "paper", "y": top, "yanchor": "bottom"}
    return {**place, "text": f"<b>{title}</b>", "showarrow": False, "font": {"size": 12}, "yshift": 3}


def _shade(start: np.datetime64, end: np.datetime64, step: np.timedelta64, color: str, height: str) -> dict[str, Any]:
    """A stretch across some panels: half a step beyond its samples, and a hairline that keeps a short one visible."""
    return {
        "type": "rect",
        "xref": "x",
        "yref": height,
        "x0": str(start - step // 2),
        "x1": str(end + step // 2),
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "fillcolor": color,
        "line": {"color": color, "width": 1},
    }


def _ends(data: ChartData) -> Iterator[dict[str, Any]]:
    """Hairlines across all panels at the onset and the last sample of each incident, unless there are very many."""
    incidents = data.record.incidents
    for incident in incidents if len(incidents) <= _MANY else ():
        for at, dash in ((incident.since, "solid"), (incident.last, "dot")):
            place = str(instant(at))
            line = {"color": palette.INK, "width": 1, "dash": dash}
            yield {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": place,
                "x1": place,
                "y0": 0,
                "y1": 1,
                "line": line,
            }


def _line(
    line: Curve,
    axis: str,
    name: str,
    *,
    color: str,
    width: float,
    dash: str = "solid",
    shape: str = "linear",
    legend: bool = False,
    hover: bool = True,
) -> go.Scatter:
    x = {"x0": line.start, "dx": line.step_ms} if line.x is None else {"x": line.x}
    return go.Scatter(
        **x,
        y=line.y,
        yaxis=axis,
        name=_title(name),
        mode="lines",
        line={"color": color, "width": width if len(line.y) < _DENSE else width / 1.6, "dash": dash, "shape": shape},
        connectgaps=False,
        showlegend=legend,
        hovertemplate="%{y:.5~g}" if hover else None,
        hoverinfo=None if hover else "skip",
    )


def _marks(
    data: ChartData, axis: str, y: list[float | None], *, details: bool = False, cutoff: bool = False
) -> go.Scatter:
    """The anomalous samples in one panel; those with details show them on hover and appear in the legend."""
    anomalies = data.record.anomalies
    marker = {"color": palette.VERMILLION, "size": 7, "line": {"color": "white", "width": 1}}
    if len(anomalies) > _MANY:
        marker = {"color": palette.VERMILLION, "size": 5}
    if cutoff:
        marker = {"color": palette.GREY, "size": 12, "symbol": "line-ew", "line": {"color": palette.GREY, "width": 2}}
    texts = [_details(anomaly, data) for anomaly in anomalies] if details else None
    return go.Scatter(
        x=[anomaly.timestamp.removesuffix("Z") for anomaly in anomalies],
        y=y,
        yaxis=axis,
        name="cut-off" if cutoff else "anomalous",
        legendgroup="cut-off" if cutoff else "anomalous",
        mode="markers",
        marker=marker,
        showlegend=details or cutoff,
        text=texts,
        hovertemplate="%{text}" if details else None,
        hoverinfo=None if details else "skip",
    )


def _details(anomaly: Anomaly, data: ChartData) -> str:
    parts = [f"health {html.escape(anomaly.health)}"] if anomaly.health is not None else []
    if anomaly.sigma is not None:
        parts.append(f"{anomaly.sigma:.2f} sigma")
    if data.score is None:
        parts.append(f"score {anomaly.score:.5g}")
        if not math.isnan(anomaly.cutoff):
            parts[-1] += f", cut-off {anomaly.cutoff:.5g}"
    if not data.values:
        parts.extend(f"{_title(name)} {value:.5g}" for name, value in anomaly.values.items())
    if len(anomaly.contributions) > 1:
        most = shares(anomaly.contributions)[:5]
        parts.extend(f"{_title(name)} contributes {share}" for name, share in most)
    if anomaly.in_sample:
        parts.append("in the model's training")
    return "<br>   ".join(parts) or "yes"


def _key(name: str, color: str) -> go.Scatter:
    """The entry of a shade in the legend, in which shapes do not appear."""
    return go.Scatter(
        x=[None],
        y=[None],
        name=name,
        mode="markers",
        marker={"symbol": "square", "size": 11, "color": color},
        hoverinfo="skip",
    )


def _strip(verdict: str, runs: list[VerdictRun], axis: str, step: np.timedelta64) -> go.Bar:
    starts = np.array([run.start for run in runs]) - step // 2
    widths = np.array([run.end - run.start for run in runs]) + step
    return go.Bar(
        x=[str(middle) for middle in starts + widths // 2],
        width=widths / np.timedelta64(1, "ms"),
        y=np.ones(len(runs)),
        yaxis=axis,
        name=verdict,
        marker={"color": palette.VERDICTS[verdict], "line": {"color": palette.VERDICTS[verdict], "width": 0.5}},
        hoverinfo="skip",
    )
