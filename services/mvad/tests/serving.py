"""A server of this package, started as its user would, and what tests say to it."""

import contextlib
import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anomscan_mvad import shapes

ROOT = "/anomalydetector/v1.1/multivariate"
KEY = "0123456789abcdef0123456789abcdef"

#: Far more than any test needs, on a busy machine too.
PATIENCE_S = 600
MOST_ANSWERS = 20_000


SHAPES: list[tuple[str, str, shapes.Shape]] = [
    ("POST", r"/models", shapes.MODEL),
    ("GET", r"/models(\?.*)?", shapes.MODEL_LIST),
    ("GET", r"/models/[^?/]+", shapes.MODEL),
    ("POST", r"/models/[^/]+:detect-batch", shapes.RESULT),
    ("GET", r"/detect-batch/.+", shapes.RESULT),
    ("POST", r"/models/[^/]+:detect-last", shapes.LAST_RESULT),
]


class Served:
    """A running server and its plain HTTP; the shape of every answer is checked."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, lines: "queue.Queue[str]") -> None:
        self.process = process
        self.port = port
        self.lines = lines
        self.url = f"http://127.0.0.1:{port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, root: str = ROOT
    ) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Ocp-Apim-Subscription-Key": KEY, "Content-Type": "application/json"} if headers is None else headers
        try:
            connection.request(method, root + path, raw, given)
            answer = connection.getresponse()
            text = answer.read()
            shown = {k.lower(): v for k, v in answer.headers.items()}
        finally:
            connection.close()
        body = json.loads(text) if text else None
        if answer.status in (200, 201, 202):
            shape = next(s for verb, known, s in SHAPES if verb == method and re.fullmatch(known, path))
            assert shapes.misfit(body, shape) is None, body
        return answer.status, shown, body

    def wait(self, path: str) -> dict[str, Any]:
        """Poll until READY or FAILED. A server that died answers no more; one that never ends is given up."""
        for _ in range(MOST_ANSWERS):
            status, _, body = self.ask("GET", path)
            assert status == 200, body
            part = body.get("modelInfo") or body["summary"]
            if part["status"] in ("READY", "FAILED"):
                return body
            time.sleep(0.1)
        raise AssertionError(f"{path} is still {part['status']}")

    def train(self, **fields: Any) -> str:
        status, _, body = self.ask("POST", "/models", training(**fields))
        assert status == 201, body
        return str(body["modelId"])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def training(**fields: Any) -> dict[str, Any]:
    return {
        "dataSource": "table.csv",
        "startTime": "2024-01-01T00:00:00Z",
        "endTime": "2024-01-01T06:39:00Z",
        "slidingWindow": 28,
        **fields,
    }


@contextlib.contextmanager
def serving(data: Path, *options: str, key: bool = True, quick: bool = True) -> Iterator[Served]:
    data.mkdir(parents=True, exist_ok=True)
    if key:
        (data / "key.txt").write_text(KEY)
        options = (*options, "--key-file", str(data / "key.txt"))
    if quick:
        options = (*options, "--stride", "10")
    process = subprocess.Popen(
        [sys.executable, "-m", "anomscan_mvad", "serve", "--port", "0", "--data", str(data), *options],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            lines.put(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        port = re.search(r":(\d+)\s*$", lines.get(timeout=PATIENCE_S))
        assert port is not None
        yield Served(process, int(port[1]), lines)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        reader.join(PATIENCE_S)
        if process.stderr is not None:
            process.stderr.close()
