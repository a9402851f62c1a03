"""Random faults, by the seed: what is delivered is the truth, and what is not is named."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest

from anomscan.config import Columns, RestSource
from anomscan.retrying import Clock
from anomscan.sources.base import AssetFailure, Request
from anomscan.sources.rest.source import Rest
from anomscan.tables.salvage import Reject
from servers.rest_faults import HTML, Call, Impatient, Reply, serving

pytestmark = pytest.mark.slow

KEY = "k3y-that-must-not-show"
PAGINGS = ("none", "next-link", "cursor", "page")
ODD_IDS = ("007", "7", "a/b c", "Ωmega", "x'; DROP--", "50%25", "?code=1&x")
#: Faults that pass, and those that do not.
PASSING = (
    "reset",
    "reset-midway",
    "500",
    "503",
    "429",
    "429-date",
    "slow",
    "short",
    "half",
    "half-open",
    "html",
    "gzip",
)
LASTING = ("404", "400", "no-array", "large", "always-503")
#: Two records that cannot both be right: the store tells, so both are delivered.
CONTRADICTING = "contradiction"
#: One record that cannot be used; where nothing before it could, its asset fails.
BAD_RECORDS = ("text", "infinite", "no-time", "no-object")


def truth_of(dice: random.Random, asset: str) -> list[dict[str, Any]]:
    start = datetime(2024, 3, 1) + timedelta(minutes=10 * dice.randrange(1000))
    steps = sorted(dice.sample(range(60), dice.choice((0, 1, 5, 25))))
    return [
        {
            "timestamp": f"{start + timedelta(minutes=10 * step):%Y-%m-%dT%H:%M:%SZ}",
            "temperature": dice.choice((None, dice.randrange(40), dice.uniform(-5, 40))),
            "humidity": dice.uniform(0, 100),
            "who": asset,
        }
        for step in steps
    ]


def as_served(dice: random.Random, records: list[dict[str, Any]], paging: str) -> list[list[dict[str, Any]]]:
    """Unsorted, some records twice, in pages; some of the doubles stand at the page borders."""
    records = records + dice.sample(records, min(len(records), dice.randrange(3)))
    dice.shuffle(records)
    if paging == "none":
        return [records]
    size = dice.choice((1, 4, 10))
    pages = [records[at : at + size] for at in range(0, len(records), size)] or [[]]
    for before, after in itertools.pairwise(pages):
        if dice.random() < 0.3 and before != [before[-1], *after]:
            after.insert(0, before[-1])
    # A service that gives the same page twice is one that has no pages.
    return [page for at, page in enumerate(pages) if at == 0 or page != pages[at - 1]]


def spoilt(kind: str, good: Reply, dice: random.Random) -> Reply:
    text = repr(good.body)
    length = len(text)
    replies = {
        "reset": Reply(cut=-1),
        "reset-midway": Reply(body=good.body, cut=dice.randrange(1, 30)),
        "500": Reply(500, HTML),
        "503": Reply(503, b"", {"Retry-After": "0"}),
        "429": Reply(429, b"{}", {"Retry-After": dice.choice(("0", "2", "nonsense"))}),
        "429-date": Reply(429, b"", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        "slow": Reply(body=good.body, headers=good.headers, pieces=3, pause_s=0.002, pack=dice.random() < 0.5),
        "short": Reply(body=good.body, length=length + 1000),
        "half": Reply(body=b'[{"timestamp": "2024-03-01T00:00:00Z", "temper'),
        "half-open": Reply(body=b'{"data": {"items": [{"timest', length="none"),
        "html": Reply(body=HTML, headers={"Content-Type": "text/html"}),
        "gzip": Reply(body=b"\x1f\x8b\x08broken", headers={"Content-Encoding": "gzip"}),
    }
    return replies[kind]


def ruined(kind: str, records: list[dict[str, Any]]) -> Reply | list[dict[str, Any]]:
    """A reply, or records to be served in the place of the true ones."""
    good = {"timestamp": "2024-03-01T00:00:00Z", "temperature": 1, "humidity": 2}
    many = [good | {"timestamp": f"2023-01-01T00:{minute:02}:00Z"} for minute in range(60)]
    replies: dict[str, Reply | list[Any]] = {
        "404": Reply(404, b"not here"),
        "400": Reply(400, HTML),
        "text": [*records, good | {"temperature": "warm"}],
        "infinite": [*records, good | {"humidity": float("inf")}],
        "no-time": [*records, {"temperature": 1, "humidity": 2, "timestamp": None}],
        "no-object": [*records, [1, 2]],
        "no-array": Reply(body={"data": {"items": {"a": 1}}, "error": "none"}),
        "large": [row | {"padding": "x" * 2000} for row in many],
        "always-503": Reply(503, b""),
        CONTRADICTING: [good, good | {"humidity": 3}],
    }
    return replies[kind]


class Plan:
    """What a service of this seed has, and how it fails."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(f"plan {seed}")
        self.seed = seed
        self.paging = dice.choice(PAGINGS)
        self.nested = dice.random() < 0.5 or self.paging in ("next-link", "cursor")
        self.assets = dice.sample([*ODD_IDS, "A1", "A2", "A3"], dice.randrange(2, 6))
        self.truth = {asset: truth_of(dice, asset) for asset in self.assets}
        self.lasting = {
            asset: dice.choice((*LASTING, *BAD_RECORDS, CONTRADICTING))
            for asset in self.assets[1:]
            if dice.random() < 0.25
        }
        self.served = {}
        for asset, records in self.truth.items():
            ruin = ruined(self.lasting[asset], records) if asset in self.lasting else records
            self.served[asset] = ruin if isinstance(ruin, Reply) else as_served(dice, ruin, self.paging)
            if self.lasting.get(asset) == CONTRADICTING and not isinstance(ruin, Reply):
                self.truth[asset] = ruin
        self.contradicting = {asset for asset, kind in self.lasting.items() if kind == CONTRADICTING}
        self.lasting = {asset: kind for asset, kind in self.lasting.items() if kind != CONTRADICTING}
        self.faults = Counter[tuple[str, int]]()
        self.seen = set[str]()

    def answer(self, call: Call) -> Reply:
        assert call.query["code"] == KEY
        assert call.parts[0] == "api"
        asset = call.parts[1]
        served = self.served[asset]
        if isinstance(served, Reply):
            return served
        number = int(call.query.get({"page": "page", "cursor": "cursor"}.get(self.paging, "at"), "1").lstrip("c"))
        good = self.good(call, served, number)
        place = (asset, number)
        dice = random.Random(f"{self.seed} {place} {self.faults[place]}")
        # Two in a row at most: a third HTML page would be the last try.
        if self.faults[place] < 2 and dice.random() < 0.5:
            self.faults[place] += 1
            kind = dice.choice(PASSING)
            self.seen.add(kind)
            return spoilt(kind, good, dice)
        return good

    def good(self, call: Call, pages: list[list[dict[str, Any]]], number: int) -> Reply:
        records = pages[number - 1] if number <= len(pages) else []
        more = number < len(pages)
        body: Any = {"data": {"items": records}, "error": None} if self.nested else records
        if self.paging == "cursor":
            body["next"] = f"c{number + 1}" if more else None
        elif self.paging == "next-link" and more:
            body["next"] = f"{call.path}?{urlencode({'at': number + 1})}"
        return Reply(body=body, pack=number % 2 == 0)

    def settings(self, url: str) -> RestSource:
        return RestSource(
            kind="rest",
            url=f"{url}/api",
            key=KEY,
            cadence="10min",
            columns=Columns(timestamp="timestamp", values=("temperature", "humidity")),
            records="data.items" if self.nested else None,
            paging=self.paging,
            next="next" if self.paging in ("next-link", "cursor") else None,
            concurrency=3,
            max_response_mb=0.1,
        )


def rows_of(records: list[dict[str, Any]], asset: str) -> Counter[tuple[Any, ...]]:
    return Counter(
        (asset, datetime.fromisoformat(row["timestamp"]).replace(tzinfo=None), row["temperature"], row["humidity"])
        for row in records
    )


@pytest.mark.parametrize("block", range(10))
def test_faults_neither_lose_nor_double_a_row(block: int) -> None:
    passing: set[str] = set()
    for seed in range(20 * block, 20 * block + 20):
        plan = Plan(seed)
        clock = Impatient(random.Random(seed).uniform)
        with serving(plan.answer) as service:
            source = Rest(
                "far",
                plan.settings(service.url),
                Clock(monotonic=clock.monotonic, uniform=clock.uniform, sleep=clock.sleep),
            )
            items = list(source.fetch(Request(assets=tuple(plan.assets))))
        rows: Counter[tuple[Any, ...]] = Counter()
        for table in items:
            if isinstance(table, pa.Table):
                assert table.schema == source.layout.numbered
                rows.update(tuple(row.values())[:4] for row in table.to_pylist())
        failures = {item.asset: str(item.error) for item in items if isinstance(item, AssetFailure)}
        partly = {asset for asset, kind in plan.lasting.items() if kind in BAD_RECORDS}
        assert set(failures) - partly == set(plan.lasting) - partly, f"seed {seed}: {failures}"
        refused = {item.row["asset"] for item in items if isinstance(item, Reject)}
        assert refused == partly - set(failures)
        expected: Counter[tuple[Any, ...]] = Counter()
        for asset in set(plan.assets) - set(failures):
            expected += rows_of(plan.truth[asset], asset)
        # Of rows that contradict one another, one that is served twice may come twice.
        rows = Counter({row: 1 if row[0] in plan.contradicting else count for row, count in rows.items()})
        assert rows == expected, f"seed {seed}"
        for message in failures.values():
            assert KEY not in message
            assert "\n" not in message
        passing |= plan.seen
    assert passing == set(PASSING)
