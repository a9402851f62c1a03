"""A message by SMTP: what a real server gets, and what never leaves us in the clear."""

from __future__ import annotations

import contextlib
import email
import email.policy
import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, Envelope, Session
from pydantic import ValidationError

from anomscan.config import MailRoute, load
from anomscan.errors import ConfigError, ServiceError
from anomscan.incidents.ledger import WEEKLY, Entry, Ledger
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.nights import Change
from anomscan.incidents.notify import outbox
from anomscan.incidents.notify.digest import Digest, Told, items
from anomscan.incidents.notify.registry import opened
from anomscan.jobs import notify
from anomscan.retrying import Clock
from incidents.entries import entry
from processes import PATIENCE_S
from servers.certificates import write_certificates
from servers.smtp import serving

HIDDEN = "s3cret-that-must-not-show"
DIGEST = Digest(
    "ops", "2026-03-10T03:15:00Z", {("fleet", "chart"): "2026-03-09"}, items([Told(entry(), "new", "one:new:1")])
)


class Console:
    """What was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        self.said.append(message)

    error = data = info


class Post:
    """Takes messages, or says no."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.reply = "250 OK"
        self.refused: set[str] = set()

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.encrypted.append(session.ssl is not None)
        self.envelopes.append(envelope)
        return self.reply

    def message(self) -> EmailMessage:
        content = self.envelopes[-1].content
        assert isinstance(content, bytes)
        return email.message_from_bytes(content, policy=email.policy.default)  # type: ignore[return-value]


def route(port: int, **settings: object) -> MailRoute:
    given = {"name": "ops", "sink": "mail", "host": "127.0.0.1", "port": port, "security": "none"}
    return MailRoute.model_validate({**given, "sender": "scan@example.com", "to": ["ops@example.com"], **settings})


def send(port: int, digest: Digest = DIGEST, **settings: object) -> Sequence[str]:
    return opened(route(port, **settings), Clock()).send(digest)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, "localhost")
    return folder


def tls_of(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    return context


def test_a_digest_is_a_message_of_text_and_html() -> None:
    post = Post()
    with serving(post) as port:
        send(port, to=["ops@example.com", "boss@example.com"])
    message = post.message()
    assert post.envelopes[-1].rcpt_tos == ["ops@example.com", "boss@example.com"]
    assert message["Subject"] == "anomscan: 1 new"
    assert message["Message-ID"] == f"<{DIGEST.key}@ops.anomscan>"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert entry().asset in text.get_content()
    assert entry().asset in html.get_content()


@pytest.mark.parametrize(
    "asset", ["x\r\nBcc: evil@example.com", "<b>x</b>", "x\n.\nMAIL FROM:<a@b>", "\x1b[31mred", "é\u2028x"]
)
def test_ids_change_no_header_and_no_page(asset: str) -> None:
    post = Post()
    with serving(post) as port:
        send(port, replace(DIGEST, changes=items([Told(replace(entry(), asset=asset), "new", "one:new:1")])))
    message = post.message()
    assert post.envelopes[-1].rcpt_tos == ["ops@example.com"]
    assert len(post.envelopes) == 1
    assert message["Bcc"] is None
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "<b><b>" not in html.get_content()
    assert "\x1b" not in text.get_content()


def test_a_password_goes_over_tls_alone(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", HIDDEN)
    seen: list[bytes] = []

    def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        seen.append(data.password)
        return AuthResult(success=data.password == HIDDEN.encode(), handled=False)

    post = Post()
    options = {"tls_context": tls_of(certificates), "authenticator": login, "auth_required": True}
    settings = {
        "host": "localhost", "security": "starttls", "user": "scan", "password": "env:MAIL_PASSWORD",
        "ca": certificates / "ca.pem",
    }  # fmt: skip
    with serving(post, **options) as port:
        send(port, **settings)
        assert (post.encrypted, seen) == ([True], [HIDDEN.encode()])
        monkeypatch.setenv("MAIL_PASSWORD", "wrong")
        with pytest.raises(ServiceError, match="535, user and password are not accepted"):
            send(port, **settings)


def test_a_server_without_tls_or_of_another_name_gets_nothing(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", HIDDEN)
    caplog.set_level(logging.DEBUG)
    settings = {"user": "scan", "password": "env:MAIL_PASSWORD", "security": "starttls"}
    post = Post()
    with serving(post) as port, pytest.raises(ServiceError, match="STARTTLS"):
        send(port, **settings)
    with (
        serving(post, tls_context=tls_of(certificates)) as port,
        pytest.raises(ServiceError, match="certificate verify failed") as raised,
    ):
        send(port, **settings)
    assert post.envelopes == []
    assert HIDDEN not in f"{raised.value}{caplog.text}"


def test_what_a_server_does_not_take_is_not_delivered() -> None:
    post = Post()
    with serving(post) as port:
        post.reply = f"451 later, {HIDDEN}\x1b"
        with pytest.raises(ServiceError, match="did not take the message: 451 later"):
            send(port)
        post.reply = "250 OK"
        post.refused = {"boss@example.com"}
        assert send(port, to=["ops@example.com", "boss@example.com"]) == ("boss@example.com",)
        post.refused = {"ops@example.com"}
        with pytest.raises(ServiceError, match=r"refused ops@example.com"):
            send(port)
    with pytest.raises(ServiceError, match="did not take the message"):
        send(port)


def test_only_who_refused_gets_it_again(tmp_path: Path) -> None:
    one, other = entry("S1"), entry("S2")
    post, console = Post(), Console()
    with serving(post) as port:
        (tmp_path / "anomscan.toml").write_text(
            '[[notify]]\nname = "desk"\nsink = "mail"\nhost = "127.0.0.1"\nsecurity = "none"\n'
            f'port = {port}\nsender = "scan@example.com"\n'
            'to = ["ops@example.com", "boss@example.com", "eve@example.com"]\n'
        )
        settings = load(tmp_path / "anomscan.toml", environ={}).settings
        file = LedgerFile(settings.incidents.path)

        def night(*news: Entry) -> list[list[str]]:
            """Who is sent something by a night that finds these."""
            post.envelopes.clear()
            with file.held():
                before = file.read()
                after = Ledger.of([*before.entries.values(), *news], {("fleet", "chart"): "2026-03-09"}, before.outbox)
                changes = [Change(each.id, "new") for each in news]
                file.write(outbox.post(before, after, changes, "2026-03-09", settings.notify))
            codes.append(notify.send(settings, console))
            return [each.rcpt_tos for each in post.envelopes]

        codes: list[int] = []
        post.refused = {"boss@example.com", "eve@example.com"}
        assert night(one) == [["ops@example.com"]]
        post.refused = {"boss@example.com"}
        assert night(other) == [["ops@example.com", "eve@example.com"], ["eve@example.com"]]
        ids = [post.message()["Message-ID"]]
        assert "S1" in str(post.message().get_body(("plain",)))
        assert night() == []
        post.refused.clear()
        assert night() == [["boss@example.com"]]
        text = str(post.message().get_body(("plain",)))
        assert "S1" in text
        assert "S2" in text
        assert night() == []
    assert codes == [5, 5, 5, 0, 0]
    assert (
        "notify 'desk': refused by boss@example.com, eve@example.com (they are told again the next night)"
        in console.said
    )
    assert ids[0].endswith("@desk.anomscan>")
    assert all(not each.to for each in file.read().outbox if each.tell != WEEKLY)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"to": []}, "to"),
        ({"to": ["ops@example.com\r\nBcc: x@y"]}, "is not an address"),
        ({"sender": "ops"}, "is not an address"),
        ({"user": "scan"}, "user and password go together"),
        ({"user": "scan", "password": "x"}, "no password is sent where"),
        ({"security": "ssl"}, "security"),
    ],
)
def test_settings_that_cannot_be_meant(settings: dict[str, object], said: str) -> None:
    with pytest.raises((ValidationError, ConfigError), match=said):
        route(25, **settings)


def test_an_own_template_is_plain_text(tmp_path: Path) -> None:
    template = tmp_path / "mail.txt"
    template.write_text("{{ digest.title }}: {{ digest.changes | length }}", "utf-8")
    post = Post()
    with serving(post) as port:
        send(port, template=template)
    assert post.message().get_content().strip() == "1 new: 1"
    shown = opened(route(25), Clock()).shown(DIGEST)
    assert shown.startswith("Subject: anomscan: 1 new\n\n")


def test_a_server_that_never_comes_to_an_end_is_cut_off() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            while True:
                client.sendall(b"220-welcome\r\n")

    talker = threading.Thread(target=talk)
    talker.start()
    with listener, pytest.raises(ServiceError, match="did not take the message"):
        send(listener.getsockname()[1], timeout_s=PATIENCE_S, deadline_s=0.2)
    talker.join()


def test_tls_from_the_first_byte(certificates: Path) -> None:
    post = Post()
    with serving(post, ssl_context=tls_of(certificates)) as port:
        send(port, host="localhost", security="tls", ca=certificates / "ca.pem")
    assert len(post.envelopes) == 1
