"""Publishing the files of a run to an object store, without overwriting unless that is asked for.

A target is ``s3://BUCKET/PREFIX/`` or ``s3://BUCKET/KEY``, or the like at ``abfs://CONTAINER@ACCOUNT...``. The data
goes first and the file that a reader opens last: it becomes visible only after every other file. Two runs that publish
to one place go through their files in the same order: the one that is refused its first file has written nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from anomscan.errors import ConfigError, OutputError
from anomscan.storage.scratch import scratch_folder

_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".md": "text/markdown; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_AZURE = r"[a-z0-9$-]+@[a-z0-9]+\.(dfs|blob)\.[a-z0-9.-]+"
_SHOWN = 5


class ObjectStore(Protocol):
    """A place for objects, by key; failures are OutputErrors."""

    def check(self, key: str) -> bool:
        """Whether the object exists, as far as we may see; raises if nothing could be put here at all."""

    def put(self, key: str, file: Path, content_type: str, *, overwrite: bool) -> None:
        """Put a file whole or not at all; raises if the object exists and may not be overwritten."""


def _s3(bucket: str) -> ObjectStore:
    from anomscan.reports.s3 import Bucket

    return Bucket(bucket)


def _azure(place: str) -> ObjectStore:
    from anomscan.reports.azure_blobs import Container

    return Container(place)


#: How to open the store of a target, by its scheme.
_STORES: dict[str, Callable[[str], ObjectStore]] = {"s3": _s3, "abfs": _azure}
_PLACES = {"s3": "s3://BUCKET/PREFIX/", "abfs": "abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX/"}


@dataclass(frozen=True, slots=True)
class Target:
    """A place in an object store.

    Parameters
    ----------
    scheme, container
        Which store: ``s3`` and the bucket, ``abfs`` and the container at its account.
    prefix
        What the keys begin with, with its slash; may be empty.
    main
        The name of the file that a reader opens, which is written last.
    """

    scheme: str
    container: str
    prefix: str
    main: str

    def url(self, key: str) -> str:
        """The URL of the object with a key."""
        return f"{self.scheme}://{self.container}/{key}"

    @property
    def latest(self) -> str:
        """The key of the page that leads to the newest report: ``latest/`` beside the report's folder.

        Raises
        ------
        ConfigError
            If that would be no other place.
        """
        above, _, folder = self.prefix.rstrip("/").rpartition("/")
        if folder in ("", "latest"):
            raise ConfigError(
                "'latest/' is laid beside the folder of a report, which has another name",
                hint=f"publish to {self.scheme}://.../reports/2026-11-28/",
            )
        return f"{above}/latest/{self.main}" if above else f"latest/{self.main}"


def parse_target(url: str, main: str, *, folder: bool = False) -> Target:
    """Parse the URL of a target.

    Parameters
    ----------
    url
        ``SCHEME://CONTAINER/PATH``. A path is a folder, unless it ends like ``main`` does: then it names the main file.
    main
        The main file's name, where the URL has none.
    folder
        Whether the path is a folder in any case.

    Raises
    ------
    ConfigError
        If there is no such kind of store, or no container.

    Examples
    --------
    >>> parse_target("s3://fleet/2026", "results.jsonl")
    Target(scheme='s3', container='fleet', prefix='2026/', main='results.jsonl')
    >>> parse_target("s3://fleet/2026/may.jsonl", "results.jsonl").main
    'may.jsonl'
    """
    scheme, _, rest = url.partition("://")
    container, _, path = rest.partition("/")
    if scheme not in _STORES:
        known = ", ".join(f"{name}://" for name in _STORES)
        raise ConfigError(f"nothing can be published to '{scheme}://'", hint=f"name a local file, or {known}")
    # What is out of place in an address of Azure may be a secret.
    if not container or (scheme == "abfs" and not re.fullmatch(_AZURE, container)):
        what = f"'{url}' names no bucket" if scheme == "s3" else "the address to publish to is not understood"
        raise ConfigError(what, hint=f"write {_PLACES[scheme]}")
    above, _, last = path.rpartition("/")
    if not folder and last.endswith(Path(main).suffix) and last != Path(main).suffix:
        return Target(scheme, container, f"{above}/" if above else "", last)
    prefix = path.rstrip("/")
    return Target(scheme, container, f"{prefix}/" if prefix else "", main)


@contextmanager
def staged(target: Target, *, overwrite: bool, say: Callable[[str], None], latest: bool = False) -> Iterator[Path]:
    """Collect files in a temporary folder and publish them when the block succeeds.

    Parameters
    ----------
    target
        Where to. It is asked before the block runs whether the main file is there, so that no long run is for nothing.
    overwrite
        Whether objects that are there may be overwritten.
    say
        Told what was written.
    latest
        Whether a page in ``latest/``, beside the target's folder, shall lead to the main file from then on.

    Yields
    ------
    The path to write the main file to; whatever lies beside it or in folders there is published too.

    Raises
    ------
    ConfigError
        If ``latest/`` would be the target itself.
    OutputError
        If it cannot be published: what was written until then, and where the files are kept, are named.
    """
    pointer = target.latest if latest else None
    store = _STORES[target.scheme](target.container)
    main = target.prefix + target.main
    if store.check(main) and not overwrite:
        raise OutputError(f"{target.url(main)} already exists", hint="name another place, or add --overwrite")
    with scratch_folder() as scratch:
        yield scratch.path / target.main
        try:
            say(_sentence(publish(scratch.path, target, store, overwrite=overwrite)))
        except PublishError:
            scratch.kept = True  # the files are the user's from here on
            raise
        if pointer is not None:
            page = scratch.path / "latest.html"
            page.write_text(_leading_to(target), "utf-8")
            store.put(pointer, page, _TYPES[".html"], overwrite=True)
            say(f"{target.url(pointer)} leads there")


def _leading_to(target: Target) -> str:
    """A page that opens a target's main file: one small object, so that readers meet the old report or the new one."""
    folder = target.prefix.rstrip("/").rpartition("/")[2]
    href = html.escape(f"../{quote(folder)}/{quote(target.main)}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>The latest report</title>\n'
        f'<meta http-equiv="refresh" content="0; url={href}"></head>\n'
        f'<body><p><a href="{href}">The latest report</a></p></body></html>\n'
    )


class PublishError(OutputError):
    """Some of the files could not be published; they are kept."""


def publish(folder: Path, target: Target, store: ObjectStore, *, overwrite: bool) -> list[tuple[str, int]]:
    """Put every file of a folder, the main one last.

    Parameters
    ----------
    folder
        Its files keep their relative paths below the target's prefix.
    overwrite
        Whether objects that are there may be overwritten.

    Returns
    -------
    URL and bytes of each object, in the order they were written.

    Raises
    ------
    PublishError
        At the first file that cannot be put; says what was written before it and where the files are.
    """
    files = sorted(
        (path for path in folder.rglob("*") if path.is_file()),
        key=lambda path: (path == folder / target.main, len(path.relative_to(folder).parts), path.as_posix()),
    )
    written: list[tuple[str, int]] = []
    for path in files:
        key = target.prefix + path.relative_to(folder).as_posix()
        try:
            store.put(key, path, _TYPES.get(path.suffix, "application/octet-stream"), overwrite=overwrite)
        except OutputError as error:
            before = f"written before it: {_names(written)}" if written else "nothing was written"
            hint = f"{error.hint}; " if error.hint else ""
            raise PublishError(f"{error.message}; {before}", hint=f"{hint}all files are kept in {folder}") from error
        written.append((target.url(key), path.stat().st_size))
    return written


def _sentence(written: list[tuple[str, int]]) -> str:
    return f"published {_names(written)} ({sum(size for _, size in written):,} bytes)"


def _names(written: list[tuple[str, int]]) -> str:
    """Every object by its URL, or, if there are many, the last one and their number."""
    if len(written) > _SHOWN:
        return f"{written[-1][0]} and {len(written) - 1} more"
    return ", ".join(url for url, _ in written)
