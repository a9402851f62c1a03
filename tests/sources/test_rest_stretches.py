"""A service that says that a stretch is too long is asked for shorter ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from anomscan.config import Columns
from anomscan.sources.base import Request
from servers.rest_client import fetch
from servers.rest_faults import Call, Reply, serving

COLUMNS = Columns(timestamp="timestamp", values=("temperature",))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOO_LONG = [
    Reply(403, {"String": "Wrong time range for parameters resolution: one month max"}),
    Reply(400, {"message": "range too long: at most 31 days"}),
]


def limited(most: timedelta, refusal: Reply, step: timedelta) -> Any:
    """A service that has a sample each step, and answers for so long a stretch."""

    def answer(call: Call) -> Reply:
        begin, end = (datetime.fromisoformat(call.query[name]).replace(tzinfo=UTC) for name in ("from", "to"))
        if end - begin > most:
            return refusal
        begin += -(begin - EPOCH) % step
        count = (end - begin) // step + 1
        moments = [begin + step * place for place in range(count)]
        return Reply(body=[{"timestamp": f"{each:%Y-%m-%dT%H:%M:%SZ}", "temperature": each.day} for each in moments])

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("refusal", TOO_LONG)
@pytest.mark.parametrize(("cadence", "step"), [("1D", timedelta(days=1)), ("6h", timedelta(hours=6))])
@pytest.mark.parametrize("start", [None, "2024-01-01", "2022-03-01"])
def test_the_halves_give_the_whole(refusal: Reply, cadence: str, step: timedelta, start: str | None) -> None:
    first = None if start is None else np.datetime64(start, "us")
    with serving(limited(timedelta(days=31), refusal, step)) as service:
        rows, failures, _ = fetch(
            service.url + "/{asset}?from={start}&to={end}",
            request=Request(("a",), first, np.datetime64("2024-03-06", "us")),
            cadence=cadence,
            columns=COLUMNS,
            history_days=366,
        )
    assert failures == {}
    moments = sorted(row[1] for row in rows)
    assert len(set(moments)) == len(moments)
    assert moments[-1] == datetime(2024, 3, 6)
    assert {later - earlier for earlier, later in pairwise(moments)} == {step}
    if start is not None:
        assert moments[0] == datetime.fromisoformat(start)
    assert moments[-1] - moments[0] >= timedelta(days=60)


def test_where_a_day_is_too_long_the_service_is_heard() -> None:
    with serving(lambda call: TOO_LONG[0]) as service:
        rows, failures, _ = fetch(
            service.url + "/{asset}?from={start}&to={end}", "a", cadence="1D", columns=COLUMNS, history_days=366
        )
        calls = len(service.calls)
    assert rows == []
    assert "one month max (ask for a shorter stretch" in failures["a"]
    assert calls <= 10


def test_a_url_without_an_end_is_not_asked_for_less() -> None:
    with serving(lambda call: TOO_LONG[1]) as service:
        _, failures, _ = fetch(service.url + "/{asset}/{days}", "a", cadence="1D", columns=COLUMNS)
        assert len(service.calls) == 1
    assert "history_days" in failures["a"]
