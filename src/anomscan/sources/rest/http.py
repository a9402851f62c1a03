"""One GET: limited in time and size, to its host only, without revealing the key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from threading import Event

import urllib3
from urllib3.exceptions import HTTPError

from anomscan import __version__
from anomscan.config import RestSource
from anomscan.errors import AssetError, ConfigError, ServiceError
from anomscan.retrying import Clock, TransientError, may_pass, retry_after
from anomscan.sources.rest.connections import Connections, Watch
from anomscan.sources.rest.faults import RefusedError, StoppedError, TooLongError, translated
from anomscan.sources.rest.urls import followed, has_parameter, shown_url, with_parameter
from anomscan.sources.rest.words import is_about_length, words_of

_BLOCK_BYTES = 64 << 10
#: What is read of the response to a refused call.
_WORDS_BYTES = 4 << 10
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of a service.

    Parameters
    ----------
    body
        Unpacked; None where the service says that there is none (204).
    links
        The ``Link`` header.
    url
        Where it came from, after redirects; its query may hold the key.
    """

    body: bytes | None
    links: str | None
    url: str


class Http:
    """Calls a service with the key, as the settings of a source say.

    Parameters
    ----------
    name
        The source's, for errors.
    stop
        Set when the run ends.

    Raises
    ------
    ConfigError
        A key, its name or certificates that cannot be used.
    """

    def __init__(self, name: str, settings: RestSource, clock: Clock, stop: Event) -> None:
        self._name = name
        self._settings = settings
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"anomscan/{__version__}",
        }
        self._has_key = bool(key_of(name, settings))
        self._clock = clock
        self._stop = stop
        self._watch = Watch()
        self._connections = Connections(settings.concurrency, settings.ca)

    def cut_overdue(self) -> None:
        """Cut the calls beyond their deadline, or all once the run ends."""
        self._watch.cut(float("inf") if self._stop.is_set() else self._clock.monotonic())

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    def get(self, url: str, *, end: float, room: int, contact: Event) -> Answer:
        """Call a URL, and follow redirects on its host.

        Parameters
        ----------
        end
            Reading of the monotonic clock at which the call is over.
        room
            Bytes that the body may have, unpacked.
        contact
            Set when the service answers.

        Raises
        ------
        TransientError
            Worth another call.
        AssetError
            The service has an answer that will not change, or none that can be used.
        ServiceError
            It refuses the key, or its certificate is not trusted.
        StoppedError
            The run ended meanwhile.
        """
        start = url
        for _ in range(_MOST_REDIRECTS + 1):
            with self._watch.until(end):
                answer = self._once(url, end, room, contact)
            if isinstance(answer, Answer):
                return answer
            url = answer
        raise AssetError(f"{shown_url(start)} redirects more than {_MOST_REDIRECTS} times")

    def _once(self, url: str, end: float, room: int, contact: Event) -> Answer | str:
        """The response, or the URL it redirects to."""
        left = max(end - self._clock.monotonic(), 0.001)
        timeout = urllib3.Timeout(
            connect=min(self._settings.connect_timeout_s, left), read=min(self._settings.read_timeout_s, left)
        )
        place = shown_url(url)
        manager = self._connections.to(url)
        try:
            keyed, headers = self._with_key(url)
            response = manager.request(
                "GET", keyed, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False
            )
            contact.set()
            try:
                target = self._judged(response, place)
                if target is not None:
                    hint = f"it was not called, for the key would go there; see sources.{self._name}.url"
                    return followed(target, url, f"{place} redirects to", hint)
                body = None if response.status == 204 else self._body(response, end, room, place)
                if body == b"" and self._clock.monotonic() >= end:  # the connection was cut at the deadline
                    raise TransientError(f"{place} did not finish its answer")
                response.release_conn()
                return Answer(body, ", ".join(response.headers.getlist("Link")) or None, url)
            finally:
                response.close()
        except HTTPError as error:
            raise translated(error, place, f"sources.{self._name}.ca") from None

    def _with_key(self, url: str) -> tuple[str, dict[str, str]]:
        key = key_of(self._name, self._settings)
        how, name = self._settings.key_in, key_name(self._settings)
        if not key:
            return url, self._headers
        if how == "query":
            return url if has_parameter(url, name) else with_parameter(url, name, key), self._headers
        return url, self._headers | ({name: key} if how == "header" else {"Authorization": f"Bearer {key}"})

    def _judged(self, response: urllib3.BaseHTTPResponse, place: str) -> str | None:
        """None if there is a response to read, else the URL it redirects to."""
        status = response.status
        if status in (200, 203, 204):
            return None
        target = response.headers.get("Location")
        if status in _REDIRECTS and target:
            return target
        if status == 401:
            raise ServiceError(f"{place} refuses us (401)", hint=self._key_hint)
        if status == 403:
            raise self._refusal(response, f"{place} refuses us (403)", RefusedError)
        if status == 407:
            raise ServiceError(f"the proxy before {place} refuses us (407)", hint="check $HTTPS_PROXY")
        if may_pass(status):
            wait = retry_after(response.headers.get("Retry-After"), self._clock.wall()) or 0.0
            what = "has had too many calls (429)" if status == 429 else f"failed ({status})"
            said = self._said(response)
            raise TransientError(f"{place} {what}: {said}" if said else f"{place} {what}", wait_s=wait)
        if status in (404, 410):
            said = self._said(response)
            what = f"{place} is not there ({status})"
            hint = f"see sources.{self._name}.url if no asset is"
            raise AssetError(f"{what}: {said}" if said else what, hint=hint)
        raise self._refusal(response, f"{place} answered with status {status}", AssetError)

    @property
    def _key_hint(self) -> str:
        key = f"sources.{self._name}.key"
        return f"check {key}, key_in and key_name" if self._has_key else f"set {key}: no key was sent"

    def _refusal(self, response: urllib3.BaseHTTPResponse, what: str, kind: type[AssetError]) -> AssetError:
        """The error of a call that was refused, with the words of the service."""
        said = self._said(response)
        hint = None
        if is_about_length(said):
            kind = TooLongError
            hint = f"ask for a shorter stretch: lower sources.{self._name}.history_days, or give --days"
        elif kind is RefusedError:
            hint = self._key_hint
        return kind(f"{what}: {said}" if said else what, hint=hint)

    def _said(self, response: urllib3.BaseHTTPResponse) -> str:
        """The words of the service; "" where it has none."""
        try:
            return words_of(response.read(_WORDS_BYTES, decode_content=True), key_of(self._name, self._settings))
        except HTTPError:
            return ""

    def _body(self, response: urllib3.BaseHTTPResponse, end: float, room: int, place: str) -> bytes:
        large = AssetError(
            f"the answer of {place} is larger than max_response_mb = {self._settings.max_response_mb:g} allows",
            hint="raise it, or ask for a shorter stretch",
        )
        if (response.length_remaining or 0) > room:
            raise large
        blocks: list[bytes] = []
        while block := response.read1(_BLOCK_BYTES):
            blocks.append(block)
            room -= len(block)
            if room < 0:
                raise large
            if self._stop.is_set():
                raise StoppedError
            if self._clock.monotonic() >= end:
                raise TransientError(f"{place} did not finish its answer")
        return b"".join(blocks)


def key_name(settings: RestSource) -> str:
    """The parameter or header that takes the key."""
    return settings.key_name or ("code" if settings.key_in == "query" else "x-functions-key")


def key_of(name: str, settings: RestSource) -> str:
    """The key, "" for none.

    Raises
    ------
    ConfigError
        If the key or its name cannot be sent. The key is not in the message.
    """
    key = settings.key.get_secret_value().strip() if settings.key else ""
    if re.search(r"[\x00-\x1f\x7f]", key) or (settings.key_in != "query" and not key.isascii()):
        raise ConfigError(
            f"sources.{name}.key has characters that cannot be sent", hint="was it copied with a line break?"
        )
    if settings.key_in == "header" and not _TOKEN.fullmatch(key_name(settings)):
        raise ConfigError(f"sources.{name}.key_name is not the name of a header")
    return key
