"""``sink = "alertmanager"``: each open incident as an alert of Prometheus' Alertmanager, by its API version 2.

Alertmanager knows an alert by its labels and forgets it at ``endsAt``. So every night sends all open incidents again,
to last until after the next night, and those that are over with an end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from urllib3.util import make_headers

from anomscan.config import AlertmanagerRoute
from anomscan.incidents.ledger import Entry
from anomscan.incidents.notify.digest import Digest, Item
from anomscan.incidents.notify.http import Address, Poster, secret_of
from anomscan.incidents.words import of_entry
from anomscan.retrying import Clock
from anomscan.telemetry.cadence import parse_duration
from anomscan.telemetry.names import PREFIX
from anomscan.wording import seen

_PATH = "/api/v2/alerts"
#: So many members of a cohort are named.
_MOST = 50
_TEST = timedelta(minutes=5)


class Alertmanager:
    """An Alertmanager.

    Raises
    ------
    ConfigError
        A URL, password or token that cannot be used.
    """

    tells_open = True

    def __init__(self, route: AlertmanagerRoute, clock: Clock) -> None:
        setting = f"notify '{route.name}'"
        self._lasts = timedelta(
            microseconds=sum(int(parse_duration(each).astype(int)) for each in (route.every, route.margin))
        )
        self._headers = {}
        token, password = secret_of(setting, "token", route.token), secret_of(setting, "password", route.password)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif route.user is not None:
            self._headers.update(make_headers(basic_auth=f"{route.user}:{password}"))
        address = Address(setting, route.url, route.timeout_s, route.deadline_s, route.ca)
        self._poster = Poster(address, clock, token or password)

    def send(self, digest: Digest) -> Sequence[str]:
        """Post all alerts at once; see :class:`anomscan.incidents.notify.base.Sink`."""
        self._poster.post(json.dumps(self._alerts(digest)).encode(), self._headers, _PATH)
        return ()

    def shown(self, digest: Digest) -> str:
        """The body."""
        return json.dumps(self._alerts(digest))

    def _alerts(self, digest: Digest) -> list[dict[str, Any]]:
        now = datetime.fromisoformat(digest.at)
        if digest.is_test:
            labels = {"incident": "test", "asset": "test", "detector": "test"}
            return [_alert(labels, {"summary": "a test of anomscan, nothing has happened"}, now, now + _TEST)]
        over = {each.entry.id: each.entry for item in digest.changes for each in item.told if not each.entry.is_open}
        alerts = [_of_incident(entry, {}, now, now) for entry in over.values()]
        for item in digest.still_open or ():
            for entry, more in _alone(item):
                alerts.append(_of_incident(entry, more, now, now + self._lasts))
        return alerts


def _alone(item: Item) -> Iterator[tuple[Entry, dict[str, str]]]:
    """The incidents of a line that are alerts of their own, and what is said of them.

    A cohort's stands for those of its members that did not begin before it: an alert that was sent goes on.
    """
    first, *others = (each.entry for each in item.told)
    if not first.asset.startswith(PREFIX):
        yield from ((each.entry, {}) for each in item.told)
        return
    names = [seen(each.asset) for each in others]
    listed = ", ".join(names[:_MOST]) + (", ..." if len(names) > _MOST else "")
    yield first, {"assets": listed} if listed else {}
    for each in others:
        if _began(each) < _began(first):
            yield each, {"common": seen(first.asset)}


def _began(entry: Entry) -> str:
    """The end of the run since which it has been open."""
    return entry.reopened or entry.first_seen


def _of_incident(entry: Entry, more: dict[str, str], now: datetime, end: datetime) -> dict[str, Any]:
    since = datetime.fromisoformat(entry.since)
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    labels = {"incident": entry.id, "asset": seen(entry.asset), "detector": entry.family}
    return _alert(labels, {"summary": of_entry(entry), **more}, min(since, now), end)


def _alert(labels: dict[str, str], annotations: dict[str, str], start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "labels": labels,
        "annotations": annotations,
        "startsAt": start.isoformat().replace("+00:00", "Z"),
        "endsAt": end.isoformat().replace("+00:00", "Z"),
    }
