"""The multivariate calls of v1.1 on the loopback: recordings played back, a toy model, and faults."""

from __future__ import annotations

import csv
import io
import json
import math
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3

ROOT = "/anomalydetector/v1.1/multivariate"
MODEL = "7601d2a5-a273-4833-83a4-5055de8133cf"


@dataclass(frozen=True)
class Call:
    """What a client sent; ``path`` is without the root."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """What is sent back: bytes as they are, anything else as JSON; ``cut`` ends the body early."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    delay_s: float = 0.0


Answer = Callable[[Call], Reply | None]


class Recording:
    """Recorded exchanges of the real service: each call gets the next answer it got then, the last one for good."""

    def __init__(self, *files: Path) -> None:
        self._replies: defaultdict[tuple[str, str], list[Reply]] = defaultdict(list)
        self.sent: list[tuple[str, str, Any]] = []
        for file in files:
            for entry in json.loads(file.read_text("utf-8"))["Entries"]:
                path = entry["RequestUri"].partition(ROOT)[2]
                self.sent.append((entry["RequestMethod"], path, entry["RequestBody"]))
                kept = {
                    name: value
                    for name, value in entry["ResponseHeaders"].items()
                    if name.lower() in ("operation-id", "operation-location", "location", "content-type")
                }
                body = b"" if entry["ResponseBody"] is None else entry["ResponseBody"]
                self._replies[entry["RequestMethod"], path].append(Reply(entry["StatusCode"], body, kept))

    def __call__(self, call: Call) -> Reply | None:
        replies = self._replies.get((call.method, call.path))
        if not replies:
            return None
        return replies.pop(0) if len(replies) > 1 else replies[0]


class Toy:
    """A service whose model is plain: a sample is anomalous where a variable lies more than 2 from 0.

    It reads the data it is pointed to: a path, or a URL. Its score is (e - 1) times the severity, as with the real one;
    the severity is the share of such variables.

    Parameters
    ----------
    window
        The model's sliding window: results need as many samples before them.
    """

    def __init__(self, window: int = 28, *, schema: str = "OneTable", polls: int = 1) -> None:
        self.window = window
        self.schema = schema
        self.polls = polls
        self.models: dict[str, dict[str, Any]] = {}
        self.read: list[str] = []
        self._results: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, call: Call) -> Reply | None:
        if (call.method, call.path) == ("POST", "/models"):
            return self._train(call.body)
        if call.path.startswith("/models?") or call.path == "/models":
            models = list(self.models.values())
            return Reply(200, {"models": models, "currentCount": len(models), "maxCount": 20, "nextLink": ""})
        model_id = call.path.removeprefix("/models/").partition(":")[0]
        if call.path.endswith(":detect-batch"):
            return self._detect(call.body) if model_id in self.models else _no_model()
        if call.path.startswith("/detect-batch/"):
            answers = self._results[call.path.removeprefix("/detect-batch/")]
            return Reply(200, answers.pop(0) if len(answers) > 1 else answers[0])
        if model_id not in self.models:
            return _no_model()
        if call.method == "DELETE":
            del self.models[model_id]
            return Reply(204)
        return Reply(200, self.models[model_id])

    def add_model(self, variables: list[str], model_id: str = MODEL, end: str = "2020-01-01T00:00:00Z") -> str:
        states = [{"variable": name, "filledNARatio": 0.0, "effectiveCount": 500} for name in variables]
        info = {
            "dataSchema": self.schema,
            "startTime": "2019-01-01T00:00:00Z",
            "endTime": end,
            "slidingWindow": self.window,
            "status": "READY",
            "errors": [],
            "diagnosticsInfo": {
                "modelState": {"epochIds": [10, 20], "trainLosses": [2.0, 1.0], "validationLosses": [3.0, 1.5]},
                "variableStates": states,
            },
        }
        stamps = {"createdTime": "2020-01-01T00:00:00Z", "lastUpdatedTime": "2020-01-01T00:00:01Z"}
        self.models[model_id] = {"modelId": model_id, **stamps, "modelInfo": info}
        return model_id

    def _train(self, body: Any) -> Reply:
        table = _table(body["dataSource"], self.read)
        self.window, self.schema = body["slidingWindow"], body["dataSchema"]
        model_id = self.add_model(sorted(table), f"model-{len(self.models) + 1}", body["endTime"])
        self.models[model_id]["modelInfo"]["displayName"] = body["displayName"]
        return Reply(201, self.models[model_id], {"Location": f"{ROOT}/models/{model_id}"})

    def _detect(self, body: Any) -> Reply:
        table = _table(body["dataSource"], self.read)
        instants = sorted({instant for values in table.values() for instant in values})
        results = []
        for place, instant in enumerate(instants):
            if not body["startTime"] <= instant <= body["endTime"]:
                continue
            if place < self.window:
                error = {"code": "InsufficientHistoricalData", "message": "There is not enough historical data."}
                results.append({"timestamp": instant, "errors": [error]})
                continue
            results.append(
                self._result(instant, {name: values.get(instant, 0.0) for name, values in table.items()}, body)
            )
        result_id = f"result-{len(self._results) + 1}"

        def answer(status: str, found: list[Any]) -> dict[str, Any]:
            summary = {"status": status, "errors": [], "variableStates": [], "setupInfo": body}
            return {"resultId": result_id, "summary": summary, "results": found}

        self._results[result_id] = [answer("RUNNING", [])] * self.polls + [answer("READY", results)]
        return Reply(202, answer("CREATED", []), {"operation-id": result_id, "operation-location": "x"})

    def _result(self, instant: str, values: dict[str, float], body: Any) -> dict[str, Any]:
        strange = [name for name, value in values.items() if abs(value) > 2]
        severity = len(strange) / len(values)
        by_size = sorted(strange, key=lambda name: -abs(values[name]))[: body["topContributorCount"]]
        total = sum(abs(values[name]) for name in by_size)
        shares = [{"variable": name, "contributionScore": abs(values[name]) / total} for name in by_size]
        value: dict[str, Any] = {"isAnomaly": bool(strange), "severity": severity, "score": severity * (math.e - 1)}
        if strange:
            value["interpretation"] = shares
        return {"timestamp": instant, "value": value, "errors": []}


class Loopback:
    """A running service: where it is, and the calls it got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Call] = []

    def asked(self, method: str, part: str = "") -> list[Call]:
        return [call for call in self.calls if call.method == method and part in call.path]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""


@contextmanager
def serving(*answers: Answer) -> Iterator[Loopback]:
    """A service that gives the first of these answers that is one, for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            pass

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = self.path.partition(ROOT)[2]
            call = Call(self.command, path, headers, json.loads(sent) if sent else None)
            service.calls.append(call)
            reply = next((found for answer in answers if (found := answer(call)) is not None), Reply(404))
            time.sleep(reply.delay_s)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            with suppress(OSError):
                self.send_response(reply.status)
                kind = {} if not body or isinstance(reply.body, bytes) else {"Content-Type": "application/json"}
                for name, value in {**kind, **reply.headers}.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if reply.cut else body)
                self.close_connection = self.close_connection or reply.cut

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def do_DELETE(self) -> None:
            self._do()

    with _Server(("127.0.0.1", 0), Handler) as server:
        service = Loopback(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def _no_model() -> Reply:
    return Reply(404, {"code": "ModelNotExist", "message": "The model does not exist."})


def _table(source: str, read: list[str]) -> dict[str, dict[str, float]]:
    """The data at a path or URL, variable by variable, instant by instant."""
    read.append(source)
    if source.startswith("http"):
        answer = urllib3.request("GET", source, timeout=10, retries=False)
        assert answer.status == 200
        return _unpacked(source.partition("?")[0], answer.data)
    path = Path(source)
    if path.is_dir():
        return {file.stem: _column(file.read_text("utf-8")) for file in path.iterdir()}
    return _unpacked(source, path.read_bytes())


def _unpacked(name: str, content: bytes) -> dict[str, dict[str, float]]:
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {each.removesuffix(".csv"): _column(archive.read(each).decode()) for each in archive.namelist()}
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    variables = [each for each in rows[0] if each != "timestamp"]
    return {each: {row["timestamp"]: float(row[each]) for row in rows if row[each]} for each in variables}


def _column(text: str) -> dict[str, float]:
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["timestamp", "value"]
    return {instant: float(value) for instant, value in rows[1:]}
