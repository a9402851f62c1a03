"""What a run found, as DataFrames, a figure and a report."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomscan.errors import InputError
from anomscan.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from anomscan.config import Settings
    from anomscan.reports.records import Record


class Result:
    """The findings of a run; what it rests on lies in a temporary folder that goes with it.

    Attributes
    ----------
    path
        The file of records, one JSON line an asset; it goes with the result.
    warnings
        What the command line would have warned of.
    """

    def __init__(self, folder: Path, settings: Settings, warnings: Sequence[str]) -> None:
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._settings = settings
        self.path = folder / "results.jsonl"
        self.warnings = tuple(warnings)

    @cached_property
    def records(self) -> list[Record]:
        """One record an asset, as in the file of the command line."""
        from anomscan.reports.records import read_records

        return list(read_records(self.path))

    @cached_property
    def incidents(self) -> pd.DataFrame:
        """One row an incident, the largest peak first.

        asset, kind, since, first_flagged, last, open, days, peak_score, deviation and loss (of its first variable),
        variable, common (the cohort's incident that it is part of).
        """
        import pandas as pd

        rows = [
            {
                "asset": record.asset,
                "kind": each.kind,
                "since": each.since,
                "first_flagged": each.first_flagged,
                "last": each.last,
                "open": each.open,
                "days": each.days,
                "peak_score": None if each.peak is None else each.peak.score,
                "variable": (variable := each.variables[0][0] if each.variables else next(iter(each.observed), None)),
                "deviation": each.deviation.get(variable or ""),
                "loss": each.loss.get(variable or ""),
                "common": None if each.common is None else each.common.asset,
            }
            for record in self.records
            for each in record.incidents
        ]
        found = pd.DataFrame(rows, columns=_INCIDENTS)
        for name in ("since", "first_flagged", "last"):
            found[name] = pd.to_datetime(found[name], utc=True).dt.tz_localize(None)
        return found.sort_values("peak_score", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def anomalies(self) -> pd.DataFrame:
        """One row an anomalous sample: asset, timestamp, score, cutoff, sigma, health, and a column a variable."""
        import pandas as pd

        rows = [
            {
                "asset": record.asset,
                "timestamp": each.timestamp,
                "score": each.score,
                "cutoff": each.cutoff,
                "sigma": each.sigma,
                "health": each.health,
                **each.values,
            }
            for record in self.records
            for each in record.anomalies
        ]
        found = pd.DataFrame(rows) if rows else pd.DataFrame(columns=_ANOMALIES)
        found["timestamp"] = pd.to_datetime(found["timestamp"], utc=True).dt.tz_localize(None)
        return found

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a judged sample: asset, timestamp (UTC), score, cutoff, verdict, what the detector adds."""
        import pandas as pd

        return pd.read_parquet(f"{self.path}.scores.parquet")

    @cached_property
    def spans(self) -> pd.DataFrame:
        """One row a span, the anomalous samples and the shingles they are the ends of: asset, first, last."""
        import pandas as pd

        rows = [(record.asset, *span) for record in self.records for span in record.spans]
        found = pd.DataFrame(rows, columns=["asset", "first", "last"])
        for name in ("first", "last"):
            found[name] = pd.to_datetime(found[name], utc=True).dt.tz_localize(None)
        return found

    def plot(self, asset: str | None = None, *, together: bool = False) -> go.Figure:
        """The values of an asset with what was expected, its score with the cut-off, and the severity if there is one.

        Parameters
        ----------
        asset
            May be left out where the run has one.
        together
            Draw all variables in one panel, which suits those of one scale.

        Raises
        ------
        InputError
            If the run has no such asset, or several and none is named.
        """
        from anomscan.api.figure import figure_of
        from anomscan.store.store import Store

        if asset is None:
            if len(self.records) != 1:
                raise InputError(f"the run has {counted(len(self.records), 'asset')}", hint="name the one to draw")
            asset = self.records[0].asset
        series = Store.open(self._settings.store.path).read("fleet", asset)
        incidents = self.incidents[self.incidents["asset"] == asset]
        anomalies = [each for record in self.records if record.asset == asset for each in record.anomalies]
        scores = self.scores[self.scores["asset"] == asset]
        return figure_of(series, scores, incidents, anomalies, together=together)

    def report(self, path: str | Path) -> Path:
        """Write the report's pages: one file where the name ends in ``.html``, else a folder. Returns the page.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        from anomscan.api.quiet import Quiet
        from anomscan.jobs.report import write_pages
        from anomscan.reports.records import read_records

        return write_pages(Quiet(), self._settings, read_records(self.path), self.path, Path(path))

    def __repr__(self) -> str:
        judged = sum(1 for record in self.records if record.error is None)
        counts = (
            counted(judged, "asset"),
            counted(len(self.incidents), "incident"),
            counted(len(self.anomalies), "anomaly", "anomalies"),
        )
        return f"<anomscan Result: {', '.join(counts)}>"

    def _repr_html_(self) -> str:
        shown: Any = self.incidents.head(20).to_html(index=False, border=0)  # pandas escapes what it shows
        return f"<p>{escape(repr(self))}</p>{shown}"


_INCIDENTS = [
    "asset",
    "kind",
    "since",
    "first_flagged",
    "last",
    "open",
    "days",
    "peak_score",
    "variable",
    "deviation",
    "loss",
    "common",
]
_ANOMALIES = ["asset", "timestamp", "score", "cutoff", "sigma", "health"]
