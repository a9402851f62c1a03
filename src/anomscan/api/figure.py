"""One asset as a figure of plotly: a panel a variable, and one for the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from anomscan.telemetry.series import Series

if TYPE_CHECKING:
    import pandas as pd


def figure_of(series: Series, scores: pd.DataFrame, incidents: pd.DataFrame) -> go.Figure:
    """Draw values, expected values with their band, incidents, score and cut-off on one axis of time.

    Parameters
    ----------
    series
        All samples of the asset.
    scores, incidents
        Of this asset, as in :class:`anomscan.api.result.Result`.
    """
    panels = [*series.variables, "score"]
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, subplot_titles=panels, vertical_spacing=0.06)
    times = scores["timestamp"]
    for row, variable in enumerate(series.variables, start=1):
        values = series.values[:, row - 1]
        figure.add_scatter(x=series.timestamps, y=values, name=variable, mode="lines", row=row, col=1)
        if f"expected_{variable}" in scores:
            band = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
            figure.add_scatter(x=times, y=scores[f"low_{variable}"], row=row, col=1, **band)
            figure.add_scatter(x=times, y=scores[f"high_{variable}"], fill="tonexty", row=row, col=1, **band)
            figure.add_scatter(
                x=times, y=scores[f"expected_{variable}"], name="expected", line={"dash": "dot"}, row=row, col=1
            )
    figure.add_scatter(x=times, y=scores["score"], name="score", row=len(panels), col=1)
    figure.add_scatter(x=times, y=scores["cutoff"], name="cut-off", line={"dash": "dash"}, row=len(panels), col=1)
    for since, last in zip(incidents["since"], incidents["last"], strict=True):
        figure.add_vrect(x0=since, x1=last, fillcolor="orange", opacity=0.2, line_width=0)
    figure.update_layout(title=series.asset, height=180 * len(panels) + 120)
    return figure
