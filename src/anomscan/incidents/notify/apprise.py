"""``sink = "apprise"``: a digest as a message to one of the services that Apprise knows, by its URL."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from anomscan.config import AppriseRoute
from anomscan.errors import ConfigError, MissingExtraError, ServiceError
from anomscan.incidents.notify.digest import Digest
from anomscan.incidents.notify.http import secret_of
from anomscan.incidents.notify.templates import Template, as_markdown, markdown_of
from anomscan.retrying import Clock
from anomscan.wording import seen

if TYPE_CHECKING:
    from apprise import AppriseResult

#: Of a URL, what may be a secret: any part, as Apprise puts tokens into the place of the host, too.
_PARTS = re.compile(r"[^/?&=:@,+\s]{4,}")
#: So much of what went wrong is repeated.
_WORDS = 200
_MORE = "- and more\n"
_ALARMS = {"new", "reopened", "worse"}


class Apprise:
    """A service that Apprise knows.

    Raises
    ------
    ConfigError
        A URL or template that cannot be used.
    MissingExtraError
        Apprise is not installed.
    """

    tells_open = False

    def __init__(self, route: AppriseRoute, clock: Clock) -> None:
        try:
            import apprise
        except ImportError:
            raise MissingExtraError('sink = "apprise"', "notify") from None
        logging.getLogger("apprise").propagate = False  # what it logs may hold the URL
        self._setting, self._deadline_s = f"notify '{route.name}'", route.deadline_s
        self._template = None if route.template is None else Template.read(route.template, as_markdown)
        self._url = secret_of(self._setting, "url", route.url)
        # One call after the other, in a thread of ours; redirects could take the URL's secrets elsewhere.
        asset = apprise.AppriseAsset(async_mode=False, http_redirects=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what it imports for services of others
            service = apprise.Apprise.instantiate(self._url, asset=asset)
        if not isinstance(service, apprise.NotifyBase):
            raise ConfigError(
                f"{self._setting}: url is none that Apprise can use",
                hint="https://appriseit.com has one for each service",
            )
        service.redirects = False
        service.socket_connect_timeout = service.socket_read_timeout = route.timeout_s
        self._service, self._sender = service, apprise.Apprise(services=[service], asset=asset)

    def send(self, digest: Digest) -> Sequence[str]:
        """Send a digest; see :class:`anomscan.incidents.notify.base.Sink`. Tried once; the next night tries again."""
        title, body = _title(digest), _fitting(self._text(digest), self._service.body_maxlen)
        found: list[AppriseResult | None] = []

        def send() -> None:
            try:
                found.append(self._sender.notify(body, title, _type(digest), body_format="markdown"))
            except Exception:  # noqa: BLE001, a service may fail in any way, and a traceback may hold the URL
                found.append(None)

        # Nothing limits a call as a whole: a service that never comes to an end is left to itself.
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        thread.join(self._deadline_s)
        if not found or not found[0]:
            said = self._words(found[0]) if found else "it did not answer in time"
            name = self._service.service_name
            raise ServiceError(
                f"{self._setting}: {name} did not take the message: {said}", hint="it is sent again the next night"
            )
        return ()

    def shown(self, digest: Digest) -> str:
        """The message's title and text."""
        return f"{_title(digest)}\n\n{self._text(digest)}"

    def _text(self, digest: Digest) -> str:
        content = digest.as_json()
        return markdown_of(content) if self._template is None else self._template.render(content)

    def _words(self, result: AppriseResult | None) -> str:
        """What went wrong, without any part of the URL."""
        logs = () if result is None else result.logs()
        text = "; ".join(each.message for each in logs if each.level in ("WARNING", "ERROR", "CRITICAL"))
        parts = set(_PARTS.findall(self._url.partition("://")[2]))
        for part in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
            text = text.replace(part, "***")
        return seen(text)[:_WORDS] or "it does not say why"


def _title(digest: Digest) -> str:
    return seen(f"anomscan: {digest.title}")


def _type(digest: Digest) -> str:
    """How grave it is, in Apprise's words."""
    return "warning" if _ALARMS & {item.what for item in digest.changes} else "info"


def _fitting(text: str, most: int) -> str:
    """As many of the first lines as a service takes; never a part of one, in which code would not end."""
    if len(text) <= most:
        return text
    kept = ""
    for line in text.splitlines(keepends=True):
        if len(kept) + len(line) + len(_MORE) > most:
            break
        kept += line
    return kept + _MORE
