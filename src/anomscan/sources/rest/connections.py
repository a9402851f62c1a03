"""Connections that can be cut from another thread, even while data trickles in."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import LocationParseError, ProxySchemeUnknown

from anomscan.errors import ConfigError


class _NoQueries(logging.Filter):
    """Removes queries from what the HTTP library logs, because they may contain the key."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


for _place in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_place}").addFilter(_NoQueries())  # a filter does not reach the loggers below

_thread = threading.local()


class Watch:
    """The calls under way: when each must be over, and the socket it waits on.

    The time-outs of a socket start again with every byte; a service that sends one now and then would hold a call
    for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[int, tuple[float, socket.socket | None]] = {}

    @contextmanager
    def until(self, end: float) -> Iterator[None]:
        """Watch the call that this thread makes in the block."""
        me = threading.get_ident()
        self._calls[me] = (end, None)
        _thread.watch = self
        try:
            yield
        finally:
            _thread.watch = None
            with self._lock:
                del self._calls[me]

    def waits_on(self, waited_on: socket.socket | None) -> None:
        """Register the socket that this thread's call waits on."""
        me = threading.get_ident()
        with self._lock:
            self._calls[me] = (self._calls[me][0], waited_on)

    def cut(self, now: float, how: int = socket.SHUT_RDWR) -> None:
        """Cut the calls that should be over by now: both ways, or as ``socket.shutdown`` names it."""
        with self._lock:
            for end, waited_on in self._calls.values():
                if end <= now and waited_on is not None:
                    with suppress(OSError):  # it is closed already
                        waited_on.shutdown(how)


def _tell(connection: HTTPConnection) -> None:
    watch: Watch | None = getattr(_thread, "watch", None)
    if watch is not None and isinstance(connection.sock, socket.socket):
        watch.waits_on(connection.sock)


class _Plain(HTTPConnection):
    def send(self, data: Any) -> None:
        super().send(data)
        _tell(self)


class _Secure(HTTPSConnection):
    def send(self, data: Any) -> None:
        super().send(data)
        _tell(self)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


class Connections:
    """Pools of connections, straight or through the proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``).

    Parameters
    ----------
    most
        How many are kept to a host.
    ca
        Certificates to trust instead of the system's.
    """

    def __init__(self, most: int, ca: Path | None) -> None:
        self._most = most
        self._ca = ca
        self._managers: dict[tuple[str, str | None], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def to(self, url: str) -> urllib3.PoolManager:
        """The pools for a URL.

        Raises
        ------
        ConfigError
            If the certificates cannot be read, or the environment names a proxy that cannot be used.
        """
        scheme = urlsplit(url).scheme
        proxy = _proxy(url)
        with self._lock:
            if (scheme, proxy) not in self._managers:
                # Reading the system's certificates is slow, and plain HTTP does not need them.
                tls = self._trusting() if "https" in (scheme, urlsplit(proxy or "").scheme) else None
                self._managers[scheme, proxy] = self._made(proxy, tls)
            return self._managers[scheme, proxy]

    def close(self) -> None:
        """Close idle connections."""
        for manager in self._managers.values():
            manager.clear()

    def _trusting(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca)
        except (ssl.SSLError, OSError) as error:
            why = error.strerror if isinstance(error, FileNotFoundError) else "no certificates in PEM form"
            raise ConfigError(f"the certificates in {self._ca} cannot be read: {why}") from None

    def _made(self, proxy: str | None, tls: ssl.SSLContext | None) -> urllib3.PoolManager:
        if proxy is None:
            manager = urllib3.PoolManager(maxsize=self._most, ssl_context=tls)
        else:
            try:
                login = urllib3.util.parse_url(proxy).auth
                headers = urllib3.make_headers(proxy_basic_auth=unquote(login)) if login else None
                manager = urllib3.ProxyManager(
                    proxy, maxsize=self._most, ssl_context=tls, proxy_headers=headers, proxy_ssl_context=tls
                )
            except (LocationParseError, ProxySchemeUnknown):
                raise ConfigError(
                    "the proxy that the environment names cannot be used", hint="write it as http://host:port"
                ) from None
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
