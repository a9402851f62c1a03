"""One asset as a figure of plotly: a panel a variable, and one for the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from anomscan.telemetry.series import Series

if TYPE_CHECKING:
    import pandas as pd

    from anomscan.reports.records import Anomaly


#: So many of the variables that contribute most to an anomaly are marked.
_MOST = 3
_MARK = {"mode": "markers", "marker": {"color": "black", "size": 5}, "showlegend": False}


def figure_of(
    series: Series, scores: pd.DataFrame, incidents: pd.DataFrame, anomalies: Sequence[Anomaly], *, together: bool
) -> go.Figure:
    """Draw values, expected values with their band, incidents, score, cut-off and severity on one axis of time.

    Parameters
    ----------
    series
        All samples of the asset.
    scores, incidents, anomalies
        Of this asset, as in :class:`anomscan.api.result.Result`. The values of the variables that an anomaly is told
        with are marked.
    together
        Whether all variables share a panel; their expected values are then left out.
    """
    values = ["value"] if together else list(series.variables)
    panels = [*values, "score", *(["severity"] if "severity" in scores else [])]
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, subplot_titles=panels, vertical_spacing=0.06)
    times = scores["timestamp"]
    for place, variable in enumerate(series.variables):
        row = 1 if together else 1 + place
        figure.add_scatter(x=series.timestamps, y=series.values[:, place], name=variable, mode="lines", row=row, col=1)
        told = [each for each in anomalies if variable in {name for name, _ in each.contributions[:_MOST]}]
        at, marked = [_plain(each.timestamp) for each in told], [each.values[variable] for each in told]
        figure.add_scatter(x=at, y=marked, **_MARK, name=f"{variable}, anomalous", row=row, col=1)
        if f"expected_{variable}" in scores and not together:
            band = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
            figure.add_scatter(x=times, y=scores[f"low_{variable}"], row=row, col=1, **band)
            figure.add_scatter(x=times, y=scores[f"high_{variable}"], fill="tonexty", row=row, col=1, **band)
            figure.add_scatter(
                x=times, y=scores[f"expected_{variable}"], name="expected", line={"dash": "dot"}, row=row, col=1
            )
    row = len(values) + 1
    figure.add_scatter(x=times, y=scores["score"], name="score", row=row, col=1)
    figure.add_scatter(x=times, y=scores["cutoff"], name="cut-off", line={"dash": "dash"}, row=row, col=1)
    if "severity" in scores:
        figure.add_scatter(x=times, y=scores["severity"], name="severity", row=row + 1, col=1)
    for since, last in zip(incidents["since"], incidents["last"], strict=True):
        figure.add_vrect(x0=since, x1=last, fillcolor="orange", opacity=0.2, line_width=0)
    figure.update_layout(title=series.asset, height=180 * len(panels) + 120)
    return figure


def _plain(timestamp: str) -> str:
    """A timestamp as those of the series are: UTC, without saying so."""
    return timestamp.removesuffix("Z")
