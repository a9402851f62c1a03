"""Many nights with receivers that fail, and runs that are killed: each change arrives, none is lost or another."""

from __future__ import annotations

import email
import email.policy
import json
import random
import re
from datetime import UTC, datetime
from typing import Any

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
from servers import smtp
from servers.rest_faults import Call, Impatient, Reply, serving

NIGHTS = 60
KEY = re.compile(r"[0-9a-f]{12}:[a-z]+:\d{4}-\d\d-\d\d")
KEYS = "{% for item in digest.changes %}{% for each in item.incidents %}\n{{ each.key }}\n{% endfor %}{% endfor %}\n"
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


class Taking:
    """Takes digests, and fails as it likes: before it has taken one, or after."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.taken: list[str] = []
        self.acknowledged: set[str] = set()
        self.is_up = True
        self.repeated: set[str] = set()

    def take(self, text: str) -> str:
        """What becomes of a digest that says so: ``none`` is wrong, ``500``, ``500 late`` or ``hangs``."""
        keys = KEY.findall(text)
        fault = self._random.choice(["none", "none", "500", "500 late", "hangs"]) if self.is_up else "500"
        if fault != "500":
            self.taken += keys
        if fault == "none":
            self.repeated |= self.acknowledged & set(keys)
            self.acknowledged |= set(keys)
        return fault


class Receiver(Taking):
    """A service of HTTP."""

    def __call__(self, call: Call) -> Reply:
        replies = {"none": Reply(204, b""), "500": Reply(500), "500 late": Reply(500), "hangs": Reply(cut=-1)}
        return replies[self.take(call.body.decode())]


class Desk(Taking):
    """A mail server; what comes twice is known by its id, too."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.ids: dict[str, set[str]] = {}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = message.get_content()  # type: ignore[attr-defined]
        self.ids.setdefault(str(message["Message-ID"]), set()).add(" ".join(sorted(KEY.findall(text))))
        fault = self.take(text)
        if fault == "hangs":
            server.transport.abort()
        return "250 OK" if fault == "none" else "451 not now"


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_every_change_arrives_once_by_its_key(tmp_path, monkeypatch, seed):
    draw, clock, console = random.Random(seed), Impatient(), Console()
    desk, chat = Desk(seed + 200), Receiver(seed + 300)
    receivers: dict[str, Taking] = {"one": Receiver(seed), "two": Receiver(seed + 100), "desk": desk, "chat": chat}
    texts, expected, now = histories(seed), {name: set() for name in receivers}, [1.7e9]
    lost, alerts = set(), Alerts(seed, now)

    with (
        serving(receivers["one"]) as first,
        serving(receivers["two"]) as second,
        serving(alerts) as third,
        serving(chat) as fourth,
        smtp.serving(desk) as port,
    ):
        (tmp_path / "keys.txt").write_text(KEYS)
        (tmp_path / "anomscan.toml").write_text(
            "".join(
                f'[[notify]]\nname = "{name}"\nsink = "webhook"\nurl = "{url}"\nstates = {json.dumps(states)}\n'
                for name, url, states in (("one", first.url, STATES), ("two", second.url, ["new", "closed"]))
            )
            + f'[[notify]]\nname = "am"\nsink = "alertmanager"\nurl = "{third.url}"\n'
            + f'[[notify]]\nname = "desk"\nsink = "mail"\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
            'sender = "scan@example.com"\nto = ["ops@example.com"]\n'
            f'states = {json.dumps(STATES)}\ntemplate = "keys.txt"\n'
            f'[[notify]]\nname = "chat"\nsink = "apprise"\nurl = "{fourth.url.replace("http", "json", 1)}"\n'
            f'states = {json.dumps(STATES)}\ntemplate = "keys.txt"\n'
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
                    for name in ("one", "desk", "chat"):
                        expected[name].add(key)
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
        assert len(receiver.taken) > len(receiver.acknowledged)
    # A message that comes twice says the same.
    assert all(len(said) == 1 for said in desk.ids.values())
