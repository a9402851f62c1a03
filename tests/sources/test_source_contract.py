"""What holds for every source: the same rows, whatever they were written in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from anomscan.sources.base import Request, Source

Read = Callable[..., list[tuple[Any, ...]]]
Fleet = list[tuple[Any, ...]]


def expected(fleet: Fleet, keep: Callable[[str, datetime], bool] = lambda asset, day: True) -> Fleet:
    rows = [(asset, datetime.fromisoformat(day), *rest) for asset, day, *rest in fleet]
    return sorted((row for row in rows if keep(row[0], row[1])), key=str)


def test_every_row_is_the_same_to_the_last_bit(source: Source, read: Read, fleet: Fleet) -> None:
    assert read(source) == expected(fleet)


def test_a_second_fetch_gives_the_same(source: Source, read: Read) -> None:
    assert read(source) == read(source)


def test_one_asset_is_not_its_lookalike(source: Source, read: Read, fleet: Fleet) -> None:
    found = read(source, Request(assets=("007",)))
    assert found == expected(fleet, lambda asset, day: asset == "007")
    assert len(found) == 2


def test_several_assets_and_an_unknown_one(source: Source, read: Read, fleet: Fleet) -> None:
    wanted = ("two\nlines", "nobody", "../etc/passwd")
    assert read(source, Request(assets=wanted)) == expected(fleet, lambda asset, day: asset in wanted)


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        ("2017-01-01T00:00", "2017-01-01T23:59:59.999999", 7),
        ("2017-01-01T00:00", "2017-01-01T00:00", 7),
        ("2017-01-01T00:01", None, 1),
        (None, "2016-12-31T23:59:59.999999", 1),
        ("0001-01-01", "9999-12-31", 9),
        ("2018-01-01", None, 0),
    ],
)
def test_bounds_are_inclusive(
    source: Source, read: Read, fleet: Fleet, start: str | None, end: str | None, count: int
) -> None:
    request = Request(
        start=None if start is None else np.datetime64(start, "us"),
        end=None if end is None else np.datetime64(end, "us"),
    )
    first, last = start or "0001-01-01", end or "9999-12-31"
    found = read(source, request)
    assert found == expected(
        fleet, lambda asset, day: datetime.fromisoformat(first) <= day <= datetime.fromisoformat(last)
    )
    assert len(found) == count
