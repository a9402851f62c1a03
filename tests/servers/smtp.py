"""A mail server on the loopback, whose answers a test decides."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller

from processes import PATIENCE_S


class Server(Controller):
    """At a port of the system's choice."""

    def __init__(self, handler: object, **options: Any) -> None:
        self._bound = socket.create_server(("127.0.0.1", 0))
        port = self._bound.getsockname()[1]
        super().__init__(handler, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE_S, **options)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._bound, ssl=self.ssl_context)


@contextmanager
def serving(handler: object, **options: Any) -> Iterator[int]:
    """A server whose messages a handler of aiosmtpd takes; its port."""
    controller = Server(handler, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
