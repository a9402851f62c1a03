"""What the user says about a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """What need not be guessed; None, or nothing, where it must be."""

    asset: str | None = None
    timestamp: str | None = None
    values: tuple[str, ...] = ()
    health: str | None = None
    cohort: str | None = None
    tag: str | None = None
    layout: str | None = None
    timezone: str | None = None
    timestamp_format: str | None = None
    cadence: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    sheet: str | None = None
    table: str | None = None
    detector: str | None = None


#: Option -> what it says.
OPTIONS = {
    "--asset-column": "asset",
    "--timestamp-column": "timestamp",
    "--values": "values",
    "--health-column": "health",
    "--cohort-column": "cohort",
    "--layout": "layout",
    "--timezone": "timezone",
    "--timestamp-format": "timestamp_format",
    "--cadence": "cadence",
    "--delimiter": "delimiter",
    "--decimal": "decimal",
    "--sheet": "sheet",
    "--table": "table",
    "--detector": "detector",
}
