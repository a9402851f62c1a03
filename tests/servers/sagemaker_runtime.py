"""A runtime of SageMaker on the loopback: it scores with a forest of ours, and fails as a test decides."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import boto3
import numpy as np
from botocore.config import Config
from numpy.typing import NDArray

from anomscan.detectors.rcf import Forest
from anomscan.retrying import Clock

#: Refusals: status, code, message, more of the body.
REFUSALS = {
    "throttling": (400, "ThrottlingException", "Rate exceeded", {}),
    "too-many": (429, "TooManyRequestsException", "Slow down", {}),
    "model-500": (424, "ModelError", "Received server error (500)", {"OriginalStatusCode": 500, "OriginalMessage": ""}),
    "model-400": (
        424,
        "ModelError",
        "Received client error (400)",
        {"OriginalStatusCode": 400, "OriginalMessage": "unable to evaluate payload provided"},
    ),
    "not-ready": (429, "ModelNotReadyException", "Loading", {}),
    "unavailable": (503, "ServiceUnavailable", "Try later", {}),
    "internal": (500, "InternalFailure", "Oops", {}),
    "denied": (403, "AccessDeniedException", "User is not authorized to perform: sagemaker:InvokeEndpoint", {}),
    "expired": (403, "ExpiredTokenException", "The security token SECRET-TOKEN is expired", {}),
    "too-large": (413, "RequestEntityTooLarge", "", {}),
    "size": (400, "ValidationError", "Member must have length less than or equal to 6291456", {}),
}
#: Faults of an answer that begins well.
BROKEN = ("reset", "cut", "truncated", "too-few", "too-many-scores", "nan", "text", "slow")
#: Faults that pass.
PASSING = ("throttling", "too-many", "model-500", "not-ready", "unavailable", "internal", *BROKEN)


@dataclass(frozen=True)
class Call:
    """A request: its place in their order, and what it holds."""

    number: int
    endpoint: str
    accept: str
    body: bytes

    @property
    def points(self) -> NDArray[np.float32]:
        """(n, d): as a container reads them."""
        return np.array([line.split(b",") for line in self.body.split(b"\n")], np.float32)


@dataclass
class LoopbackRuntime:
    """What a test sets, and sees.

    Parameters
    ----------
    forest
        Scores.
    fault
        For a call the name of the fault it meets, None for an answer.
    most_bytes
        Of a request; more is refused.
    slow_s
        How long a slow answer takes.
    """

    forest: Forest
    fault: Callable[[Call], str | None] = lambda call: None
    endpoint: str = "fleet-rcf"
    most_bytes: int = 6_291_456
    slow_s: float = 0.02
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)


def seeded(seed: int, rate: float, kinds: tuple[str, ...] = PASSING) -> Callable[[Call], str | None]:
    """Faults by chance, as often as ``rate`` says."""
    chance = random.Random(seed)
    return lambda call: chance.choice(kinds) if chance.random() < rate else None


@contextmanager
def serving(runtime: LoopbackRuntime) -> Iterator[LoopbackRuntime]:
    """Serve on a free port while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"runtime": runtime}))
    server.daemon_threads = True
    runtime.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield runtime
    finally:
        runtime.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session("testing", "testing", region_name="eu-west-1")


def client_of(runtime: LoopbackRuntime, mode: str = "standard", attempts: int = 1) -> Any:
    """A client of botocore; by default it tries once, so that all waiting is ours."""
    retries = {"mode": mode, "total_max_attempts": attempts}
    return _session().client(
        "sagemaker-runtime",
        endpoint_url=runtime.url,
        config=Config(retries=retries, read_timeout=5, connect_timeout=5, max_pool_connections=8),
    )


class FakeTime:
    """Time that passes only where somebody waits for it."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        with self._lock:
            return sum(self.waits)

    def wait(self, seconds: float) -> None:
        with self._lock:
            self.waits.append(seconds)

    def as_clock(self) -> Clock:
        return Clock(monotonic=self.clock, sleep=self.wait)


class _Handler(BaseHTTPRequestHandler):
    runtime: LoopbackRuntime
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        _, kind, endpoint, verb = unquote(self.path).split("/")
        assert (kind, verb, self.headers["Content-Type"]) == ("endpoints", "invocations", "text/csv")
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256")
        runtime = self.runtime
        with runtime.lock:
            call = Call(len(runtime.calls), endpoint, self.headers["Accept"], body)
            runtime.calls.append(call)
            runtime.under_way += 1
            runtime.most_under_way = max(runtime.most_under_way, runtime.under_way)
            fault = runtime.fault(call)
        try:
            self._answer(call, fault)
        finally:
            with runtime.lock:
                runtime.under_way -= 1

    def _answer(self, call: Call, fault: str | None) -> None:
        runtime = self.runtime
        if call.endpoint != runtime.endpoint:
            message = f"Endpoint {call.endpoint} of account 123456789012 not found."
            return self._refuse(400, "ValidationError", message, {})
        if len(call.body) > runtime.most_bytes:
            return self._refuse(*REFUSALS["too-large"])
        if fault in REFUSALS:
            return self._refuse(*REFUSALS[fault])
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return None
        points = call.points
        if points.shape[1] != runtime.forest.dimension:
            return self._refuse(*REFUSALS["model-400"])
        if fault == "slow":
            runtime.stopping.wait(runtime.slow_s)
        return self._scores(call, runtime.forest.score(points).tolist(), fault)

    def _scores(self, call: Call, scores: list[float], fault: str | None) -> None:
        items: list[dict[str, object]] = [{"score": score} for score in scores]
        if fault == "too-few":
            items.pop()
        elif fault == "too-many-scores":
            items.append(items[0])
        elif fault == "nan":
            items[-1] = {"score": float("nan")}
        elif fault == "text":
            items[0] = {"score": "high"}
        if call.accept == "application/jsonlines":
            content = "".join(json.dumps(item) + "\n" for item in items).encode()
        else:
            content = json.dumps({"scores": items}).encode()
        self._send(
            200, content[:-3] if fault == "truncated" else content, {"Content-Type": call.accept}, fault == "cut"
        )

    def _refuse(self, status: int, code: str, message: str, more: dict[str, object]) -> None:
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
        self._send(status, json.dumps({"message": message, "Message": message, **more}).encode(), headers, False)

    def _send(self, status: int, content: bytes, headers: dict[str, str], cut: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True
