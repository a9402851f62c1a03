"""The text of a report's pages, made with templates that escape all data."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jinja2
import plotly.graph_objects as go

from anomscan import __version__
from anomscan.incidents.words import in_words
from anomscan.reports.chartdata import VerdictRun, hardly_watched, instant, shares
from anomscan.reports.links import asset_link, chart_stem
from anomscan.reports.records import Record
from anomscan.reports.summary import AssetFindings, Summary, in_span, worst_sigma

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable

_BINS = 240
#: Incidents that are told above a chart; the table below it has all.
_TOLD = 3
_NONE = "\N{EN DASH}"
_NO_VALUES = (
    "Values are missing: the store has none of this asset. "
    "The chart shows only those of the anomalies, from the record."
)
_NO_SCORES = (
    "Scores are missing: this run has no file of scores, or nothing about this asset in it. "
    "The chart shows only those of the anomalies, from the record."
)


class Pages:
    """Renders pages, chunk by chunk.

    Parameters
    ----------
    title
        The report's heading.
    asset_url
        A checked template of the asset's own page, or None.
    """

    def __init__(self, title: str, asset_url: str | None) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("anomscan.reports"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
        self._environment.globals.update(title=title, asset_url=asset_url, version=__version__)
        self._environment.filters.update(
            in_words=in_words,
            stem=chart_stem,
            link=lambda asset: asset_link(asset_url, asset),
            sigma=lambda sigma: _NONE if sigma is None else f"{sigma:.2f}",
            number=_number,
            span=lambda span: span[0] if span[0] == span[1] else f"{span[0]} to {span[1]}",
            shares=lambda contributions: ", ".join(" ".join(each) for each in shares(contributions)),
        )

    def index(self, summary: Summary, facts: Mapping[str, Any], charts: Collection[str] = ()) -> Iterator[bytes]:
        """The fleet's page; ``charts`` are the stems of the existing chart pages."""
        self._environment.filters["timeline"] = _timelines(summary)
        return self._render(
            "index.html",
            summary=summary,
            ranked=summary.ranked(),
            unit=summary.unit,
            rule=_rule(facts, summary.command),
            facts=list(_flat(facts)),
            charts=charts,
            bins=_BINS,
        )

    def chart(
        self, record: Record, figure: go.Figure, scores: ScoreTable | None, *, values: bool, image: str | None
    ) -> Iterator[bytes]:
        """One asset's page; ``values`` and ``image`` say what is available beside its scores."""
        timestamps = [*(anomaly.timestamp for anomaly in record.anomalies), *(start for start, _ in record.spans)]
        spans = []
        for span in record.spans:
            anomalies = in_span(record.anomalies, span)
            spans.append((*span, len(anomalies), worst_sigma(anomalies)))
        return self._render(
            "chart.html",
            record=record,
            told=sorted(record.incidents, key=lambda each: (each.open, each.last), reverse=True)[:_TOLD],
            hardly_watched=[] if scores is None else [_text(run, record) for run in hardly_watched(scores)],
            unit="sample" if any("T" in timestamp for timestamp in timestamps) else "day",
            spans=spans,
            variables=list(dict.fromkeys(name for anomaly in record.anomalies for name in anomaly.values)),
            shares=any(len(anomaly.contributions) > 1 for anomaly in record.anomalies),
            in_sample=any(anomaly.in_sample for anomaly in record.anomalies),
            missing=[*([] if values else [_NO_VALUES]), *([] if scores is not None else [_NO_SCORES])],
            figure=_script_json(figure),
            height=figure.layout.height,
            image=image,
        )

    def _render(self, template: str, **context: Any) -> Iterator[bytes]:
        stream = self._environment.get_template(template).stream(**context)
        stream.enable_buffering(64)
        return (piece.encode() for piece in stream)


def _text(run: VerdictRun, record: Record) -> tuple[str, str]:
    """The ends of a stretch as the record writes timestamps."""
    instants = "T" in (record.from_ or "")
    start, end = (f"{str(at)[:19]}Z" if instants else str(at)[:10] for at in (run.start, run.end))
    return start, end


def _script_json(figure: go.Figure) -> str:
    """The figure as JSON that cannot close the script element around it."""
    text: str = figure.to_json()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _number(number: float | None) -> str:
    return _NONE if number is None or math.isnan(number) else f"{number:.4g}"


def _timelines(summary: Summary) -> Callable[[AssetFindings], list[tuple[int, int]]]:
    """A function from an asset to its spans on the fleet's time line: (start, width) in bins, touching ones merged."""
    ends = [end for finding in summary.findings for span in finding.spans for end in span]
    ends.extend(end for end in (summary.first, summary.last) if end is not None)
    instants = [instant(end) for end in ends]
    first = min(instants, default=instant("1970-01-01"))
    length = max(instants, default=first) - first

    def place(timestamp: str) -> int:
        share = (instant(timestamp) - first) / length if length else 0.0
        return min(int(share * _BINS), _BINS - 1)

    def timeline(finding: AssetFindings) -> list[tuple[int, int]]:
        merged: list[tuple[int, int]] = []
        for start, stop in sorted((place(start), place(end) + 1) for start, end in finding.spans):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((start, stop))
        return [(start, stop - start) for start, stop in merged]

    return timeline


def _rule(facts: Mapping[str, Any], command: str) -> str | None:
    """The cut-off in words, if the facts of the run contain it."""
    scan, threshold = facts.get("scan"), facts.get("threshold")
    if isinstance(threshold, (int, float)):
        return f"Anomalous: a score above {threshold:g}, the threshold of the detector."
    if not isinstance(scan, Mapping):
        return None
    if not all(isinstance(scan.get(name), (int, float)) for name in ("window", "shingle", "sigma")):
        return None
    widened = f"a score sees {scan['shingle']} samples, and spans are widened to them."
    if scan.get("cutoff") == "rank":
        return f"Anomalous: a score above the asset's earlier ones, by a budget of {scan.get('budget')}; {widened}"
    over = "the whole stretch" if command == "detect" else f"the last {scan['window']} samples"
    middle, spread = ("median", "scaled MAD") if scan.get("cutoff") == "median-mad" else ("mean", "std")
    newest = ", the newest left out" if command == "scan" and scan.get("baseline") == "exclude-newest" else ""
    return (
        f"Anomalous: a score above {middle} + {scan['sigma']:g} {spread} of the scores over {over}{newest}; {widened}"
    )


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, fact in facts.items():
        if isinstance(fact, Mapping):
            yield from _flat(fact, f"{prefix}{name}.")
        elif isinstance(fact, list | tuple):
            yield f"{prefix}{name}", ", ".join(str(each) for each in fact)
        elif fact is not None:
            yield f"{prefix}{name}", str(fact)
