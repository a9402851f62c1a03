"""A webhook: what it gets and can verify, how often it is asked, and what never leaves us."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
import traceback
from pathlib import Path
from typing import Any

import pytest

from anomscan.config import WebhookRoute
from anomscan.errors import AnomscanError, ConfigError, ServiceError
from anomscan.incidents.notify.digest import Digest, Told, items
from anomscan.incidents.notify.registry import opened
from incidents.entries import entry
from servers.rest_client import NOW, clock_of
from servers.rest_faults import HTML, Impatient, Reply, serving

HIDDEN = "s3cret-that-must-not-show"
DIGEST = Digest(
    "ops", "2026-03-10T03:15:00Z", {("fleet", "chart"): "2026-03-09"}, items([Told(entry(), "new", "one:new:1")])
)


PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "notify.md").read_text("utf-8")


def block(language: str) -> str:
    """The one of a language on the page about it."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return text


def send(url: str, clock: Impatient | None = None, digest: Digest = DIGEST, **settings: object) -> None:
    route = WebhookRoute.model_validate({"name": "ops", "sink": "webhook", "url": url, **settings})
    opened(route, clock_of(clock or Impatient())).send(digest)


@pytest.mark.parametrize(
    ("secret", "key"),
    [(HIDDEN, HIDDEN.encode()), ("whsec_" + base64.b64encode(b"\x00raw\xff").decode(), b"\x00raw\xff")],
)
def test_it_gets_the_digest_signed(secret, key, monkeypatch):
    with serving(lambda call: Reply(204, b"")) as service:
        send(f"{service.url}/hook?x=1", secret=secret, token=HIDDEN)
    (call,) = service.calls
    assert call.target == "/hook?x=1"
    assert json.loads(call.body) == DIGEST.as_json()
    assert call.headers["content-type"] == "application/json"
    assert call.headers["authorization"] == f"Bearer {HIDDEN}"
    id_, moment = call.headers["webhook-id"], call.headers["webhook-timestamp"]
    assert (id_, moment) == (DIGEST.key, str(int(NOW.timestamp())))
    signed = hmac.new(key, f"{id_}.{moment}.".encode() + call.body, hashlib.sha256).digest()
    assert call.headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()
    told: dict[str, Any] = {}
    exec(block("python"), told)  # noqa: S102, what the page tells a receiver to do
    monkeypatch.setattr("time.time", NOW.timestamp)
    assert told["is_ours"](key, call.headers, call.body)
    assert not told["is_ours"](key, call.headers, call.body + b" ")
    assert not told["is_ours"](b"another", call.headers, call.body)
    monkeypatch.setattr("time.time", lambda: NOW.timestamp() + 301)
    assert not told["is_ours"](key, call.headers, call.body)


def test_without_secrets_nothing_is_signed():
    with serving(lambda call: Reply()) as service:
        send(service.url)
    assert not {"webhook-signature", "authorization"} & set(service.calls[0].headers)


@pytest.mark.parametrize("first", [Reply(500), Reply(503), Reply(429), Reply(cut=-1)])
def test_what_may_pass_is_tried_again_with_the_same_key(first):
    replies = iter([first, first, Reply()])
    clock = Impatient()
    with serving(lambda call: next(replies)) as service:
        send(service.url, clock)
    assert len({call.headers["webhook-id"] for call in service.calls}) == 1
    assert len(service.calls) == 3
    assert len(clock.waits) == 2


@pytest.mark.parametrize("always", [Reply(500, {"error": "no\x1b[31m"}), Reply(cut=-1)])
def test_at_the_deadline_it_is_left_to_the_next_night(always):
    with serving(lambda call: always) as service, pytest.raises(ServiceError) as caught:
        send(f"{service.url}/path-{HIDDEN}", deadline_s=30)
    assert "gave up at the deadline" in str(caught.value)
    assert "sent again the next night" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(service.calls) > 2


def test_one_that_hangs_after_accepting_is_left_in_time():
    late = pytest.raises(ServiceError, match=r"notify 'ops': http://127\.0\.0\.1:\d+ did not answer in time")
    with serving(lambda call: Reply(cut=-1) if service.gone.wait() else Reply()) as service, late:
        send(service.url, timeout_s=0.2, deadline_s=0.2)
    assert json.loads(service.calls[0].body) == DIGEST.as_json()


@pytest.mark.slow
@pytest.mark.parametrize("reply", [Reply(drip_s=0.001), Reply(pause_s=600.0, body=b"x")])
def test_an_answer_of_2xx_counts_though_its_end_never_comes(reply):
    with serving(lambda call: reply) as service:
        send(service.url, timeout_s=3.0)
    assert len(service.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_what_is_refused_is_not_tried_again_at_once(status):
    with serving(lambda call: Reply(status, {"message": f"no: {HIDDEN}"})) as service, pytest.raises(ServiceError) as e:
        send(service.url, token=HIDDEN)
    assert f"answered with status {status}: no: ***" in str(e.value)
    assert len(service.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_and_carry_nothing(status):
    with serving(lambda call: Reply()) as thief:

        def answer(call):
            return Reply(status, b"", {"Location": f"{thief.url}/{HIDDEN}"})

        with serving(answer) as service, pytest.raises(ServiceError) as caught:
            send(service.url, token=HIDDEN, secret=HIDDEN)
    assert thief.calls == []
    assert f"redirects ({status}) to {thief.url}" in str(caught.value)
    assert HIDDEN not in str(caught.value)


def test_no_secret_is_in_an_error_a_log_or_a_settings_text(caplog, capfd, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HOOK", HIDDEN)
    said = []
    for reply in (Reply(500, HIDDEN.encode()), Reply(401, HTML), Reply(cut=-1), Reply(204, b"")):
        with serving(lambda call, reply=reply: reply) as service:
            settings = {"token": "env:HOOK", "secret": "env:HOOK", "deadline_s": 1}
            route = WebhookRoute.model_validate(
                {"name": "ops", "sink": "webhook", "url": f"{service.url}/{HIDDEN}?k={HIDDEN}", **settings}
            )
            said += [repr(route), str(route)]
            try:
                opened(route, clock_of(Impatient())).send(DIGEST)
            except AnomscanError as error:
                said += traceback.format_exception(error)
        assert HIDDEN in service.calls[0].target
    said += [*capfd.readouterr(), *(record.getMessage().partition("POST")[0] for record in caplog.records)]
    assert HIDDEN not in "".join(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "ftp://host/"}, "notify 'ops': url does not begin with https://"),
        ({"url": "https://a:b@host/"}, "has a user or password"),
        ({"url": "https://host/", "token": "env:NOT_SET_AT_ALL"}, "'NOT_SET_AT_ALL' is not set"),
        ({"url": "https://host/", "token": "a\nb"}, "token has characters that cannot be sent"),
        ({"url": "https://host/", "secret": "whsec_?"}, "is not base64"),
        ({"url": "https://host/", "template": "none.json"}, "none.json cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_are_told(settings, said):
    with pytest.raises(ConfigError) as caught:
        send(**settings)
    assert said in str(caught.value)


def test_a_template_makes_the_body_of_it(tmp_path):
    template = tmp_path / "slack.json"
    template.write_text(block("jinja"))
    with serving(lambda call: Reply()) as service:
        send(service.url, template=template)
        template.write_text('{"text": {{ markdown }}}')
        with pytest.raises(ConfigError, match="what its template makes is not JSON"):
            send(service.url, template=template)
    (call,) = service.calls
    text = json.loads(call.body)["text"]
    assert text.startswith("anomscan: 1 new\n**New**\n\n- `S1` dropped")
