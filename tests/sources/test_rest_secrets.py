"""The key is in what is sent, and nowhere else."""

from __future__ import annotations

import logging
import random
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import numpy as np
import pytest
from urllib3.util import parse_url

from anomscan.errors import AnomscanError, AssetError, ConfigError, ServiceError
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.sources.base import Request
from anomscan.sources.rest.source import Rest
from anomscan.sources.rest.urls import followed, with_parameter
from anomscan.store.store import Store
from servers.rest_client import GOOD, KEY, clock_of, fetch, settings_of, take
from servers.rest_faults import HTML, Impatient, Reply, serving


def test_the_key_is_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    also = "not-to-be-seen-either"
    replies = {
        "good": Reply(body=GOOD),
        "gone": Reply(404, KEY.encode()),
        "html": Reply(body=HTML + KEY.encode()),
        "moved": Reply(302, b"", {"Location": f"http://localhost:1/?code={KEY}"}),
        "large": Reply(body=b" " * 200_000),
        "reset": Reply(cut=-1),
        "busy": Reply(503),
        "headers": Reply(body=GOOD, headers={"Bad header": "x"}),
    }
    store = Store.create(tmp_path / "store")
    said: list[str] = []
    with serving(lambda call: replies[call.parts[1]]) as service:
        for how in ("query", "header", "bearer"):
            settings = settings_of(f"{service.url}/api/{{asset}}?also={also}", key_in=how, max_response_mb=0.1)
            source = Rest("far", settings, clock_of(Impatient()))
            said += [repr(settings), str(settings), repr(source), str(vars(source)["_settings"])]
            report = fetch_into(store, source, Request(tuple(replies)), now=np.datetime64("2024-03-09", "us"))
            assert {failure.asset for failure in report.failures} == set(replies) - {"good", "headers"}
            for failure in report.failures:
                said += [str(failure.error), repr(failure), *traceback.format_exception(failure.error)]
            said += [report.summary, *report.warnings]
        assert all(KEY in call.target or KEY in str(call.headers) for call in service.calls)
    with serving(lambda call: Reply(401)) as service, pytest.raises(AnomscanError) as caught:
        fetch(f"{service.url}?also={also}", "a")
    said += traceback.format_exception(caught.value)
    said += [caplog.text, *capfd.readouterr(), *(str(record.args) for record in caplog.records)]
    assert "urllib3" in caplog.text
    said += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for text in said:
        assert KEY not in text
        assert also not in text


FORGED = [
    r"http://{evil}\@{good}/x",
    r"\\{evil}/x",
    r"/\{evil}/x",
    r"http:\\{evil}\x",
    "//{evil}/x",
    "///{evil}/x",
    "http://{good}@{evil}/x",
    "http://user@{good}/x",
    "http://{evil}#@{good}/x",
    "http://{evil}?@{good}/x",
    "ht\ntp://{evil}/x",
    "/\t/{evil}/x",
    "http://{evil}\x00@{good}/x",
    "http://{evil} @{good}/x",
    "http://{evil}\u3000@{good}/x",
    "http://{good}\uff0f@{evil}/x",
    "\u00a0http://{evil}/x",
    "HTTP://{evil}/x",
]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["query", "header", "bearer"])
@pytest.mark.parametrize("way", ["next", "Link", "redirect", "assets"])
def test_no_link_takes_the_key_to_another_host(how: str, way: str) -> None:
    asked: list[str] = []
    with serving(lambda call: Reply(body={"r": []})) as other, serving(lambda call: answer(call)) as service:
        evil, good = other.url.partition("//")[2], service.url.partition("//")[2]
        links = {str(i): link.format(evil=evil, good=good) for i, link in enumerate(FORGED)}

        def answer(call: Any) -> Reply:
            asked.append(call.target)
            link = links.get(call.parts[-1], "")
            if way == "redirect":
                return Reply(302, b"", {"Location": link.translate(dict.fromkeys(b"\n")).encode().decode("latin-1")})
            if way == "Link":
                line = link.translate(dict.fromkeys(b"\n")).encode().decode("latin-1")
                return Reply(body={"r": GOOD}, headers={"Link": f'<{line}>; rel="next"'})
            return Reply(body={"r": GOOD if way == "next" else [{"id": "a"}], "n": link})

        paging: dict[str, Any] = {"paging": "next-link", "records": "r"} | ({} if way == "Link" else {"next": "n"})
        for number in links:
            if way == "assets":
                listing = {"assets_url": f"{service.url}/{number}", "assets_records": "r", "assets_id": "id"}
                source = Rest("far", settings_of(f"{service.url}/{{asset}}", key_in=how, **paging, **listing))
                with suppress(AnomscanError):
                    take(source, Request())
            else:
                fetch(service.url + "/x/{asset}", number, key_in=how, **paging)
        assert other.calls == []
        assert {number for number in links if any(f"/{number}" in target for target in asked)} == set(links)


@pytest.mark.slow
def test_a_link_that_is_followed_leads_where_the_connection_goes() -> None:
    random_ = random.Random(5)
    pieces = [
        "http:",
        "https:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "?",
        "#",
        "good",
        "evil",
        ".",
        "%2e",
        "%40",
        "%5c",
        ":80",
        "[",
    ]
    pieces += [
        "]",
        "x",
        " ",
        "\t",
        "\n",
        "\x00",
        "\x85",
        "\u2028",
        "\u3002",
        "\uff0f",
        "\uff20",
        "..",
        ";",
        "&code=1",
        "\ud800",
    ]
    links = ["".join(random_.choices(pieces, k=random_.randint(1, 9))) for _ in range(20_000)]
    refused = 0
    for link in links:
        try:
            target = followed(link, "http://good/api/a?x=1", "it is on", "no")
        except AssetError:
            refused += 1
            continue
        for sent in (target, with_parameter(target, "code", "key")):
            to = parse_url(sent)
            assert (to.host, to.auth, to.port or {"http": 80, "https": 443}[str(to.scheme)]) in (
                ("good", None, 80),
                ("good", None, 443),
            ), (link, sent)
    assert 0.3 < refused / len(links) < 0.9


@pytest.mark.parametrize("key", ["url", "assets_url"])
@pytest.mark.parametrize(
    "url", [r"https://evil\@good/{asset}", r"https://good\x/{asset}", "https://good/\u2028{asset}"]
)
def test_a_url_of_the_settings_is_read_in_one_way_only(key: str, url: str) -> None:
    urls = {"url": "https://good/{asset}"} | {key: url}
    with pytest.raises(ConfigError, match=f"{key}.* a backslash"):
        Rest("far", settings_of(**urls))


@pytest.mark.parametrize("key", [KEY, "a b+c/d=&%é"])
@pytest.mark.parametrize("place", ["asset", "all", "list", "long"])
def test_a_key_that_the_service_repeats_is_masked_however_it_is_spelt(key: str, place: str) -> None:
    spelt = [key, quote(key, safe=""), quote(key), quote_plus(key)]
    body = {"message": ("x" * 190 if place == "long" else "") + " and ".join(spelt)}
    answer = Reply(403 if place == "all" else 200, body)
    with serving(lambda call: answer if place != "asset" or call.parts[1] == "a" else Reply(body=GOOD)) as service:
        keys: dict[str, object] = {"key": key, "key_in": "query"}
        if place == "list":
            keys["assets_url"] = service.url + "/list"
        try:
            _, failures, notices = fetch(service.url + "/api", *([] if place == "list" else ["a", "b"]), **keys)
            said = " ".join([*failures.values(), *notices])
        except ServiceError as error:
            said = str(error)
    assert said
    for each in spelt:
        assert each[:8] not in said
