"""One asset's chart: values above, score and cut-off below, one time axis for all."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go

from anomscan.reports.chartdata import MARKED_VERDICTS, ChartData, Curve, VerdictRun, chart_data, instant, shares
from anomscan.reports.records import DETECT_SCHEMA, Anomaly, Record
from anomscan.reports.scores import ScoreTable
from anomscan.telemetry.series import Series

# Okabe and Ito's colours, which people with any colour vision can distinguish, and greys.
_BLUE, _VERMILLION, _INK, _GREY, _GRID = "#0072B2", "#D55E00", "#1f2933", "#7b8794", "#eceff2"
_SHADE = "rgba(213, 94, 0, 0.16)"
_VERDICT_COLOURS = {"warming-up": "#dde2e8", "skipped": "#9fb3c8", "no-data": "#616e7c"}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
# Of the variables that share a panel, and of the first, second and third contributor.
_COLOURS = (_BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442")
_GREYS = ("#000000", "#525252", "#bdbdbd")
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
    A panel for each variable, a strip of verdicts where there are any to mark, the panel of the score, and one of the
    severity where there is any. What ``detect`` found with a severity has all variables in one panel, and marks the
    values of those that contributed most. The height is set, the width is left to the page.
    """
    data = chart_data(series, scores, record)
    # a history judged as a whole is shown as a whole: all values in one panel, and the contributors
    together = data.severity is not None and record.schema == DETECT_SCHEMA
    panels = ["values"] if together else [_title(variable) for variable in data.variables]
    heights = [_panel_height(len(panels))] * len(panels)
    last = [("score and cut-off" if data.score is None or data.cutoff is not None else "score", _SCORE)]
    if data.severity is not None:
        last.append(("severity", _SCORE))
    layout = _Layout([*zip(panels, heights, strict=True), *last], strip=bool(data.runs))
    figure = go.Figure(layout=layout.as_plotly(data))
    if together:
        figure.add_traces([*_all_values(data, layout.axes[0])])
    else:
        figure.add_traces([*_values_apart(data, layout.axes)])
    axis = layout.axes[len(panels)]
    if data.score is not None:
        figure.add_trace(_line(data.score, axis, "score", color=_INK, width=1.2))
    if data.cutoff is not None:
        figure.add_trace(
            _line(data.cutoff, axis, "cut-off", color=_GREY, width=1.4, dash="6px,3px", shape="hv", legend=True)
        )
    elif data.score is None and record.anomalies:
        figure.add_trace(_marks(data, axis, [anomaly.cutoff for anomaly in record.anomalies], cutoff=True))
    figure.add_trace(_marks(data, axis, [anomaly.score for anomaly in record.anomalies], details=True))
    if data.severity is not None:
        figure.add_trace(_line(data.severity, layout.axes[-1], "severity", color=_INK, width=1.2))
    figure.add_trace(_span_key())
    for verdict in MARKED_VERDICTS:
        if verdict in data.runs:
            figure.add_trace(_strip(verdict, data.runs[verdict], layout.strip_axis, data.step))
    return figure


def _values_apart(data: ChartData, axes: list[str]) -> Iterator[go.Scatter]:
    """Each variable in its own panel, with its anomalous samples marked."""
    for axis, variable in zip(axes, data.variables, strict=False):
        if variable in data.values:
            yield _line(data.values[variable], axis, variable, color=_BLUE, width=1.4)
        yield _marks(data, axis, [anomaly.values.get(variable) for anomaly in data.record.anomalies])


def _all_values(data: ChartData, axis: str) -> Iterator[go.Scatter]:
    """All variables in one panel; where a sample is anomalous, the values of those that contributed most."""
    for place, variable in enumerate(data.variables):
        if variable in data.values:
            color = _COLOURS[place % len(_COLOURS)]
            yield _line(data.values[variable], axis, variable, color=color, width=1.4, legend=True)
    for rank, grey in enumerate(_GREYS):
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

    def __init__(self, panels: list[tuple[str, int]], *, strip: bool) -> None:
        self.panels = panels
        self.strip = strip
        self.axes = ["y" if i == 0 else f"y{i + 1}" for i in range(len(panels))]
        self.strip_axis = f"y{len(panels) + 1}"
        self.inner = sum(height + _TITLE for _, height in panels) + (2 * _STRIP if strip else 0)

    def as_plotly(self, data: ChartData) -> dict[str, Any]:
        axes: dict[str, Any] = {}
        titles = []
        below = 0
        for axis, (title, height) in zip(self.axes, self.panels, strict=True):
            top = self._share(below + _TITLE)
            below += _TITLE + height
            axes["yaxis" + axis[1:]] = {**_AXIS, "domain": [self._share(below), top], "nticks": 6, "zeroline": False}
            titles.append(_annotation(title, top))
        lowest = self.axes[-1]
        if self.strip:
            axes["yaxis" + self.strip_axis[1:]] = {
                "domain": [0, _STRIP / self.inner],
                "visible": False,
                "range": [0, 1],
                "fixedrange": True,
            }
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
            "font": {"family": _FONT, "size": 12, "color": _INK},
            "hovermode": "x unified",
            "hoversubplots": "axis",
            "hoverlabel": {
                "bgcolor": "white",
                "bordercolor": "#cbd2d9",
                "font": {"color": _INK},
                "align": "left",
                "namelength": 40,
            },
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "itemclick": False},
            "annotations": titles,
            "shapes": [_shade(span, data.step) for span in data.record.spans],
            "bargap": 0,
            "barmode": "overlay",
        }

    def _share(self, below: int) -> float:
        """A height as plotly counts it: a share of the drawing, from the bottom."""
        return 1 - below / self.inner


_AXIS = {
    "gridcolor": _GRID,
    "linecolor": "#cbd2d9",
    "tickcolor": "#cbd2d9",
    "showline": True,
    "tickfont": {"color": _GREY, "size": 11},
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


def _shade(span: tuple[str, str], step: np.timedelta64) -> dict[str, Any]:
    """A span across all panels: half a step beyond its samples, and a hairline that keeps a short one visible."""
    start, end = instant(span[0]) - step // 2, instant(span[1]) + step // 2
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": str(start),
        "x1": str(end),
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "fillcolor": _SHADE,
        "line": {"color": _SHADE, "width": 1},
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
        hovertemplate="%{y:.5~g}",
    )


def _marks(
    data: ChartData, axis: str, y: list[float | None], *, details: bool = False, cutoff: bool = False
) -> go.Scatter:
    """The anomalous samples in one panel; those with details show them on hover and appear in the legend."""
    anomalies = data.record.anomalies
    marker = {"color": _VERMILLION, "size": 7, "line": {"color": "white", "width": 1}}
    if len(anomalies) > _MANY:
        marker = {"color": _VERMILLION, "size": 5}
    if cutoff:
        marker = {"color": _GREY, "size": 12, "symbol": "line-ew", "line": {"color": _GREY, "width": 2}}
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


def _span_key() -> go.Scatter:
    """The spans' entry in the legend, in which shapes do not appear."""
    return go.Scatter(
        x=[None],
        y=[None],
        name="span",
        mode="markers",
        marker={"symbol": "square", "size": 11, "color": _SHADE},
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
        marker={"color": _VERDICT_COLOURS[verdict], "line": {"color": _VERDICT_COLOURS[verdict], "width": 0.5}},
        hoverinfo="skip",
    )
