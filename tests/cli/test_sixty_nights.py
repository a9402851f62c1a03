"""Sixty nights by the command line: late data, re-trains, missed nights, kills, and two runs at once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import suppress

import pytest

from anomscan.incidents.ledger_file import LedgerFile
from anomscan.storage import durable
from cli.conftest import DAY, START, calm
from processes import PATIENCE_S

pytestmark = pytest.mark.slow

FIRST, LAST = 90, 150
#: Days of high scores: faults that begin, pause, return within a month, and go on to the end.
HIGH = {"a": {*range(140, 150)}, "b": {100, 101, 102, 106, 107, 125, 126}, "c": {95, 96}}
#: Days of ``c`` that arrive late, and on which night they do.
LATE, ARRIVAL = range(112, 119), 121


class KilledError(BaseException):
    """The run ends where it stands."""


def day(number: int) -> str:
    return str(START + number * DAY)


class Fleet:
    """Three assets, night by night."""

    def __init__(self, place) -> None:
        self.place = place

    def until(self, end: int) -> None:
        """What has arrived by the night of a day."""
        self.place.telemetry(
            [
                [asset, day(t), calm(t, number), "Ok"]
                for number, asset in enumerate("abc")
                for t in range(end + 1)
                if not (asset == "c" and t in LATE and end < ARRIVAL)
            ]
        )
        self.place.good("fetch")

    def trained(self, seed: int) -> None:
        """Another model: each of its scores is another number."""
        scale = 1 + 0.2 * seed
        self.place.scores(
            [
                [asset, day(t), scale * (9.0 + 0.1 * seed if t in HIGH[asset] else 1 + 0.01 * ((t + seed) % 7))]
                for asset in "abc"
                for t in range(LAST)
            ]
        )

    def entries(self) -> list[dict]:
        return json.loads(self.place.good("incidents", "list", "--json"))


@pytest.fixture
def fleet(place):
    return Fleet(place)


def scan(since: int) -> tuple[str, ...]:
    return "scan", "--all", "--ledger", "--from", day(since), "-o", "night.jsonl"


def kept(entries: list[dict]) -> list[tuple]:
    """What does not depend on when somebody looked; silence that late data have ended is left out."""
    return sorted(
        (each["id"], each["asset"], each["kind"], json.dumps(each["spells"]), each["state"] == "closed")
        for each in entries
        if each["family"] != "silence"
    )


def killed(place, monkeypatch, draw: random.Random, arguments: tuple[str, ...]) -> bool:
    """A run that ends where it renames its nth file, if it comes to that."""
    left = draw.randrange(1, 6)
    plain = durable.os.replace

    def replace(*names: object, **more: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KilledError
        plain(*names, **more)

    with monkeypatch.context() as patched:
        patched.setattr(durable.os, "replace", replace)
        with suppress(KilledError):
            place(*arguments)
            return False
    return True


def two_at_once(place, arguments: tuple[str, ...]) -> list[int]:
    command = [sys.executable, "-m", "anomscan", *arguments]
    runs = [
        subprocess.Popen([*command, "--lock-timeout", "60"], cwd=place.folder, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    return [each.wait(PATIENCE_S) for each in runs]


@pytest.mark.parametrize("seed", range(2))
def test_sixty_nights_give_the_ledger_of_one_run_over_everything(fleet, monkeypatch, seed):
    draw, place = random.Random(seed), fleet.place
    fleet.trained(0)
    seen: dict[str, dict] = {}
    since, models, doubles, kills = 0, 0, 0, 0
    for end in range(FIRST, LAST):
        if end < LAST - 1 and draw.random() < 0.25:
            continue  # a night that was missed
        fleet.until(end)
        if draw.random() < 0.15:
            models += 1
            fleet.trained(models)
        if draw.random() < 0.3:
            kills += killed(place, monkeypatch, draw, scan(since))
        if draw.random() < 0.1:
            doubles += 1
            assert two_at_once(place, scan(since)) == [0, 0]
        else:
            place.good(*scan(since))
        since = end
        now = {each["id"]: each for each in fleet.entries()}
        # None is lost, none begins anew, and what made its id stays.
        for id_, before in seen.items():
            assert (now[id_]["first_flagged"], now[id_]["first_seen"]) == (
                before["first_flagged"],
                before["first_seen"],
            )
            assert before["state"] != "closed" or now[id_]["state"] in ("closed", "reopened")
        seen = now
    assert models > 2
    assert doubles > 1
    assert kills > 5
    (silence,) = [each for each in seen.values() if each["family"] == "silence"]
    assert (silence["asset"], silence["state"]) == ("c", "closed")
    LedgerFile(place.folder / "incidents").path.unlink()
    place.good(*scan(0))
    assert kept(list(seen.values())) == kept(fleet.entries())
