"""``sink = "mail"``: a digest as a message of plain text and HTML, by SMTP."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from anomscan.config import MailRoute
from anomscan.errors import ConfigError, ServiceError
from anomscan.incidents.notify.digest import Digest
from anomscan.incidents.notify.http import secret_of
from anomscan.incidents.notify.templates import Template, html_of, text_of
from anomscan.retrying import Clock
from anomscan.wording import seen

#: So much of what a server says is repeated.
_WORDS = 200


class Mail:
    """A server that takes mail.

    Raises
    ------
    ConfigError
        A password, template or certificates that cannot be used.
    """

    tells_open = False

    def __init__(self, route: MailRoute, clock: Clock) -> None:
        self._route, self._clock = route, clock
        self._setting = f"notify '{route.name}'"
        self._password = secret_of(self._setting, "password", route.password)
        self._template = None if route.template is None else Template.read(route.template, seen)
        try:
            self._tls = ssl.create_default_context(cafile=route.ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{self._setting}: ca = {route.ca} cannot be used: {error}") from None

    def send(self, digest: Digest) -> Sequence[str]:
        """Send a digest; see :class:`anomscan.incidents.notify.base.Sink`. Tried once; the next night tries again."""
        message = self._message(digest)
        try:
            with self._limited() as connection, self._connected(connection) as server:
                refused = server.send_message(message)
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()  # it has the message, whatever it says now
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise ServiceError(
                f"{self._setting}: {self._place} did not take the message: {self._words(error)}",
                hint="it is sent again the next night",
            ) from None
        return tuple(refused)

    def shown(self, digest: Digest) -> str:
        """The message's subject and text."""
        return f"Subject: {self._subject(digest)}\n\n{self._text(digest)}"

    @property
    def _place(self) -> str:
        return f"{self._route.host}:{self._route.port}"

    def _message(self, digest: Digest) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = self._subject(digest)
        message["From"] = self._route.sender
        message["To"] = ", ".join(self._route.to)
        message["Date"] = format_datetime(datetime.fromtimestamp(self._clock.wall(), UTC))
        # The same for the same changes: programs show a message that comes twice once.
        message["Message-ID"] = f"<{digest.key}@{self._route.name.partition('/')[0]}.anomscan>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self._text(digest))
        if self._template is None:
            message.add_alternative(html_of(digest.as_json()), subtype="html")
        return message

    def _subject(self, digest: Digest) -> str:
        return seen(f"anomscan: {digest.title}")

    def _text(self, digest: Digest) -> str:
        content = digest.as_json()
        return text_of(content) if self._template is None else self._template.render(content)

    @contextmanager
    def _limited(self) -> Iterator[_Connection]:
        """A connection that is cut in the end: a time-out starts again with each line that a slow server sends."""
        route = self._route
        with closing(socket.create_connection((route.host, route.port), route.timeout_s)) as raw:
            connection = _Connection(raw)
            limit = threading.Timer(route.deadline_s, connection.cut)
            limit.start()
            try:
                yield connection
            finally:
                limit.cancel()
                limit.join()

    def _connected(self, connection: _Connection) -> smtplib.SMTP:
        route = self._route
        if route.security == "tls":
            connection.sock = self._tls.wrap_socket(connection.sock, server_hostname=route.host)
        server = connection.server = _Opened(connection.sock, route)
        try:
            if route.security == "starttls":
                server.starttls(context=self._tls)
            if route.user is not None:
                server.login(route.user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _words(self, error: Exception) -> str:
        """What went wrong, without the password, which a server may repeat."""
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return f"{error.smtp_code}, user and password are not accepted"  # its words may hold them, encoded
        said = error.smtp_error if isinstance(error, smtplib.SMTPResponseException) else str(error)
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        if isinstance(error, smtplib.SMTPResponseException):
            text = f"{error.smtp_code} {text}"
        elif isinstance(error, smtplib.SMTPRecipientsRefused):
            text = f"it refused {', '.join(error.recipients)}"
        if self._password:
            text = text.replace(self._password, "***")
        return seen(text or type(error).__name__)[:_WORDS]


@dataclass(slots=True)
class _Connection:
    """The socket of a try, and what speaks on it."""

    sock: socket.socket
    server: smtplib.SMTP | None = None

    def cut(self) -> None:
        """End it, from another thread."""
        for each in (self.sock, None if self.server is None else self.server.sock):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


class _Opened(smtplib.SMTP):
    """SMTP on a connection that is there already."""

    def __init__(self, sock: socket.socket, route: MailRoute) -> None:
        self._prepared = sock
        super().__init__(route.host, route.port, timeout=route.timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._prepared
