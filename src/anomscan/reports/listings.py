"""Plain listings of the findings: links, CSV, Markdown. Each is made from one record at a time, and ends every line."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from anomscan.errors import ConfigError
from anomscan.incidents.words import in_words
from anomscan.reports.links import asset_link, check_asset_url
from anomscan.reports.records import Record
from anomscan.reports.summary import AssetFindings, Summary, in_span, worst_sigma
from anomscan.tables.csv_cells import csv_row
from anomscan.wording import counted, seen

INCIDENT_COLUMNS = (
    *("asset", "id", "kind", "since", "first_flagged", "last", "open", "days", "peak", "peak_score", "peak_sigma"),
    *("variable", "share", "observed", "expected", "deviation", "loss", "common", "common_since", "detector", "words"),
)
CSV_COLUMNS = ("asset", "start", "end", "anomalous_samples", "max_sigma", "max_score", "in_sample_samples", "detector")


def links(records: Iterable[Record], asset_url: str | None) -> Iterator[str]:
    """One HTML link per asset with findings, to its page in the user's own system, each followed by a blank line.

    Raises
    ------
    ConfigError
        Without a usable ``asset_url``.
    """
    if asset_url is None:
        raise ConfigError(
            "a list of links needs [report] asset_url", hint="set it to https://example.com/assets/{asset}"
        )
    template = check_asset_url(asset_url)
    for record in records:
        address = asset_link(template, record.asset)
        if record.has_findings and address is not None:
            yield f'<a target="_new" rel="noopener" href="{html.escape(address)}">{html.escape(record.asset)}</a>\n\n'


def csv(records: Iterable[Record], asset_url: str | None = None) -> Iterator[str]:
    """One row per span, after a header.

    All text is quoted; ids are written as they are, even ``007``, because other programs join on them, but for those
    that a spreadsheet would take for a formula: ``=A1`` is ``'=A1``.
    """
    yield csv_row(CSV_COLUMNS)
    for record in records:
        for span in record.spans:
            anomalies = in_span(record.anomalies, span)
            sigma = worst_sigma(anomalies)
            score = max((anomaly.score for anomaly in anomalies), default=None)
            in_sample = sum(anomaly.in_sample for anomaly in anomalies)
            yield csv_row((record.asset, *span, len(anomalies), sigma, score, in_sample, record.detector))


def incidents_csv(records: Iterable[Record], asset_url: str | None = None) -> Iterator[str]:
    """One row per incident, after a header, written as :func:`csv` does.

    ``variable`` is the one with the largest share in the incident; observed and expected value, deviation and loss are
    of that one.
    """
    yield csv_row(INCIDENT_COLUMNS)
    for record in records:
        for incident in record.incidents:
            variable, share = incident.variables[0] if incident.variables else (None, None)
            numbers = (incident.observed, incident.expected, incident.deviation, incident.loss)
            told = (_finite(each.get(variable)) if variable is not None else None for each in numbers)
            peak, common = incident.peak, incident.common
            yield csv_row(
                (
                    *(record.asset, incident.id, incident.kind, incident.since, incident.first_flagged, incident.last),
                    *("true" if incident.open else "false", incident.days),
                    *((None, None, None) if peak is None else (peak.timestamp, _finite(peak.score), peak.sigma)),
                    *(variable, share, *told),
                    *((None, None) if common is None else (common.asset, common.since)),
                    *(record.detector, in_words(incident)),
                )
            )


def markdown(
    records: Iterable[Record], asset_url: str | None = None, *, title: str = "Anomalous days of the fleet"
) -> Iterator[str]:
    """A summary and a table of the assets with findings, the worst first.

    Raises
    ------
    ConfigError
        If ``asset_url`` is given and cannot be used.
    """
    template = None if asset_url is None else check_asset_url(asset_url)
    summary = Summary()
    for _ in summary.watch(records):
        pass
    yield f"# {_markdown(title)}\n\n"
    yield from (f"- {line}\n" for line in _summary_lines(summary))
    if summary.findings:
        yield f"\n| asset | spans | anomalous {summary.unit}s | worst sigma | latest span |\n|---|--:|--:|--:|---|\n"
        yield from (_markdown_row(finding, template) for finding in summary.ranked())
    if summary.open:
        yield "\n## Open incidents\n\n| asset | what |\n|---|---|\n"
        yield from (f"| {_markdown(asset)} | {_markdown(words)} |\n" for asset, words in summary.open)
    if summary.failed:
        yield "\n## Failed\n\n| asset | reason |\n|---|---|\n"
        yield from (f"| {_markdown(asset)} | {_markdown(reason)} |\n" for asset, reason in summary.failed)


@dataclass(frozen=True, slots=True)
class Format:
    """A listing that ``report`` can write.

    Parameters
    ----------
    file
        The name of the file, where the output names none.
    lines
        Makes the lines of the listing from the records and ``[report] asset_url``.
    """

    file: str
    lines: Callable[[Iterable[Record], str | None], Iterator[str]]


#: The listings by their name for ``--format``. A new one is a function and a line here.
FORMATS = {
    "markdown": Format("report.md", markdown),
    "csv": Format("report.csv", csv),
    "incidents-csv": Format("incidents.csv", incidents_csv),
    "links": Format("links.txt", links),
}


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _summary_lines(summary: Summary) -> Iterator[str]:
    failed = f", {len(summary.failed)} failed" if summary.failed else ""
    assets = counted(summary.assets, "asset")
    yield f"{assets}: {summary.with_findings} with findings, {len(summary.quiet)} without{failed}"
    if summary.first is not None:
        yield f"reported: {summary.first} to {summary.last}"
    yield "verdicts: " + ", ".join(f"{verdict} {count}" for verdict, count in summary.verdicts.items())
    yield "detector: " + ", ".join(_markdown(name) for name in sorted(summary.detectors))


def _markdown_row(finding: AssetFindings, template: str | None) -> str:
    name = _markdown(finding.asset)
    href = asset_link(template, finding.asset)
    if href is not None:
        name = f"[{name}](<{href}>)"
    sigma = "" if finding.worst_sigma is None else f"{finding.worst_sigma:.2f}"
    latest = " to ".join(finding.spans[-1]) if finding.spans else ""
    return f"| {name} | {len(finding.spans)} | {finding.anomalous} | {sigma} | {latest} |\n"


def _markdown(text: str) -> str:
    """Text that stays text in the cell of a table: no markup, no pipe, no line break."""
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", seen(" ".join(text.split())))
    return html.escape(escaped, quote=False)
