"""A private Alertmanager, Debian's package, on a port of its own, gone when it is closed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import started, wait_until

INSTALL = "sh scripts/install-servers.sh"


class Alertmanager:
    """A running one: where it is, and what it knows."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def alerts(self) -> list[dict[str, Any]]:
        """Those that are not over."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts") as answer:  # noqa: S310, our own server
            found: list[dict[str, Any]] = json.load(answer)
        return sorted(found, key=lambda each: str(each["labels"]["asset"]))

    def amtool(self, *arguments: str) -> Any:
        """What its own client shows."""
        done = subprocess.run(
            [_program("amtool"), f"--alertmanager.url={self.url}", "--output=json", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)


@contextmanager
def alertmanager(hook: str | None = None) -> Iterator[Alertmanager]:
    """An Alertmanager for the length of the block, which tells a webhook at once.

    Raises
    ------
    RuntimeError
        If it is not installed, saying how to install it.
    """
    program = _program("prometheus-alertmanager", "alertmanager")
    with tempfile.TemporaryDirectory(prefix="alertmanager-") as name, socket.socket() as probe:
        folder = Path(name)
        webhooks = [] if hook is None else [{"url": hook}]
        route = {"receiver": "all", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        config = {"route": route, "receivers": [{"name": "all", "webhook_configs": webhooks}]}
        (folder / "alertmanager.yml").write_text(json.dumps(config))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [
            *(program, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="),
        ]
        with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: _answers(port), process)
            yield Alertmanager(port)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _program(*names: str) -> str:
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        raise RuntimeError(f"{names[0]} is not installed: {INSTALL}")
    return found
