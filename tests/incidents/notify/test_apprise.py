"""Apprise, by its own JSON service to a receiver of ours: what arrives, and what never leaves us."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from anomscan.config import AppriseRoute
from anomscan.errors import ConfigError, MissingExtraError, ServiceError
from anomscan.incidents.notify.digest import Digest, Told, items
from anomscan.incidents.notify.registry import opened
from anomscan.incidents.notify.templates import markdown_of
from anomscan.retrying import Clock
from incidents.entries import entry
from incidents.notify.test_digest import HOSTILE
from servers.rest_faults import Reply, serving

HIDDEN = "s3cret-that-must-not-show"


@pytest.fixture(autouse=True)
def _logging_as_in_a_run_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest listens to loggers that an earlier test has shut off, too.
    monkeypatch.setattr(logging.getLogger("apprise"), "propagate", True)


def digest(*assets: str, what: str = "new", is_test: bool = False) -> Digest:
    told = [Told(entry(asset), what, f"{asset}:{what}:1") for asset in assets]
    return Digest("chat", "2026-03-10T03:15:00Z", {("fleet", "chart"): "2026-03-09"}, items(told), None, is_test)


def of(url: str) -> str:
    """The URL in Apprise's words."""
    return url.replace("http", "json", 1)


def send(url: str, what: Digest, **settings: object) -> None:
    opened(AppriseRoute.model_validate({"name": "chat", "sink": "apprise", "url": url, **settings}), Clock()).send(what)


def body(what: Digest, query: str = "", **settings: object) -> dict[str, str]:
    with serving(lambda call: Reply()) as service:
        send(f"{of(service.url)}/hook{query}", what, **settings)
    (call,) = service.calls
    found: dict[str, str] = json.loads(call.body)
    return found


def test_a_digest_is_a_message_with_a_title_and_a_degree() -> None:
    found = body(digest("S1"))
    assert (found["title"], found["type"]) == ("anomscan: 1 new", "warning")
    assert found["message"] == markdown_of(digest("S1").as_json()).strip()
    assert body(digest("S1", what="closed"))["type"] == "info"
    assert "This is a test" in body(digest(is_test=True))["message"]


def test_an_own_template_makes_another_text_in_which_ids_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "chat.md").write_text("{{ digest.title }}: {{ digest.changes[0].incidents[0].asset }}", "utf-8")
    assert body(digest("<S1>"), template=tmp_path / "chat.md")["message"] == "1 new: `\u2039S1\u203a`"


@pytest.mark.slow
@pytest.mark.parametrize("asset", HOSTILE)
def test_hostile_ids_are_text_in_what_apprise_makes_of_it(asset: str) -> None:
    tags = re.compile(r"<[^>]*>")
    shown, plain = (body(digest(each), "?format=html")["message"] for each in (asset, "S1"))
    assert tags.findall(shown) == tags.findall(plain)
    assert not re.search("@[a-z]|<!", shown)
    text, plain = (body(digest(each), "?format=text")["message"] for each in (asset, "S1"))
    assert len(text.splitlines()) == len(plain.splitlines())
    assert not re.search("@[a-z]|[<\x00-\x09\x0b-\x1f\u202e]", text)


def test_what_a_service_does_not_take_is_cut_at_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "body_maxlen", 300)
    found = body(digest(*(f"S{n}" for n in range(30))))["message"]
    assert len(found) <= 300
    assert found.endswith("- and more")
    assert found.count("`") == 4 * found.count("dropped") > 4


@pytest.mark.parametrize("reply", [Reply(500, HIDDEN.encode()), Reply(403), Reply(cut=-1)])
def test_what_is_not_taken_is_told_without_any_part_of_the_url(
    reply: Reply, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(lambda call: reply) as service:
        monkeypatch.setenv("CHAT", f"{of(service.url)}/{HIDDEN}/?:key={HIDDEN}&+X-Key={HIDDEN}")
        route = AppriseRoute.model_validate({"name": "chat", "sink": "apprise", "url": "env:CHAT"})
        with pytest.raises(ServiceError, match="notify 'chat': JSON did not take the message: ") as caught:
            opened(route, Clock()).send(digest("S1"))
    assert HIDDEN in service.calls[0].target
    assert len(service.calls) == 1
    logged = [record.getMessage().partition("POST")[0] for record in caplog.records]
    said = [*traceback.format_exception(caught.value), *capfd.readouterr(), *logged, repr(route)]
    assert HIDDEN not in "".join(said)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed_whatever_the_url_says(status: int) -> None:
    with serving(lambda call: Reply()) as thief:
        moved = Reply(status, b"", {"Location": f"{thief.url}/{HIDDEN}"})
        with serving(lambda call: moved) as service, pytest.raises(ServiceError, match=f"error={status}"):
            send(f"{of(service.url)}/?redirect=yes", digest("S1"))
    assert thief.calls == []


def test_a_service_that_never_comes_to_an_end_is_left_in_time() -> None:
    late = pytest.raises(ServiceError, match="did not answer in time")
    with serving(lambda call: Reply(drip_s=0.01)) as service, late:
        send(of(service.url), digest("S1"), deadline_s=0.2)
    assert len(service.calls) == 1


@pytest.mark.parametrize("url", [f"nosuch://{HIDDEN}", f"slack://{HIDDEN}", HIDDEN, f"json://{HIDDEN}\n/x", ""])
def test_a_url_that_is_none_is_not_shown(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="notify 'chat': url ") as caught:
        send(url, digest("S1"))
    assert HIDDEN not in f"{caught.value}{caplog.text}"


def test_without_apprise_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingExtraError, match=r"anomscan\[notify\]"):
        send("json://host", digest("S1"))


def test_it_is_imported_by_the_target_alone() -> None:
    code = "import sys, anomscan.jobs.notify, anomscan.incidents.notify.registry; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
