"""The result record: one JSON line per asset.

The keys and their order are a format that others read; a change of meaning is a new schema number. Keys that a reader
does not know are passed over, so that a later anomscan may add some within one number.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomscan.errors import InputError
from anomscan.incidents.incident import Common, Incident, Peak
from anomscan.reports.fields import Fields
from anomscan.storage.json_line import json_line

SCAN_SCHEMA = "anomscan.scan/2"
DETECT_SCHEMA = "anomscan.detect/2"
#: Schemas without incidents, which are still read.
FIRST_SCHEMAS = ("anomscan.scan/1", "anomscan.detect/1")
VERDICTS = ("ok", "anomalous", "warming-up", "skipped", "no-data", "silent")


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomalous sample.

    Parameters
    ----------
    timestamp
        ISO 8601: a date where the cadence is whole days, else a UTC instant with Z.
    values
        What was measured, by variable; NaN where a value is empty.
    health
        The asset's health at that sample, None where it has none.
    score, cutoff
        The score and the cut-off it exceeds.
    sigma
        How many standard deviations the score lies above the mean of its window; None where all its scores are equal.
    in_sample
        Whether the model was trained on data up to this sample or later.
    contributions
        What each variable contributed to the score; empty if the detector cannot say.
    expected, band
        By variable: the expected value, and the lower and upper end of what was normal; NaN where that is not known.
    """

    timestamp: str
    values: dict[str, float]
    health: str | None
    score: float
    cutoff: float
    sigma: float | None
    in_sample: bool
    contributions: list[tuple[str, float]]
    expected: dict[str, float] = field(default_factory=dict)
    band: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """What a run says about one asset.

    Parameters
    ----------
    schema
        ``SCAN_SCHEMA`` or ``DETECT_SCHEMA``.
    asset, detector
        The asset's id, as text; the detector's name in the settings.
    from_, to
        First and last reported sample, written as timestamps are; None where there is none.
    spans
        Merged anomalous days as (start, end), both inclusive, in time order.
    anomalies
        The anomalous samples in time order.
    verdicts
        How many reported samples had each of ``VERDICTS``.
    error
        Why the asset failed, one line; None if it did not.
    incidents
        What went wrong, by their first days.
    """

    schema: str
    asset: str
    detector: str
    from_: str | None
    to: str | None
    spans: list[tuple[str, str]]
    anomalies: list[Anomaly]
    verdicts: dict[str, int]
    error: str | None
    incidents: list[Incident] = field(default_factory=list)

    @property
    def has_findings(self) -> bool:
        """Whether any day was anomalous."""
        return bool(self.spans or self.anomalies)


def record_line(record: Record) -> str:
    """The record as one line of JSON, without the line break at its end.

    Floats are the shortest text that reads back to the same number; NaN is null.

    Raises
    ------
    ValueError
        If a number is infinite: JSON has no such number.
    """
    if record.has_findings or record.incidents or record.error is not None:
        return _line(record)
    counts = tuple(record.verdicts.get(verdict, 0) for verdict in VERDICTS)
    before, after = _around(record.schema, record.detector, record.from_, record.to, counts)
    return f"{before}{json_line(record.asset)}{after}"


def _line(record: Record) -> str:
    return json_line(
        {
            "schema": record.schema,
            "asset": record.asset,
            "detector": record.detector,
            "from": record.from_,
            "to": record.to,
            "incidents": [_incident_fields(incident) for incident in record.incidents],
            "spans": record.spans,
            "anomalies": [_anomaly_fields(anomaly) for anomaly in record.anomalies],
            "verdicts": {verdict: record.verdicts.get(verdict, 0) for verdict in VERDICTS},
            "error": record.error,
        }
    )


@functools.lru_cache(1024)
def _around(schema: str, detector: str, from_: str | None, to: str | None, counts: tuple[int, ...]) -> tuple[str, str]:
    """The text before and after the asset's id in a record without findings, which most assets of a fleet share."""
    nobody = Record(schema, "", detector, from_, to, [], [], dict(zip(VERDICTS, counts, strict=True)), None)
    before, key, after = _line(nobody).partition('"asset": ')
    return before + key, after.removeprefix('""')


def read_records(source: Path | Iterable[str], *, name: str | None = None) -> Iterator[Record]:
    """Read records one by one; blank lines are passed over.

    Parameters
    ----------
    source
        A file, or lines of one.
    name
        What to call the lines in an error; the file's path by default.

    Raises
    ------
    InputError
        A file that cannot be read; a line that is not JSON, of another or a newer schema, or lacks a key. It names the
        file and the line.
    """
    name = name or (str(source) if isinstance(source, Path) else "the results")
    lines = _file_lines(source, name) if isinstance(source, Path) else source
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _record(Fields.of_line(line, f"{name}, line {number}"))


def some(records: Iterable[Record]) -> Iterator[Record]:
    """The records, of which there is at least one.

    Raises
    ------
    InputError
        If there is none: a run that ended early, rather than one that found nothing.
    """
    none = True
    for record in records:
        none = False
        yield record
    if none:
        raise InputError(
            "the results hold no record", hint="a run writes one for each asset: look at why it ended before"
        )


def _anomaly_fields(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "timestamp": anomaly.timestamp,
        "values": _nulls(anomaly.values),
        "expected": _nulls(anomaly.expected),
        "band": {variable: [_null(low), _null(high)] for variable, (low, high) in anomaly.band.items()},
        "health": anomaly.health,
        "score": _null(anomaly.score),
        "cutoff": _null(anomaly.cutoff),
        "sigma": _null(anomaly.sigma),
        "in_sample": anomaly.in_sample,
        "contributions": [
            {"variable": variable, "contribution": _null(contribution)}
            for variable, contribution in anomaly.contributions
        ],
    }


def _incident_fields(incident: Incident) -> dict[str, Any]:
    peak, common = incident.peak, incident.common
    return {
        "id": incident.id,
        "kind": incident.kind,
        "since": incident.since,
        "first_flagged": incident.first_flagged,
        "last": incident.last,
        "open": incident.open,
        "days": incident.days,
        "peak": None
        if peak is None
        else {"timestamp": peak.timestamp, "score": _null(peak.score), "sigma": _null(peak.sigma)},
        "observed": _nulls(incident.observed),
        "expected": _nulls(incident.expected),
        "deviation": _nulls(incident.deviation),
        "loss": _nulls(incident.loss),
        "variables": [{"variable": name, "share": _null(share)} for name, share in incident.variables],
        "common": None if common is None else {"asset": common.asset, "since": common.since},
    }


def _nulls(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _null(number) for name, number in numbers.items()}


def _null(number: float | None) -> float | None:
    return None if number is None or math.isnan(number) else float(number)


def _file_lines(path: Path, name: str) -> Iterator[str]:
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{name}, line {number}: not UTF-8 text") from None
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror}", hint="name the file that 'anomscan scan -o FILE' wrote"
        ) from None


def _record(fields: Fields) -> Record:
    schema = fields.get("schema", str)
    first = schema in FIRST_SCHEMAS
    if not first and schema not in (SCAN_SCHEMA, DETECT_SCHEMA):
        raise _wrong_schema(fields, schema)
    verdicts = fields.inner("verdicts")
    if first:
        verdicts.content.setdefault("silent", 0)
    return Record(
        schema=schema,
        asset=fields.get("asset", str),
        detector=fields.get("detector", str),
        from_=_optional_timestamp(fields, "from"),
        to=_optional_timestamp(fields, "to"),
        spans=[_span(fields, span) for span in fields.get("spans", list)],
        anomalies=[_anomaly(anomaly, first) for anomaly in fields.inners("anomalies")],
        verdicts={verdict: verdicts.get(verdict, int) for verdict in VERDICTS},
        error=fields.get("error", str, None),
        incidents=[] if first else [_incident(incident) for incident in fields.inners("incidents")],
    )


def _incident(fields: Fields) -> Incident:
    peak = None if fields.get("peak", dict, None) is None else fields.inner("peak")
    common = None if fields.get("common", dict, None) is None else fields.inner("common")
    since, first_flagged, last = (fields.timestamp(fields.get(key, str)) for key in ("since", "first_flagged", "last"))
    observed, expected, deviation, loss = (
        fields.inner(key).numbers() for key in ("observed", "expected", "deviation", "loss")
    )
    return Incident(
        id=fields.get("id", str, None),
        kind=fields.get("kind", str),
        since=since,
        first_flagged=first_flagged,
        last=last,
        open=fields.get("open", bool),
        days=fields.get("days", int),
        peak=None
        if peak is None
        else Peak(
            peak.timestamp(peak.get("timestamp", str)),
            peak.number("score"),
            None if peak.get("sigma", float, None) is None else peak.number("sigma"),
        ),
        observed=observed,
        expected=expected,
        deviation=deviation,
        loss=loss,
        variables=tuple((each.get("variable", str), each.number("share")) for each in fields.inners("variables")),
        common=None if common is None else Common(common.get("asset", str), common.timestamp(common.get("since", str))),
    )


def _band(fields: Fields, variable: str) -> tuple[float, float]:
    ends = fields.get(variable, list)
    if len(ends) != 2:
        raise fields.error(f"the band of '{variable}' is not [low, high]")
    pair = Fields({"low": ends[0], "high": ends[1]}, fields.place)
    return pair.number("low"), pair.number("high")


def _span(fields: Fields, span: Any) -> tuple[str, str]:
    if not (isinstance(span, list) and len(span) == 2):
        raise fields.error("'spans' contains something other than [start, end]")
    return fields.timestamp(span[0]), fields.timestamp(span[1])


def _optional_timestamp(fields: Fields, key: str) -> str | None:
    value = fields.get(key, str, None)
    return None if value is None else fields.timestamp(value)


def _anomaly(fields: Fields, first: bool) -> Anomaly:
    values = fields.inner("values")
    band = Fields({}, fields.place) if first else fields.inner("band")
    return Anomaly(
        timestamp=fields.timestamp(fields.get("timestamp", str)),
        values=values.numbers(),
        health=fields.get("health", str, None),
        score=fields.number("score"),
        cutoff=fields.number("cutoff"),
        sigma=None if fields.get("sigma", float, None) is None else fields.number("sigma"),
        in_sample=fields.get("in_sample", bool),
        contributions=[
            (each.get("variable", str), each.number("contribution")) for each in fields.inners("contributions")
        ],
        expected={} if first else fields.inner("expected").numbers(),
        band={variable: _band(band, variable) for variable in band.content},
    )


def _wrong_schema(fields: Fields, schema: str) -> InputError:
    family, _, number = schema.rpartition("/")
    if family in ("anomscan.scan", "anomscan.detect") and number.isdecimal() and int(number) > 2:
        return InputError(
            f"{fields.place}: schema '{schema}' was written by a newer anomscan", hint="upgrade anomscan to read it"
        )
    return fields.error(f"schema '{schema}' is not {SCAN_SCHEMA} or {DETECT_SCHEMA}")
