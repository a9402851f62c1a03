"""Alertmanager, the real one: an incident is one alert for all its nights, and ends when it is over."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from anomscan.config import AlertmanagerRoute
from anomscan.errors import ConfigError, ServiceError
from anomscan.incidents.ledger import Entry
from anomscan.incidents.notify.digest import Digest, Told, items
from anomscan.incidents.notify.registry import opened
from incidents.entries import entry
from incidents.notify.test_digest import HOSTILE
from processes import wait_until
from servers.alertmanager import Alertmanager, alertmanager
from servers.rest_client import clock_of
from servers.rest_faults import Impatient, Reply, serving

HIDDEN = "s3cret-that-must-not-show"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def manager() -> Iterator[Alertmanager]:
    with alertmanager() as running:
        yield running


def digest(*found: Entry, at: datetime = NOW, is_test: bool = False) -> Digest:
    """As of a night: all that is open, and what is over."""
    over = [Told(each, "closed", f"{each.id}:closed:1") for each in found if not each.is_open]
    still_open = [Told(each, "open") for each in found if each.is_open]
    return Digest("am", f"{at:%Y-%m-%dT%H:%M:%SZ}", {}, items(over), items(still_open), is_test)


def send(url: str, what: Digest, **settings: object) -> None:
    route = AlertmanagerRoute.model_validate({"name": "am", "sink": "alertmanager", "url": url, **settings})
    opened(route, clock_of(Impatient())).send(what)


def posted(what: Digest, **settings: object) -> list[dict[str, dict[str, str]]]:
    """The alerts, as they are sent."""
    with serving(lambda call: Reply()) as service:
        send(f"{service.url}/am/?x=1", what, **settings)
    (call,) = service.calls
    assert call.target == "/am/api/v2/alerts?x=1"
    found: list[dict[str, dict[str, str]]] = json.loads(call.body)
    return found


@pytest.mark.servers
def test_an_incident_is_one_alert_from_night_to_night_until_it_is_over(manager: Alertmanager) -> None:
    one, other = entry("S1"), entry("S2", state="unknown")
    ends = []
    for hours, since, days in ((20, "2026-03-01", 8), (10, "2026-02-27", 9), (0, "2026-02-27", 10)):
        spell = replace(one.spells[0], since=since, days=days)
        told = replace(one, spells=(spell,), deviation={"x": -0.01 * days})
        send(manager.url, digest(told, other, at=NOW - timedelta(hours=hours)))
        first, second = manager.alerts()
        assert first["labels"] == {"incident": one.id, "asset": "S1", "detector": "chart"}
        assert second["labels"]["incident"] == other.id
        assert first["annotations"]["summary"].startswith(f"dropped: {days} % below expected since {since}")
        ends.append(datetime.fromisoformat(first["endsAt"]))
    assert ends == [NOW + timedelta(hours=hours) for hours in (8, 18, 28)]
    assert [each["labels"]["asset"] for each in manager.amtool("alert", "query")] == ["S1", "S2"]
    send(manager.url, digest(replace(one, state="closed"), other))
    assert [each["labels"]["asset"] for each in manager.alerts()] == ["S2"]
    assert [each["labels"]["asset"] for each in manager.amtool("alert", "query", "detector=chart")] == ["S2"]
    send(manager.url, digest(replace(other, state="closed")))
    assert manager.alerts() == []


@pytest.mark.servers
def test_whom_it_tells_hears_the_beginning_and_the_end_once() -> None:
    with serving(lambda call: Reply()) as receiver, alertmanager(receiver.url) as manager:

        def told() -> list[tuple[str, str]]:
            bodies = [json.loads(call.body) for call in receiver.calls]
            return [(each["labels"]["asset"], each["status"]) for body in bodies for each in body["alerts"]]

        one = entry("S1")
        for hours in (20, 10, 0):
            send(manager.url, digest(one, at=NOW - timedelta(hours=hours)))
            wait_until(told)
        send(manager.url, digest(replace(one, state="closed")))
        wait_until(lambda: ("S1", "resolved") in told())
        assert told() == [("S1", "firing"), ("S1", "resolved")]


@pytest.mark.servers
def test_hostile_ids_are_labels_of_one_alert_each(manager: Alertmanager) -> None:
    entries = [entry(f"{place}{asset}") for place, asset in enumerate([*HOSTILE, "\ud800", "\x00", 'a"}, {b="c'])]
    send(manager.url, digest(*entries))
    found = manager.alerts()
    assert {each["labels"]["incident"] for each in found} == {each.id for each in entries}
    assert len(found) == len(entries)
    assert all(set(each["labels"]) == {"incident", "asset", "detector"} for each in found)
    send(manager.url, digest(*(replace(each, state="closed") for each in entries)))
    assert manager.alerts() == []


@pytest.mark.servers
def test_a_test_is_an_alert_that_ends_by_itself(manager: Alertmanager) -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # others of the tests may have run for longer than it lasts
    send(manager.url, digest(at=now, is_test=True))
    (alert,) = manager.alerts()
    assert alert["labels"] == {"incident": "test", "asset": "test", "detector": "test"}
    assert datetime.fromisoformat(alert["endsAt"]) == now + timedelta(minutes=5)


def test_it_lasts_until_after_the_next_run_and_begins_no_later_than_now() -> None:
    (alert,) = posted(digest(entry()), every="7d", margin="90min")
    assert alert["startsAt"] == "2026-03-01T00:00:00Z"
    assert datetime.fromisoformat(str(alert["endsAt"])) == NOW + timedelta(days=7, minutes=90)
    (future,) = posted(digest(entry(first="2999-01-01")))
    (over,) = posted(digest(entry(first="2999-01-01T00:00:00Z", state="closed")))
    assert datetime.fromisoformat(str(future["startsAt"])) == NOW
    assert over["startsAt"] == over["endsAt"] == future["startsAt"]


def test_a_cohort_stands_for_its_members_but_for_those_that_were_told_before() -> None:
    cohort = entry("cohort:R1", first_seen="2026-03-05")
    members = [entry(f"S{n}", common="cohort:R1", first_seen="2026-03-05") for n in range(60)]
    early = entry("early", common="cohort:R1")
    again = entry("again", common="cohort:R1", reopened="2026-03-06")
    found = {each["labels"]["asset"]: each["annotations"] for each in posted(digest(cohort, early, again, *members))}
    assert set(found) == {"cohort:R1", "early"}
    assert found["early"]["common"] == "cohort:R1"
    assert found["cohort:R1"]["assets"].startswith("S0, S1, ")
    assert found["cohort:R1"]["assets"].endswith(", ...")
    # They outlast it: now each is an alert of its own.
    over = [each["labels"]["asset"] for each in posted(digest(replace(cohort, state="closed"), *members[:2]))]
    assert over == ["cohort:R1", "S0", "S1"]


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"token": HIDDEN}, f"Bearer {HIDDEN}"),
        ({"user": "scan", "password": HIDDEN}, f"Basic {base64.b64encode(f'scan:{HIDDEN}'.encode()).decode()}"),
    ],
)
def test_secrets_go_to_it_alone(settings: dict[str, object], header: str) -> None:
    with serving(lambda call: Reply()) as thief:
        moved = Reply(307, b"", {"Location": f"{thief.url}/{HIDDEN}"})
        replies = iter([Reply(), Reply(401, {"message": f"no {HIDDEN}"}), moved])
        with serving(lambda call: next(replies)) as service:
            send(service.url, digest(entry()), **settings)
            for said in ("answered with status 401: no \\*\\*\\*", "redirects"):
                with pytest.raises(ServiceError, match=said) as caught:
                    send(service.url, digest(entry()), **settings)
                assert HIDDEN not in str(caught.value)
    assert service.calls[0].headers["authorization"] == header
    assert thief.calls == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"every": "daily"}, "is not a length of time"),
        ({"user": "scan"}, "user and password go together"),
        ({"user": "scan", "password": "x", "token": "y"}, "exclude each other"),
        ({"weekly": True}, "weekly"),
        ({"heartbeat": True}, "heartbeat"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, object], said: str) -> None:
    with pytest.raises((ValidationError, ConfigError), match=said):
        send("https://host", digest(), **settings)
