"""A private blob service: Azurite from npm, in memory, on a port of its own, gone when it is closed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from processes import PATIENCE_S

FOLDER = Path(__file__).with_name("azurite")
INSTALL = "sh scripts/install-servers.sh"
ACCOUNT = "devstoreaccount1"
#: The key that every Azurite has, as its documentation says.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azurite:
    """A running blob service; a context manager.

    Raises
    ------
    RuntimeError
        If node or Azurite is not installed, saying how to install it, or it does not start.
    """

    def __init__(self) -> None:
        node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
        main = FOLDER / "node_modules/azurite/dist/src/blob/main.js"
        if node is None or not main.is_file():
            raise RuntimeError(f"{'node' if node is None else 'Azurite'} is not installed: {INSTALL}")
        self._folder = tempfile.TemporaryDirectory(prefix="azurite-")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start(node, main)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Azurite:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """Where its account is."""
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """What a client connects with."""
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.endpoint};"

    def close(self) -> None:
        """Stop it and remove its folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()

    def _start(self, node: str, main: Path) -> None:
        log = Path(self._folder.name) / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with log.open("wb") as out:
            # Its newest version knows fewer API versions than the newest client sends.
            self._process = subprocess.Popen(
                [
                    *(node, str(main), "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--silent"),
                    *("--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"),
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._folder.name,
            )
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"Azurite did not start: {log.read_text(errors='replace')[-2000:]}")
