"""Listens on loopback, or elsewhere with a key, with a deadline for every request's head."""

import contextlib
import ipaddress
import logging
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from anomscan_mvad import limits
from anomscan_mvad.errors import StartError

MAX_CONNECTIONS = 64


class HeadDeadline(H11Protocol):
    """Closes a connection whose request head is not received in time; each connection carries one request."""

    def connection_made(self, transport: Any) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self._clock = self.loop.call_later(limits.HEADER_TIMEOUT_S, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._clock.cancel()
        super().connection_lost(exc)

    def _late(self) -> None:
        if self.cycle is None:
            self.transport.close()


def listen(host: str, port: int, keys: Sequence[str]) -> socket.socket:
    """Open the listening socket.

    Raises
    ------
    StartError
        If the address is not loopback and there is no key, or it cannot be used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"--host {host}: {error.strerror}") from None
    family, _, _, _, address = found[0]
    if not keys and not ipaddress.ip_address(str(address[0])).is_loopback:
        raise StartError(f"--host {host} is not loopback; give --key-file too, or leave --host out")
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None
    return listener


class _Server(uvicorn.Server):
    """Keeps the process alive after a signal, so that running work can be stopped in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Treat SIGINT and SIGTERM as requests to stop, and do not raise them again."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


def run(app: ASGIApp, listener: socket.socket, *, verbose: bool) -> None:
    """Serve until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s")
    config = uvicorn.Config(
        app,
        http=HeadDeadline,
        ws="none",
        lifespan="off",
        headers=[("Connection", "close")],
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=5,
        log_config=None,
        access_log=verbose,
    )
    _Server(config).run(sockets=[listener])
