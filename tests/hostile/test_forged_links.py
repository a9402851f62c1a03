"""A thousand forged links, redirects and addresses: the key stays with the service it was given for."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import closing, suppress
from typing import Any

import pytest

from anomscan.config import AlertmanagerRoute, AppriseRoute, AzureSettings, WebhookRoute
from anomscan.detectors.azure.client import Mvad
from anomscan.errors import AnomscanError, ServiceError
from anomscan.incidents.notify.digest import Digest, Told, items
from anomscan.incidents.notify.registry import opened
from anomscan.origins import origin_of
from anomscan.sources.base import Request
from anomscan.sources.rest.source import Rest
from incidents.entries import entry
from servers.rest_client import GOOD, KEY, clock_of, fetch, settings_of, take
from servers.rest_faults import Impatient, Reply, serving

COUNT = 125
PIECES = [
    *["{evil}"] * 8,
    *["{good}"] * 5,
    *["http:", "HTTP:", "https:", "ftp:", "file:", "//", "//", "///", "/", "\\", "\\\\", "@", "@", ":", "?", "#"],
    *["%40", "%5c", "%2f%2f", "%0d%0a", "..", ".", ";", "&", "user", "user:x", "[", "]", ":80", ":0", ":99999"],
    *[" ", "\t", "\n", "\r\nHost: {evil}", "\x00", "\x85", "\u00a0", "\u2028", "\u3002", "\uff0f", "\uff20", "\uff1a"],
]
#: What parsers are known to read in more than one way.
FORMS = [
    "http://{evil}{x}@{good}/",
    "http://{good}{x}@{evil}/",
    "http://{evil}{x}{good}/",
    "{x}//{evil}/",
    "//{evil}{x}",
    "http:{x}{evil}/",
    "{x}http://{evil}/",
    "http{x}://{evil}/",
]


def forged(seed: str, evil_url: str, good_url: str) -> list[str]:
    """Half of them of any pieces, half of a known form with one piece in it."""
    rng = random.Random(seed)
    evil, good = (url.partition("//")[2] for url in (evil_url, good_url))
    links = ["".join(rng.choices(PIECES, k=rng.randint(2, 8))) for _ in range(COUNT // 2)]
    links += [rng.choice(FORMS).replace("{x}", rng.choice(PIECES)) for _ in range(COUNT - len(links))]
    return [link.replace("{evil}", evil).replace("{good}", good) for link in links]


def header(link: str) -> str:
    """As far as it can stand in a header."""
    return link.translate(dict.fromkeys(b"\r\n\0")).encode("utf-8", "replace").decode("latin-1")


def got_key(calls: Iterable[Any]) -> bool:
    return any(KEY in call.target or KEY in str(call.headers) for call in calls)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["next", "Link", "redirect", "assets", "assets-redirect"])
def test_of_rest(way: str) -> None:
    links: list[str] = []

    def answer(call: Any) -> Reply:
        if "x" not in call.parts:
            return Reply(body={"r": GOOD})
        link = links[int(call.parts[-1])]
        if "redirect" in way:
            return Reply(302, b"", {"Location": header(link)})
        if way == "Link":
            return Reply(body={"r": GOOD}, headers={"Link": f'<{header(link)}>; rel="next"'})
        return Reply(body={"r": [{"id": "a"}] if way == "assets" else GOOD, "n": link})

    paging: dict[str, Any] = {"paging": "next-link", "records": "r"} | ({} if way == "Link" else {"next": "n"})
    with serving(lambda call: Reply(body={"r": []})) as other, serving(answer) as service:
        links += forged(way, other.url, service.url)
        for number in range(COUNT):
            how = ("query", "header", "bearer")[number % 3]
            with suppress(AnomscanError):
                if way.startswith("assets"):
                    listing = {"assets_url": f"{service.url}/x/{number}", "assets_records": "r", "assets_id": "id"}
                    settings = settings_of(f"{service.url}/{{asset}}", key_in=how, **paging, **listing)
                    take(Rest("far", settings, clock_of(Impatient())), Request())
                else:
                    fetch(service.url + "/x/{asset}", str(number), key_in=how, **paging)
        assert got_key(service.calls)
        assert len(service.calls) >= COUNT
        assert not got_key(other.calls)


@pytest.mark.parametrize("way", ["next", "redirect"])
def test_of_azure(way: str) -> None:
    links: list[str] = []

    def answer(call: Any) -> Reply:
        if len(service.calls) > len(links):
            return Reply(body={"models": []})
        link = links[len(service.calls) - 1]
        return (
            Reply(302, b"", {"Location": header(link)})
            if way == "redirect"
            else Reply(body={"models": [], "nextLink": link})
        )

    with serving(lambda call: Reply(body={"models": []})) as other, serving(answer) as service:
        links += forged(way, other.url, service.url)
        for _ in range(COUNT):
            with closing(mvad(service.url)) as client, suppress(AnomscanError):
                client.models()
        assert got_key(service.calls)
        assert len(service.calls) >= COUNT
        assert not got_key(other.calls)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["webhook", "alertmanager", "apprise"])
def test_of_notifications(way: str) -> None:
    links: list[str] = []

    def answer(call: Any) -> Reply:
        return Reply(302 + 5 * (len(service.calls) % 2), b"", {"Location": header(links[len(service.calls) - 1])})

    with serving(lambda call: Reply()) as other, serving(answer) as service:
        links += forged(way, other.url, service.url)
        if way == "webhook":
            route: Any = WebhookRoute(name="n", sink="webhook", url=service.url, token=KEY)
        elif way == "alertmanager":
            route = AlertmanagerRoute(name="n", sink="alertmanager", url=service.url, token=KEY)
        else:
            url = service.url.replace("http://", "json://")
            route = AppriseRoute(name="n", sink="apprise", url=f"{url}/{KEY}?redirect=yes")
        night = Digest("n", "2026-03-10T03:15:00Z", {}, items([Told(entry(), "new", "one:new:1")]))
        for _ in range(COUNT):
            with pytest.raises(ServiceError):
                opened(route, clock_of(Impatient())).send(night)
        assert got_key(service.calls)
        assert len(service.calls) == COUNT
        assert other.calls == []


@pytest.mark.parametrize("what", ["rest", "azure"])
def test_of_settings(what: str) -> None:
    """The key goes to the host that is shown to whoever reads the settings, or nowhere."""
    with serving(lambda call: Reply(body={"models": []})) as other, serving(lambda call: Reply(body=GOOD)) as service:
        for address in forged(what, other.url, service.url):
            for each in (other, service):
                each.calls.clear()
            with suppress(AnomscanError, ValueError):
                if what == "rest":
                    fetch(address + "/{asset}", "a")
                else:
                    with closing(mvad(address)) as client:
                        client.models()
            for each in (other, service):
                assert not got_key(each.calls) or origin_of(address.strip()) == origin_of(each.url), address


def mvad(endpoint: str) -> Mvad:
    settings = AzureSettings(kind="azure", endpoint=endpoint, key=KEY, deadline_s=0.2, calls_per_minute=1e6)
    return Mvad(settings)
