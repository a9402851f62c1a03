"""A Ray cluster of this machine, started as its users start it: a head, and nodes on further addresses of loopback."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from processes import PATIENCE_S


class RayCluster:
    """A running head of one CPU, and nodes; a context manager.

    Its token is its own: ``environment`` has what a client needs.

    Raises
    ------
    RuntimeError
        If a node does not start, with the end of its log.
    """

    def __init__(self) -> None:
        # A socket's path has at most 107 bytes, so the folder is not one of pytest's.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.address, self.client_address = (f"127.0.0.1:{_free_port()}" for _ in range(2))
        self._nodes: list[subprocess.Popen[bytes]] = []
        try:
            self._start(
                "--head",
                f"--port={self.address.split(':')[1]}",
                f"--ray-client-server-port={self.client_address.split(':')[1]}",
                "--include-dashboard=false",
                f"--temp-dir={self.folder}",
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def join(self, host: str, environment: Mapping[str, str] | None = None) -> int:
        """Start a node of one CPU on another address; its raylet's process id."""
        node = self._start(f"--address={self.address}", f"--node-ip-address={host}", environment=environment)
        return next(pid for pid in children(node.pid) if "/raylet " in command(pid))

    def close(self) -> None:
        """Kill everything."""
        for node in self._nodes:
            for pid in [node.pid, *descendants(node.pid)]:
                _kill(pid)
            node.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, *options: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        log = self.folder / f"start-{len(self._nodes)}.log"
        with log.open("wb") as output:
            node = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"),
                    *("--disable-usage-stats", "--object-store-memory=100000000", *options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | self.environment | dict(environment or {}),
            )
        self._nodes.append(node)
        deadline = time.monotonic() + PATIENCE_S
        while "Ray runtime started" not in log.read_text(errors="replace"):
            if node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Ray does not start: ...{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        return node


def children(pid: int) -> list[int]:
    """The processes a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    """And those they have started."""
    return [below for child in children(pid) for below in (child, *descendants(child))]


def command(pid: int) -> str:
    """The command line of a process; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
