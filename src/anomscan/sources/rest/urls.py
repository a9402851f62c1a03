"""URLs: made from a template of the settings, compared, and shown without their queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from urllib.parse import parse_qsl, quote, urljoin, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import numpy as np

from anomscan.errors import AssetError, ConfigError
from anomscan.origins import Origin, is_disputed, origin_of
from anomscan.sources.base import Request
from anomscan.telemetry.cadence import Cadence

_KNOWN = ("asset", "days", "start", "end")
_NAMES = ", ".join(f"{{{name}}}" for name in _KNOWN)
_SCHEME_HOST = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_DAY_S = 86_400
#: 3 January of the year 1 and 29 December 9999: what any time zone makes of them is a date.
_EARLIEST_US, _LATEST_US = -62_135_424_000_000_000, 253_402_041_600_000_000
#: A pattern of times that says that they are of UTC.
_IN_UTC = re.compile(r"(?<!%)Z$")


def checked(url: str, key: str) -> str:
    """A URL of the settings, if it can be called.

    Parameters
    ----------
    key
        Which setting it is, for errors; the URL itself may hold secrets.

    Raises
    ------
    ConfigError
        No scheme or host, a user and password in it, an invalid port, characters that no URL has.
    """
    url = url.strip()
    if not _SCHEME_HOST.match(url):
        raise ConfigError(f"{key} does not begin with https:// and a host", hint="write it as https://host/path")
    if is_disputed(url):
        raise ConfigError(
            f"{key} has a space, a backslash or a control character in it",
            hint="write a space as %20, a backslash as %5C",
        )
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{key} has an invalid host or port", hint="write it as https://host:port/path")
    if "@" in parts.netloc:
        raise ConfigError(f"{key} has a user or password in it", hint="put what the service wants into the key")
    return url


def as_template(url: str, key: str) -> str:
    """The template of a URL; one without any placeholder is taken as the first notebook took it.

    >>> as_template("https://host/api?v=1", "url")
    'https://host/api/{asset}/{days}?v=1'

    Raises
    ------
    ConfigError
        See :func:`checked`; a placeholder that is not known; none for the asset; one in the host.
    """
    url = checked(url, key)
    names = re.findall(r"\{([^{}]*)\}", url)
    if unknown := [name for name in names if name not in _KNOWN]:
        raise ConfigError(f"{key} has a placeholder {{{unknown[0]}}}, which is not known", hint=f"known are {_NAMES}")
    if not names:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{{asset}}/{{days}}"))
    if "asset" not in names:
        raise ConfigError(f"{key} has no {{asset}}", hint="it is asked asset by asset; " + f"placeholders are {_NAMES}")
    if "{" in urlsplit(url).netloc:
        raise ConfigError(f"{key} has a placeholder in its host", hint="placeholders go into the path or the query")
    return url


def filled(
    template: str,
    asset: str,
    request: Request,
    *,
    cadence: Cadence,
    timezone: str,
    day_stamp: Literal["start", "end"],
    time_format: str | None,
    history_days: int,
    now_s: float,
) -> str:
    """The URL of one asset's telemetry.

    Of daily values it asks for the days of the time zone, wherever in them (or at the midnight after them, if they are
    stamped there) the samples are. ``{days}`` is how many whole days before now hold the start, be they of 24 hours or
    of the zone's calendar. ``{start}`` and ``{end}`` are one step wider than was asked, for some services leave out a
    bound itself; the end is at most now, or today.

    Parameters
    ----------
    timezone
        IANA name; where days begin.
    now_s
        Seconds since 1970, UTC.

    Raises
    ------
    AssetError
        An id that cannot stand in a URL.
    """
    if asset in ("", ".", ".."):
        raise AssetError(f"the id '{asset}' cannot stand in a URL")
    try:
        quoted = quote(asset, safe="")
    except UnicodeEncodeError:
        raise AssetError("the id is not UTF-8 text, so it cannot stand in a URL") from None
    zone = ZoneInfo(timezone)
    now = datetime.fromtimestamp(now_s, UTC)
    step = timedelta(microseconds=cadence.step_us)
    # Days are those that clocks in the zone show, and become instants by that clock.
    clock = zone if cadence.whole_days else UTC
    start = now - timedelta(days=history_days)
    first = start
    if request.start is not None:
        start, first = _on(clock, request.start, timedelta(0)), _on(clock, request.start, -step)
    last = now
    if request.end is not None:
        after = timedelta(days=1) if cadence.whole_days and day_stamp == "end" else timedelta(0)
        last = min(_on(clock, request.end, step + after), now)
    of_calendar = now.astimezone(zone).replace(tzinfo=None) - start.astimezone(zone).replace(tzinfo=None)
    values = {
        "asset": quoted,
        "days": str(max(1, *(-int(-length.total_seconds() // _DAY_S) for length in (now - start, of_calendar)))),
        "start": _written(first, min, cadence, zone, time_format),
        "end": _written(last, max, cadence, zone, time_format),
    }
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)


def _on(clock: tzinfo, moment: np.datetime64, further: timedelta) -> datetime:
    """The instant at which a clock shows something, so much further on it; not quite at the ends of the calendar."""
    micros = int(moment.astype("datetime64[us]").astype(np.int64)) + further // timedelta(microseconds=1)
    shown = datetime(1970, 1, 1) + timedelta(microseconds=min(max(micros, _EARLIEST_US), _LATEST_US))
    return shown.replace(tzinfo=clock, fold=int(further > timedelta(0))).astimezone(UTC)


def _written(
    moment: datetime,
    wider: Callable[[datetime, datetime], datetime],
    cadence: Cadence,
    zone: ZoneInfo,
    time_format: str | None,
) -> str:
    """A bound as a service wants it.

    Parameters
    ----------
    wider
        Which of the dates that it is in UTC and in the zone makes the stretch wider; a service may read it in either.
    """
    if time_format in ("unix", "unix-ms"):
        return str(int(moment.timestamp() * (1000 if time_format == "unix-ms" else 1)))
    pattern = time_format or ("%Y-%m-%d" if cadence.whole_days else "%Y-%m-%dT%H:%M:%SZ")
    if not re.search("%[HIcXTRsMp]", pattern):
        local, utc = (moment.astimezone(each).replace(tzinfo=None) for each in (zone, UTC))
        return quote(wider(local, utc).strftime(pattern), safe="")
    return quote(moment.astimezone(UTC if _IN_UTC.search(pattern) else zone).strftime(pattern), safe="")


def with_parameter(url: str, name: str, value: str) -> str:
    """The URL with a query parameter of that value, in place of one it has.

    >>> with_parameter("https://h/p?page=1&size=9", "page", "2")
    'https://h/p?size=9&page=2'
    """
    parts = urlsplit(url)
    pairs = [pair for pair in parts.query.split("&") if pair and not _names(pair, name)]
    pairs.append(f"{quote(name, safe='')}={quote(value, safe='')}")
    return urlunsplit(parts._replace(query="&".join(pairs), fragment=""))


def has_parameter(url: str, name: str) -> bool:
    """Whether the URL's query has a parameter of that name."""
    return any(_names(pair, name) for pair in urlsplit(url).query.split("&") if pair)


def _names(pair: str, name: str) -> bool:
    return [found for found, _ in parse_qsl(pair, keep_blank_values=True)] == [name]


def followed(link: str, url: str, leads: str, hint: str) -> str:
    """The target of a link in the response of a URL, if the key may go there.

    Parameters
    ----------
    leads
        The beginning of the error: who leads to another host.

    Raises
    ------
    AssetError
        It leads to another service, or has characters that parsers read differently.
    """
    link = link.strip(" ")
    if is_disputed(link):  # before it is joined: that would drop some of them
        raise AssetError(f"{leads} an address with a backslash, a blank or a control character in it", hint=hint)
    try:
        target = urljoin(url, link)
    except ValueError:
        target = ""
    if not same_service(target, url):
        raise AssetError(f"{leads} another host: {shown_host(target)}", hint=hint)
    return target


def same_service(there: str, here: str) -> bool:
    """Whether a URL leads to the same scheme, host and port, or to https instead of http on the same host.

    >>> same_service("https://H/x", "http://h/y"), same_service("http://h/x", "https://h/y")
    (True, False)
    """
    to, origin = origin_of(there), origin_of(here)
    if to is None or origin is None:
        return False
    return to == origin or (origin == Origin("http", origin.host, 80) and to == Origin("https", origin.host, 443))


def shown_host(url: str) -> str:
    """Scheme and host of a URL from a service, whose path may contain anything."""
    return re.sub(r"(?<=//)([^/]*)/.*", r"\1", shown_url(url))


def shown_url(url: str) -> str:
    """A URL for people: scheme, host and path; never the query, where keys are."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return "(not a URL)"
