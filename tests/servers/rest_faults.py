"""A JSON service on the loopback whose answers, and faults, a test decides call by call."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

HTML = b"<!DOCTYPE html><html><body>Please sign in</body></html>"


@dataclass(frozen=True)
class Call:
    """What a client sent."""

    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def parts(self) -> list[str]:
        return [unquote(part) for part in self.path.strip("/").split("/")]

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in found.items()}


@dataclass(frozen=True)
class Reply:
    """What the service does.

    Parameters
    ----------
    body
        Bytes, or what becomes JSON.
    pack
        Whether the body is sent as gzip.
    length
        What Content-Length says; None for the truth, "none" for no such header (the end is that of the connection).
    cut
        Bytes of the body after which the connection is reset; -1: before the status line.
    pieces, pause_s
        In how many pieces the body is sent, and the pause before each.
    drip_s
        Where set, the headers come byte by byte, without end.
    """

    status: int = 200
    body: Any = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    pack: bool = False
    length: int | str | None = None
    cut: int | None = None
    pieces: int = 1
    pause_s: float = 0.0
    drip_s: float | None = None


class Service:
    """A running service: where it is, and the calls it got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Call] = []
        self.most_at_once = 0
        self.at_once = 0
        self.connections = 0
        self.gone = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def counted(self, call: Call) -> Iterator[None]:
        with self._lock:
            self.calls.append(call)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""


@contextmanager
def serving(answer: Callable[[Call], Reply], tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """A service that answers as it is told, for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            service.connections += 1

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with service.counted(call), suppress(OSError):
                self._send(answer(call))

        def do_POST(self) -> None:
            self.do_GET()

        def _send(self, reply: Reply) -> None:
            if reply.drip_s is not None:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not service.gone.wait(reply.drip_s):
                    self.wfile.write(b"x")
                return
            if reply.cut == -1:
                self._reset()
                return
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            if reply.pack:
                body = gzip.compress(body, 1)
            self.send_response(reply.status)
            if reply.pack:
                self.send_header("Content-Encoding", "gzip")
            if reply.length == "none" or reply.cut is not None:
                self.close_connection = True
            if reply.length != "none" and reply.status != 204:
                self.send_header("Content-Length", str(len(body) if reply.length is None else reply.length))
            if isinstance(reply.length, int):
                self.close_connection = True
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.cut is not None:
                self.wfile.write(body[: reply.cut])
                self._reset()
                return
            step = -(-len(body) // reply.pieces) or 1
            for start in range(0, len(body), step):
                if reply.pause_s and service.gone.wait(reply.pause_s):
                    return
                self.wfile.write(body[start : start + step])

        def _reset(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    service = Service(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.gone.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Impatient:
    """A clock that never really waits: a thread that sleeps is later by its own clock alone."""

    def __init__(self, uniform: Callable[[float, float], float] = max) -> None:
        self._own = threading.local()
        self.waits: list[float] = []
        self.uniform = uniform

    def monotonic(self) -> float:
        return time.monotonic() + float(getattr(self._own, "slept", 0.0))

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._own.slept = getattr(self._own, "slept", 0.0) + seconds
