"""Azurite, Microsoft's emulator of blob storage, for the tests; ``None`` where it is not installed."""

import base64
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.storage.blob import (
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)

NAME = "devstoreaccount1"


@dataclass
class Blobs:
    port: int
    key: str

    def put(self, name: str, content: bytes, *, minutes: float = 10) -> str:
        """Upload a blob and give its URL with a read-only signature."""
        url = f"http://127.0.0.1:{self.port}/{NAME}"
        with BlobServiceClient(url, credential={"account_name": NAME, "account_key": self.key}) as client:
            container = client.get_container_client("data")
            if not container.exists():
                container.create_container()
            container.upload_blob(name, content, overwrite=True)
        signature = generate_blob_sas(
            NAME, "data", name, account_key=self.key, permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(minutes=minutes),
        )  # fmt: skip
        return f"{url}/data/{name}?{signature}"

    def folder(self, name: str, *, listing: bool = True) -> str:
        """Give a folder's URL with a signature to read, and to list unless told otherwise."""
        signature = generate_container_sas(
            NAME, "data", account_key=self.key, permission=ContainerSasPermissions(read=True, list=listing),
            expiry=datetime.now(UTC) + timedelta(minutes=10),
        )  # fmt: skip
        return f"http://127.0.0.1:{self.port}/{NAME}/data{name and '/' + name}?{signature}"


def node() -> str | None:
    """Find node: on the search path, or where ANOMSCAN_NODE says."""
    return shutil.which("node") or os.environ.get("ANOMSCAN_NODE")


def command() -> list[str] | None:
    """Find Azurite: ANOMSCAN_AZURITE names the folder of an npm install, else the search path is looked at."""
    folder, program = os.environ.get("ANOMSCAN_AZURITE"), node()
    if folder and program:
        main = Path(folder) / "node_modules/azurite/dist/src/blob/main.js"
        return [program, str(main)] if main.is_file() else None
    found = shutil.which("azurite-blob")
    return [found] if found else None


@contextlib.contextmanager
def azurite(start: list[str], folder: Path) -> Iterator[Blobs]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    process = subprocess.Popen(
        [*start, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent", "--inMemoryPersistence",
         "--disableTelemetry", "--skipApiVersionCheck"],
        cwd=folder,
        env=os.environ | {"AZURITE_ACCOUNTS": f"{NAME}:{key}"},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, "Azurite does not start"
            time.sleep(0.1)
        yield Blobs(port, key)
    finally:
        process.terminate()
        process.wait()
