"""Copies a data source to this machine, over HTTP from an allowed host or from an allowed folder."""

import contextlib
import errno
import http.client
import os
import shutil
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urljoin, urlsplit

from anomscan_mvad import blobs, limits
from anomscan_mvad.errors import ApiError, DataError
from anomscan_mvad.hosts import AllowedHosts, refused

MAX_REDIRECTS = 3
CHUNK = 1024 * 1024


class _Readable(Protocol):
    def read1(self, amount: int, /) -> bytes: ...


@dataclass(frozen=True)
class Sources:
    """Where data may come from.

    Parameters
    ----------
    hosts : AllowedHosts
    folders : tuple of Path
        Resolved; local data must be inside one of them.
    max_bytes : int
    """

    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    folders: tuple[Path, ...] = ()
    max_bytes: int = limits.MAX_SOURCE_BYTES

    def check(self, source: str) -> str:
        """Refuse a request for what must not be read (ApiError 400 InvalidBlobURL).

        Returns
        -------
        str
            The URL without its query, which may hold a signature, so that it can be stored and shown.
        """
        if not is_url(source):
            return self._local(source).as_uri()
        self.hosts.check(source)
        return without_secrets(source)

    def fetch(self, source: str, folder: Path) -> str:
        """Copy the data into an empty folder.

        Returns
        -------
        str
            The name of the copied file or folder of files.

        Raises
        ------
        DataError
            If it cannot be read, is too large, or is not allowed.
        """
        try:
            if is_url(source):
                return self._download(source, folder)
            return self._copy(self._local(source), folder)
        except ApiError as error:
            raise DataError(error.code, error.message) from None

    def _local(self, source: str) -> Path:
        text = unquote(urlsplit(source).path) if source.startswith("file:") else source
        if "\0" in text:
            raise refused("dataSource holds a control character")
        absent = False
        for root in self.folders:
            try:
                path = (root / text).resolve()
                there = path.exists()
            except RuntimeError:
                raise refused(f"{text}: a link that leads to itself is refused") from None
            except OSError:
                raise refused("dataSource is not a path") from None
            if path.is_relative_to(root):
                if there:
                    return path
                absent = True
        if absent:
            raise ApiError(400, "FileNotExist", f"File {text} does not exist.")
        raise refused(
            f"this server does not read {text}; whoever runs it can start it with --allow-path and that folder's name"
        )

    def _copy(self, path: Path, folder: Path) -> str:
        names = [path]
        if path.is_dir():
            files = (p for p in path.iterdir() if p.suffix.lower() == ".csv")
            names = sorted(p for p in files if p.is_symlink() or p.is_file())
        if len(names) > limits.MAX_FILES:
            raise DataError("ReadingFileError", f"{path.name} holds {len(names)} files; at most {limits.MAX_FILES}")
        target = folder / path.name if path.is_dir() else folder
        target.mkdir(exist_ok=True)
        left = self.max_bytes
        for name in names:
            try:
                # A link could lead out of the allowed folder, so it is not followed.
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                with os.fdopen(descriptor, "rb") as reader:
                    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                        raise DataError("ReadingFileError", f"{name.name} is not a regular file")
                    left -= _pour(
                        reader, target / name.name, left, name.name, time.monotonic() + limits.FETCH_TIMEOUT_S
                    )
            except OSError as error:
                reason = "a link is refused" if error.errno == errno.ELOOP else error.strerror
                raise DataError("StorageReadError", f"{name.name}: {reason}") from None
        return path.name

    def _download(self, url: str, folder: Path) -> str:
        deadline = time.monotonic() + limits.FETCH_TIMEOUT_S
        name = file_name(url)
        if name.lower().endswith((".csv", ".zip")):
            self._get(url, folder / name, self.max_bytes, deadline)
            return name
        try:
            names = self._list(url, name, deadline)
        except _NotAFolderError as hint:
            try:
                self._get(url, folder / name, self.max_bytes, deadline)
            except DataError as error:
                raise DataError(error.code, f"{error.message}{hint}") from None
            return name
        (folder / name).mkdir()
        left = self.max_bytes
        for blob in names:
            left -= self._get(blobs.blob_url(url, blob), folder / name / blob, left, deadline)
        return name

    def _get(self, url: str, path: Path, limit: int, deadline: float) -> int:
        with self._answer(url, path.name, deadline) as (answer, host):
            _judge(answer.status, path.name, host)
            return _pour(answer, path, limit, path.name, deadline)

    def _list(self, url: str, name: str, deadline: float) -> list[str]:
        """List the CSV files of a folder of blobs, page by page; _NotAFolderError if there are none."""
        names: list[str] = []
        marker = ""
        while True:
            with self._answer(blobs.list_url(url, marker), name, deadline) as (answer, host):
                if answer.status != 200:
                    hint = "; its signature must permit listing" if answer.status in (401, 403) else ""
                    raise _NotAFolderError(f" {host} answered {answer.status} when asked to list it as a folder{hint}.")
                page = blobs.csv_names(url, answer.read(limits.MAX_LIST_BYTES))
            if page is None:
                raise _NotAFolderError
            names += page[0]
            if len(names) > limits.MAX_FILES:
                raise DataError("ReadingFileError", f"{name} holds more than {limits.MAX_FILES} files.")
            odd = [blob for blob in page[0] if not blob.isprintable() or "\\" in blob]
            if odd:
                raise DataError("ReadingFileError", f"{name} holds a file whose name cannot be kept: {odd[0]!r}.")
            marker = page[1]
            if not marker:
                break
        if not names:
            raise _NotAFolderError(" As a folder it holds no CSV file.")
        return names

    @contextlib.contextmanager
    def _answer(self, url: str, name: str, deadline: float) -> Iterator[tuple[http.client.HTTPResponse, str]]:
        """Request a URL of an allowed host, following redirects to allowed hosts; give the answer and its host."""
        for _ in range(MAX_REDIRECTS + 1):
            parts, host, port = self.hosts.split(url)
            try:
                addresses = self.hosts.addresses(host, port)
            except OSError:
                raise DataError("StorageReadError", f"{host} has no address") from None
            connection = _Pinned(host, port, addresses, parts.scheme == "https")
            # The socket's timeouts restart with each byte; this one does not.
            watchdog = threading.Timer(deadline - time.monotonic(), connection.abort)
            watchdog.daemon = True
            watchdog.start()
            try:
                path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
                connection.request("GET", path, headers={"Host": parts.netloc, "Accept-Encoding": "identity"})
                with connection.getresponse() as answer:
                    if answer.status in (301, 302, 303, 307, 308):
                        url = urljoin(url, answer.headers.get("Location", ""))
                        continue
                    yield answer, host
                if connection.aborted:
                    raise _too_slow(name)
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = "time-out" if isinstance(error, TimeoutError) else type(error).__name__
                raise DataError("StorageReadError", f"{name} cannot be read from {host}: {reason}") from None
            finally:
                watchdog.cancel()
                connection.close()
            return
        raise DataError("StorageReadError", f"{name}: more than {MAX_REDIRECTS} redirects")


class _NotAFolderError(Exception):
    """A URL is not a folder of blobs; the message, if any, is for the user."""


def is_url(source: str) -> bool:
    """Whether a source is a URL; ``file:`` counts as a path."""
    return "://" in source and not source.startswith("file:")


def without_secrets(source: str) -> str:
    """The data source without its query, which may hold a signature, so that it can be stored and shown."""
    if not is_url(source):
        return source
    try:
        parts = urlsplit(source)
        return parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()
    except ValueError:
        return ""


def file_name(url: str) -> str:
    """A safe name of the file that a URL points at; it names the variable if each file holds one."""
    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    safe = "".join(c for c in name if c.isprintable() and c not in '/\\:*?"<>|').strip(". ")
    return safe[-200:] or "data"


def _judge(status: int, name: str, host: str) -> None:
    if status == 200:
        return
    if status == 404:
        raise DataError("FileNotExist", f"File {name} does not exist.")
    hint = "; the signature may be wrong or expired" if status in (401, 403) else ""
    raise DataError("StorageReadError", f"{host} answered {status} for {name}{hint}")


def _pour(reader: _Readable | http.client.HTTPResponse, path: Path, limit: int, name: str, deadline: float) -> int:
    size = 0
    with path.open("xb") as writer:
        while chunk := reader.read1(CHUNK):
            size += len(chunk)
            if size > limit:
                raise DataError("FileSizeTooLarge", f"The size of file {name} is too large.")
            if time.monotonic() > deadline:
                raise _too_slow(name)
            writer.write(chunk)
    if isinstance(reader, http.client.HTTPResponse) and reader.length:  # bytes still missing
        raise DataError("StorageReadError", f"{name} was cut off after {size} bytes")
    return size


def _too_slow(name: str) -> DataError:
    return DataError("StorageReadError", f"{name}: not read within {limits.FETCH_TIMEOUT_S:.0f} s")


class _Pinned(http.client.HTTPConnection):
    """A connection to one of the addresses that were checked, whatever the name resolves to by now."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], tls: bool) -> None:
        super().__init__(host, port, timeout=limits.SOCKET_TIMEOUT_S)
        self._addresses = addresses
        self._context = ssl.create_default_context() if tls else None
        self._wire: socket.socket | None = None
        self.aborted = False

    def connect(self) -> None:
        failure: OSError | None = None
        for address in self._addresses:
            try:
                self.sock = socket.create_connection((address, self.port), self.timeout)
                break
            except OSError as error:
                failure = error
        else:
            raise failure or OSError("no address")
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)
        self._wire = self.sock  # the response takes over `sock` if the other end closes after it

    def abort(self) -> None:
        """End a transfer from another thread; the reader sees a normal end."""
        self.aborted = True
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)


def remove(path: Path) -> None:
    """Remove a folder if it exists."""
    shutil.rmtree(path, ignore_errors=True)
