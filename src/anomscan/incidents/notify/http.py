"""One POST: limited in time, to one place only, revealing neither the address's path nor a key."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from anomscan import __version__
from anomscan.errors import ConfigError, ServiceError
from anomscan.retrying import Backoff, Clock, Deadline, GaveUpError, TransientError, may_pass, persist, retry_after
from anomscan.sources.rest.connections import Connections, Watch
from anomscan.sources.rest.faults import translated
from anomscan.sources.rest.urls import checked, shown_host
from anomscan.sources.rest.words import words_of
from anomscan.tables.secrets import resolve

_BACKOFF = Backoff(1.0, 20.0, jitter=(0.5, 1.0))
_WORDS_BYTES = 4 << 10


@dataclass(frozen=True, slots=True)
class Address:
    """Where to POST, and how long it may take.

    Parameters
    ----------
    setting
        What the target is called in errors: ``notify 'ops'``.
    url
        May be a reference; its path may be a secret and is never shown.
    timeout_s, deadline_s
        For one try, and for all of them.
    ca
        Certificates to trust instead of the system's.
    """

    setting: str
    url: SecretStr
    timeout_s: float
    deadline_s: float
    ca: Path | None = None


def secret_of(setting: str, key: str, reference: SecretStr | None) -> str:
    """The secret that a setting means, "" for none.

    Raises
    ------
    ConfigError
        If there is none, or it cannot be sent. The secret is not in the message.
    """
    text = "" if reference is None else resolve(reference).get_secret_value().strip()
    if not text.isascii() or not text.isprintable():
        raise ConfigError(
            f"{setting}: {key} has characters that cannot be sent", hint="was it copied with a line break?"
        )
    return text


class Poster:
    """Posts JSON to an address, again where that may help; follows no redirect.

    Raises
    ------
    ConfigError
        An address or certificates that cannot be used.
    """

    def __init__(self, address: Address, clock: Clock, secret: str = "") -> None:
        self._address, self._clock, self._secret = address, clock, secret
        self._url = checked(resolve(address.url).get_secret_value(), f"{address.setting}: url")
        self._connections = Connections(1, address.ca)
        self._watch = Watch()

    def post(self, body: bytes, headers: Mapping[str, str], path: str = "") -> None:
        """Post, until it is answered with 2xx.

        Parameters
        ----------
        path
            Below the address.

        Raises
        ------
        ServiceError
            It is not taken, or nobody knows whether it is.
        """
        manager, parts = self._connections.to(self._url), urlsplit(self._url)
        url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + path)) if path else self._url
        whole = {"Content-Type": "application/json", "User-Agent": f"anomscan/{__version__}", **headers}
        deadline = Deadline(self._clock, self._address.deadline_s)
        try:
            persist(
                lambda: self._once(manager, url, body, whole),
                _BACKOFF,
                deadline,
                self._clock,
                self._clock.sleep or threading.Event().wait,
            )
        except GaveUpError as error:
            raise ServiceError(f"{self._address.setting}: {error}", hint="it is sent again the next night") from None
        finally:
            self._connections.close()

    def _once(self, manager: urllib3.PoolManager, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        place, limit_s = shown_host(url), self._address.timeout_s
        # The time-outs of a socket start again with every byte. Only reading ends: once both ways are shut, a byte that
        # still comes resets the connection, and the status that was received before is lost.
        cutter = threading.Timer(limit_s, self._watch.cut, (float("inf"), socket.SHUT_RD))
        try:
            with self._watch.until(0.0):
                cutter.start()
                response = manager.request(
                    "POST",
                    url,
                    body=body,
                    headers=dict(headers),
                    timeout=limit_s,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                try:
                    self._judge(response, place)
                finally:
                    response.close()
        except HTTPError as error:
            if cutter.finished.is_set():
                raise TransientError(f"{place} did not answer in time") from None
            trouble = translated(error, place, f"ca of {self._address.setting}")
            if isinstance(trouble, ServiceError):
                trouble = ServiceError(f"{self._address.setting}: {trouble.message}", hint=trouble.hint)
            raise trouble from None
        finally:
            cutter.cancel()

    def _judge(self, response: urllib3.BaseHTTPResponse, place: str) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            target = shown_host(response.headers.get("Location") or "")
            raise ServiceError(
                f"{self._address.setting}: {place} redirects ({status}) to {target}, which was not called",
                hint="name the address itself in url",
            )
        try:
            said = words_of(response.read(_WORDS_BYTES, decode_content=True), self._secret)
        except HTTPError:
            said = ""
        told = f"{place} answered with status {status}{': ' if said else ''}{said}"
        if may_pass(status):
            wait_s = retry_after(response.headers.get("Retry-After"), self._clock.wall()) or 0.0
            raise TransientError(told, wait_s=wait_s)
        raise ServiceError(f"{self._address.setting}: {told}", hint="it is sent again the next night")
