"""A REST source that asks a service of a test, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from anomscan.config import Columns, RestSource
from anomscan.retrying import Clock
from anomscan.sources.base import AssetFailure, Notice, Request
from anomscan.sources.rest.source import Rest
from anomscan.telemetry.rows import ORIGIN
from servers.rest_faults import Impatient

KEY = "k3y-that-must-not-show"
NOW = datetime(2024, 3, 8, 12, 0, 30, tzinfo=UTC)
GOOD = [
    {"timestamp": "2024-03-08T10:10:00Z", "temperature": 22, "humidity": 44, "prediction": 0},
    {"timestamp": "2024-03-08T10:00:00Z", "temperature": None, "humidity": 43.5},
]
Items = tuple[list[tuple[Any, ...]], dict[str, str], list[str]]


def settings_of(url: str, **keys: Any) -> RestSource:
    columns = Columns(timestamp="timestamp", values=("temperature", "humidity"))
    given: dict[str, Any] = {"cadence": "10min", "columns": columns, "key": KEY} | keys
    return RestSource(kind="rest", url=url, **given)


def clock_of(clock: Impatient) -> Clock:
    return Clock(monotonic=clock.monotonic, wall=NOW.timestamp, uniform=clock.uniform, sleep=clock.sleep)


def take(source: Rest, request: Request) -> Items:
    """Rows, failures by asset, notices."""
    rows: list[tuple[Any, ...]] = []
    failures: dict[str, str] = {}
    notices: list[str] = []
    for item in source.fetch(request):
        if isinstance(item, pa.Table):
            assert item.schema == source.layout.numbered
            item = item.drop_columns([ORIGIN])
            rows += [tuple(row.values()) for row in item.to_pylist()]
        elif isinstance(item, AssetFailure):
            failures[item.asset] = str(item.error)
        elif isinstance(item, Notice):
            notices.append(item.text)
    return rows, failures, notices


def fetch(url: str, *assets: str, clock: Impatient | None = None, request: Request | None = None, **keys: Any) -> Items:
    source = Rest("far", settings_of(url, **keys), clock_of(clock or Impatient()))
    return take(source, request or Request(assets=assets or None))
