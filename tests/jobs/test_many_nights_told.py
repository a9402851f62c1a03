"""Many nights with receivers that fail, and runs that are killed: each change arrives, none is lost or another."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest

from anomscan.config import load
from anomscan.errors import ExitCode
from anomscan.incidents.ledger import Ledger
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.nights import fold
from anomscan.incidents.notify.outbox import post
from anomscan.jobs import notify
from anomscan.retrying import Clock
from incidents.test_nights import night, scanned
from servers.rest_faults import Call, Impatient, Reply, serving

NIGHTS = 60
STATES = ["new", "reopened", "worse", "closed", "ongoing", "quiet", "unknown"]


class KilledError(BaseException):
    """The run ends where it stands."""


class Console:
    """What was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        self.said.append(message)

    error = data = info


class Receiver:
    """Takes digests, and fails as it likes: before it has taken one, or after."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.taken: list[str] = []
        self.acknowledged: set[str] = set()
        self.is_up = True
        self.repeated: set[str] = set()

    def __call__(self, call: Call) -> Reply:
        keys = [each["key"] for change in json.loads(call.body)["changes"] for each in change["incidents"]]
        fault = self._random.choice(["none", "none", "500", "500 late", "hangs"]) if self.is_up else "500"
        if fault == "500":
            return Reply(500)
        self.taken += keys
        if fault != "none":
            return Reply(500) if fault == "500 late" else Reply(cut=-1)
        self.repeated |= self.acknowledged & set(keys)
        self.acknowledged |= set(keys)
        return Reply(204, b"")


class Alerts:
    """Takes alerts as Alertmanager does, which knows them by their labels, and fails as it likes."""

    def __init__(self, seed: int, now: list[float]) -> None:
        self._random, self._now = random.Random(seed), now
        self.is_up = True
        self.labels: dict[str, set[str]] = {}
        self.ends: dict[str, datetime] = {}

    def __call__(self, call: Call) -> Reply:
        fault = self._random.choice(["none", "none", "500", "500 late", "hangs"]) if self.is_up else "500"
        if fault == "500":
            return Reply(500)
        for each in json.loads(call.body):
            id_ = each["labels"]["incident"]
            self.labels.setdefault(id_, set()).add(json.dumps(each["labels"]))
            self.ends[id_] = datetime.fromisoformat(each["endsAt"])
        return Reply() if fault == "none" else Reply(500) if fault == "500 late" else Reply(cut=-1)

    def firing(self) -> set[str]:
        now = datetime.fromtimestamp(self._now[0], UTC)
        return {id_ for id_, end in self.ends.items() if end > now}


def histories(seed: int) -> list[str]:
    """Verdicts of some assets, day by day: faults begin, pause, return and end, and days are not judged."""
    draw = random.Random(seed)
    found = []
    for _ in range(6):
        text = "...."
        while len(text) < NIGHTS:
            text += draw.choice(["x", ".", "x", " "]) * draw.choice([1, 2, 5, 12])
        found.append(text[:NIGHTS])
    return found


@pytest.mark.parametrize("seed", range(6))
def test_every_change_arrives_once_by_its_key(tmp_path, monkeypatch, seed):
    draw, clock, console = random.Random(seed), Impatient(), Console()
    receivers = {"one": Receiver(seed), "two": Receiver(seed + 100)}
    texts, expected, now = histories(seed), {"one": set(), "two": set()}, [1.7e9]
    lost, alerts = set(), Alerts(seed, now)

    with serving(receivers["one"]) as first, serving(receivers["two"]) as second, serving(alerts) as third:
        (tmp_path / "anomscan.toml").write_text(
            "".join(
                f'[[notify]]\nname = "{name}"\nsink = "webhook"\nurl = "{url}"\nstates = {json.dumps(states)}\n'
                for name, url, states in (("one", first.url, STATES), ("two", second.url, ["new", "closed"]))
            )
            + f'[[notify]]\nname = "am"\nsink = "alertmanager"\nurl = "{third.url}"\n'
        )
        settings = load(tmp_path / "anomscan.toml", environ={}).settings
        file = LedgerFile(settings.incidents.path)
        clocks = Clock(clock.monotonic, lambda: now[0], clock.uniform, clock.sleep)
        crossed_out = notify.outbox.taken

        def crossing_out(ledger: Ledger, target: str, keys: set[str]) -> Ledger:
            if draw.random() < 0.15:
                lost.update(keys)
                raise KilledError
            return crossed_out(ledger, target, keys)

        monkeypatch.setattr(notify.outbox, "taken", crossing_out)

        def tell() -> ExitCode | None:
            if draw.random() < 0.2:
                return None  # killed between the ledger and this
            try:
                return notify.send(settings, console, clock=clocks)
            except KilledError:
                return None

        end = 0
        while end < NIGHTS - 1:
            end = min(end + draw.choice([1, 1, 1, 2, 6]), NIGHTS - 1)
            now[0] += 86_400
            for receiver in (*receivers.values(), alerts):
                receiver.is_up = draw.random() < 0.7
            seen = [scanned(text[: end + 1], max(0, end - 7), f"S{place}") for place, text in enumerate(texts)]
            if draw.random() < 0.1:
                seen.pop()
            for _ in range(draw.choice([1, 1, 2])):  # the same night again, perhaps
                with file.held():
                    before = file.read()
                    folded = fold(before, night(end), seen)
                    file.write(post(before, folded.ledger, folded.changes, night(end).end, settings.notify))
                for change in folded.changes:
                    what = "closed" if change.what == "merged" else change.what
                    key = f"{change.id}:{what}:{night(end).end}"
                    expected["one"].add(key)
                    if what in ("new", "closed"):
                        expected["two"].add(key)
                if tell() == ExitCode.DONE:
                    assert alerts.firing() == {each.id for each in file.read().entries.values() if each.is_open}
        monkeypatch.setattr(notify.outbox, "taken", crossed_out)
        for receiver in (*receivers.values(), alerts):
            receiver.is_up = True
        while any(each.to for each in file.read().outbox):
            now[0] += 86_400
            notify.send(settings, console, clock=clocks)
        sent = len(receivers["one"].taken)
        assert notify.send(settings, console, clock=clocks) == ExitCode.DONE
        assert len(receivers["one"].taken) == sent
    assert alerts.firing() == {each.id for each in file.read().entries.values() if each.is_open}
    assert all(len(labels) == 1 for labels in alerts.labels.values())
    assert len(expected["one"]) > 20
    for name, receiver in receivers.items():
        assert receiver.acknowledged == expected[name]
        # What was answered with 2xx comes again only where the run was killed before that was written down.
        assert receiver.repeated <= lost
    assert len(receivers["one"].taken) > len(receivers["one"].acknowledged)
