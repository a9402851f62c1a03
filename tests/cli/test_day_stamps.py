"""Daily values belong to their local day, wherever in it they are stamped, in every kind of source."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.store.store import Store
from servers.rest_faults import Reply, serving

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
STAMPS = {
    "midnight": timedelta(0),
    "06:00": timedelta(hours=6),
    "noon": timedelta(hours=12),
    "23:59:59": DAY - timedelta(seconds=1),
    "next midnight": DAY,
}
#: How a moment may be written, given it in UTC and in the zone.
FORMS: dict[str, Callable[[datetime, datetime], Any]] = {
    "local": lambda utc, local: f"{local:%Y-%m-%d %H:%M:%S}",
    "utc": lambda utc, local: f"{utc:%Y-%m-%dT%H:%M:%SZ}",
    "offset": lambda utc, local: local.isoformat(),
    "unix": lambda utc, local: int(utc.timestamp()),
}
#: A week around each change of clocks.
CHANGES = {
    "Europe/Berlin": [date(2024, 3, 31), date(2024, 10, 27)],
    "America/Los_Angeles": [date(2024, 3, 10), date(2024, 11, 3)],
}
KINDS = ["csv", "jsonl", "parquet", "parquet UTC", "parquet zone", "sql", "rest"]


def write(
    place: Any, stack: ExitStack, kind: str, moments: list[datetime], values: list[float], zone: str, form: str
) -> dict[str, Any]:
    """Put samples into a source; the settings that name it. A service answers until the stack is closed."""
    local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    if kind.startswith("parquet"):
        naive = [moment.replace(tzinfo=None) for moment in (local if kind == "parquet" else moments)]
        typed = pa.array(naive, pa.timestamp("us"))
        if kind != "parquet":
            typed = typed.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", zone if "zone" in kind else "UTC"))
        pq.write_table(pa.table({"a": ["x"] * len(values), "t": typed, "v": values}), place.folder / "t.parquet")
        return {"kind": "files", "path": "t.parquet"}
    stamps: list[Any] = [FORMS[form](moment, there) for moment, there in zip(moments, local, strict=True)]
    rows = list(zip(["x"] * len(values), stamps, values, strict=True))
    records = [dict(zip("atv", row, strict=True)) for row in rows]
    if kind == "csv":
        place.table("t.csv", ["a", "t", "v"], rows)
        return {"kind": "files", "path": "t.csv"}
    if kind == "jsonl":
        place.write("t.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        return {"kind": "files", "path": "t.jsonl"}
    if kind == "rest":
        service = stack.enter_context(serving(lambda call: Reply(body=records)))
        return {"kind": "rest", "url": f"{service.url}/{{asset}}", "key": "", "assets": ["x"]}
    with closing(sqlite3.connect(place.folder / "t.db")) as database, database:
        database.execute("DROP TABLE IF EXISTS t")
        database.execute("CREATE TABLE t (a TEXT, t, v DOUBLE)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    return {"kind": "sql", "url": "sqlite:///t.db", "query": "SELECT a, t, v FROM t WHERE :start < :end"}


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_of_the_day_on_which_it_is_stamped(place: Any, kind: str, zone: str) -> None:
    days = [change + number * DAY for change in CHANGES[zone] for number in range(-3, 4)]
    values = [day.toordinal() / 1000 for day in days]
    for stamp, clock in STAMPS.items():
        midnights = [datetime(day.year, day.month, day.day) for day in days]
        moments = [(midnight + clock).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for midnight in midnights]
        for form in ("local",) if kind.startswith("parquet") else FORMS:
            source = f"{stamp} {form}".replace(" ", "-").replace(":", "-")
            keys = {"cadence": "1D", "timezone": zone, "day_stamp": "end" if clock == DAY else "start"}
            if form == "unix":
                keys["timestamp_format"] = "unix"
            with ExitStack() as stack:
                keys |= write(place, stack, kind, moments, values, zone, form)
                lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
                columns = 'columns = { asset = "a", timestamp = "t", values = ["v"] }'
                place.write("anomscan.toml", "\n".join([f"[sources.{source}]", *lines, columns, ""]))
                place.good("fetch", "--from", "2024-01-01")
            series = Store.open(place.folder / "anomscan-data").read(source, "x")
            found = [moment.date() for moment in series.timestamps.tolist()]
            assert (found, series.values.ravel().tolist()) == (days, values), source
